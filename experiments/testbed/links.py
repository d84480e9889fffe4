"""The links while an episode runs: background traffic takes from their rate; what they send is watched.

The kernel's counters are read in one question over netlink, which takes some 0.1 ms for eight gateways.
"""

import contextlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from experiments.testbed.plan import BURST_S, HEADER_BYTES, WIRE, Link, rate_command

WINDOW = 25  # samples that a link's rate is judged over: one may be read 1 ms late
SLACK_BITS = 65_536  # beyond a burst: some five segments that the kernel has joined may overrun it
GET_QDISC, NEW_QDISC, DONE, ERROR = 38, 36, 3, 2  # linux/rtnetlink.h, linux/netlink.h
REQUEST_DUMP = 0x1 | 0x300
KIND, STATS2, BASIC, QUEUE = 1, 7, 1, 3  # attributes of a qdisc: TCA_..., and TCA_STATS_...
HEADER, TRAFFIC_CONTROL, ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BxHiIII"), struct.Struct("=HH")


class Count(NamedTuple):
    """The fifo of one link: what has left it, and what is in it, with all headers."""

    sent_bytes: int
    packets: int
    backlog_bytes: int
    drops: int

    @property
    def payload_bits(self) -> int:
        """Return what has left without headers. Segments are counted one by one, so this is exact."""
        return 8 * (self.sent_bytes - HEADER_BYTES * self.packets)


class Counters:
    """Asks the kernel, in the network namespace of this process."""

    def __init__(self, devices: list[str]):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.index = [socket.if_nametoindex(device) for device in devices]

    def read(self) -> list[Count]:
        """Return the counts of every link, in order."""
        body = TRAFFIC_CONTROL.pack(0, 0, 0, 0, 0, 0)
        self.socket.send(HEADER.pack(HEADER.size + len(body), GET_QDISC, REQUEST_DUMP, 1, 0) + body)
        found, ended = {}, False
        while not ended:
            part, ended = parse(self.socket.recv(1 << 18))
            found |= part
        try:
            return [found[index] for index in self.index]
        except KeyError:
            raise RuntimeError("somebody has removed a link or its fifo") from None


class Links:
    """All links of the network, in the namespace of this process."""

    def __init__(self, links: Sequence[Link]):
        self.devices = [link.device for link in links]
        self.counters = Counters(self.devices)
        # One `tc` for the whole episode: a process per change would take 2 ms of a core. Without a buffer, nothing is
        # kept that a `tc` which has ended does not take.
        self.tc = subprocess.Popen(["tc", "-batch", "-"], stdin=subprocess.PIPE, bufsize=0)
        self.rates_bps = np.zeros(len(links))
        self.samples: list[tuple[float, np.ndarray, list[Count]]] = []  # time, rates that may hold, counts

    def set_rates(self, rates_bps: np.ndarray) -> None:
        """Give every link the rate of payload that background traffic leaves; end this process if `tc` has ended."""
        changed = np.flatnonzero(rates_bps != self.rates_bps)
        lines = [rate_command("change", self.devices[g], rates_bps[g]) + "\n" for g in changed]
        with contextlib.suppress(BrokenPipeError):
            self.tc.stdin.write("".join(lines).encode())
            if self.tc.poll() is None:
                return
        sys.exit(f"tc, which sets the rates of the links, has ended with status {self.tc.wait()}")

    def sample(self, now_s: float, rates_bps: np.ndarray) -> list[Count]:
        """Read and keep the counts; the rates are those from now on."""
        counts = self.counters.read()
        self.samples.append((now_s, np.maximum(rates_bps, self.rates_bps), counts))  # `tc` takes a moment
        self.rates_bps = rates_bps
        return counts

    def highest_share(self) -> float:
        """Return the most that a link has sent in a window, as a share of what its rate allows."""
        times, rates_bps, counts = zip(*self.samples, strict=True)
        wire_bits = 8.0 * np.array([[count.sent_bytes for count in each] for each in counts])
        steps_s = np.diff(times)[:, None]
        allowed_bits = WIRE * np.cumsum(np.array(rates_bps)[:-1] * steps_s, axis=0)
        allowed_bits = np.vstack([np.zeros_like(allowed_bits[:1]), allowed_bits])
        if len(times) <= WINDOW:
            return 0.0
        burst_bits = WIRE * BURST_S * np.max(rates_bps, axis=0) + SLACK_BITS
        sent, may = (total[WINDOW:] - total[:-WINDOW] for total in (wire_bits, allowed_bits))
        return float((sent / (may + burst_bits)).max())

    def drops(self) -> int:
        """Return how many packets found a fifo full."""
        return sum(count.drops for count in self.samples[-1][2])

    def close(self) -> bool:
        """End `tc`; return whether it took every change."""
        self.tc.stdin.close()
        return self.tc.wait() == 0


def parse(data: bytes) -> tuple[dict[int, Count], bool]:
    """Return the fifos in a message by index of their device, and whether the answer is complete."""
    found, at = {}, 0
    while at < len(data):
        length, kind, *_ = HEADER.unpack_from(data, at)
        if kind == DONE:
            return found, True
        if kind == ERROR:
            code = -struct.unpack_from("=i", data, at + HEADER.size)[0]
            raise OSError(code, os.strerror(code), "netlink")
        if kind == NEW_QDISC:
            index = TRAFFIC_CONTROL.unpack_from(data, at + HEADER.size)[2]
            fields = dict(_attributes(data[at + HEADER.size + TRAFFIC_CONTROL.size : at + length]))
            if fields[KIND].rstrip(b"\0") == b"bfifo":
                found[index] = _count(dict(_attributes(fields[STATS2])))
        at += -(-length // 4) * 4
    return found, False


def _count(stats: dict[int, bytes]) -> Count:
    sent_bytes, packets = struct.unpack_from("=QI", stats[BASIC])
    _, backlog_bytes, drops = struct.unpack_from("=III", stats[QUEUE])
    return Count(sent_bytes, packets, backlog_bytes, drops)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + ATTRIBUTE.size <= len(data):
        length, kind = ATTRIBUTE.unpack_from(data, at)
        yield kind & 0x3FFF, data[at + ATTRIBUTE.size : at + length]
        at += -(-length // 4) * 4
