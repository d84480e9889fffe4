"""The network on paper: names, addresses and the commands that build it. Nothing is executed here.

Two namespaces are joined by one veth pair per gateway. On the users' side of a pair, an htb class with a fifo under it
is the link of the gateway.
"""

from typing import NamedTuple

PORT = 5000  # of the edge server, in a namespace of its own: no other program can have taken it
SEGMENT_BYTES, HEADER_BYTES = 1448, 66  # of a full TCP segment: payload; Ethernet, IP and TCP with time stamps
WIRE = (SEGMENT_BYTES + HEADER_BYTES) / SEGMENT_BYTES  # what a bit of payload takes on the link
FIFO_S = 0.2  # how much traffic the fifo of a link holds, at its capacity
BURST_S = 0.001  # how much a link may send at once, at its present rate
SYSCTLS = (
    "net.ipv6.conf.all.disable_ipv6=1",  # its neighbour discovery would count as traffic
    "net.ipv4.tcp_slow_start_after_idle=0",  # connections of the pool wait between flows
    "net.ipv4.tcp_no_metrics_save=1",  # one run must not teach the next
    "net.ipv4.tcp_congestion_control=reno",  # the only one that every namespace may choose
    "net.ipv4.tcp_tso_rtt_log=0",  # else short ways get bursts of 64 KB, whatever the pace
    "net.ipv4.tcp_min_tso_segs=1",
    "net.ipv4.tcp_wmem=4096 8388608 8388608",  # a whole flow fits into the socket: the kernel sends it alone
    "net.ipv4.tcp_rmem=4096 8388608 16777216",
)


class Link(NamedTuple):
    """One gateway: its device, the same name on both sides, and the addresses at its ends."""

    device: str
    users: str
    server: str


class Plan(NamedTuple):
    """A network of G gateways."""

    name: str
    capacity_bps: list[float]  # R_max of each gateway, payload

    @property
    def namespaces(self) -> tuple[str, str]:
        """Return the names of both namespaces: users, server."""
        return f"{self.name}-users", f"{self.name}-server"

    @property
    def links(self) -> list[Link]:
        """Return one link per gateway; gateway g has 10.99.g.0/30 for itself."""
        return [Link(f"gateway{g}", f"10.99.{g}.1", f"10.99.{g}.2") for g in range(len(self.capacity_bps))]

    def commands(self) -> list[list[str]]:
        """Return the commands that build the network, in order."""
        users, server = self.namespaces
        built = [["ip", "netns", "add", name] for name in self.namespaces]
        for name in self.namespaces:
            inside = ["nsenter", f"--net=/run/netns/{name}"]
            # -e: a kernel without IPv6 cannot turn it off, and one before 5.18 has no bursts by `tcp_tso_rtt_log`.
            built += [[*inside, "sysctl", "-qew", setting] for setting in SYSCTLS]
            built.append(["ip", "-n", name, "link", "set", "lo", "up"])
        for link, capacity_bps in zip(self.links, self.capacity_bps, strict=True):
            pair = ["type", "veth", "peer", "name", link.device, "netns", server]
            built.append(["ip", "-n", users, "link", "add", link.device, *pair])
            for name, address in ((users, link.users), (server, link.server)):
                built.append(["ip", "-n", name, "address", "add", f"{address}/30", "dev", link.device])
                built.append(["ip", "-n", name, "link", "set", link.device, "up"])
            built += [["tc", "-n", users, *words.split()] for words in shaping(link.device, capacity_bps)]
        return built


def shaping(device: str, capacity_bps: float) -> list[str]:
    """Return the words after `tc` that make a device a link: htb, one class, a fifo under it."""
    fifo_bytes = int(WIRE * capacity_bps * FIFO_S / 8)
    return [
        f"qdisc replace dev {device} root handle 1: htb default 1",
        rate_command("add", device, capacity_bps),
        f"qdisc replace dev {device} parent 1:1 handle 10: bfifo limit {fifo_bytes}",
    ]


def rate_command(verb: str, device: str, rate_bps: float) -> str:
    """Return the words after `tc` that give a link a rate of payload."""
    wire_bps = max(8, int(WIRE * rate_bps))
    burst = max(2 * (SEGMENT_BYTES + HEADER_BYTES), int(wire_bps * BURST_S / 8))
    return (
        f"class {verb} dev {device} parent 1: classid 1:1 htb rate {wire_bps}bit ceil {wire_bps}bit "
        f"burst {burst} cburst {burst} quantum 60000"
    )
