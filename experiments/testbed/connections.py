"""The users' ends of the TCP connections. They are opened and warmed up before the first flow, and used again."""

import asyncio
import socket
from collections.abc import Callable

from experiments.testbed.edge_server import FLOW_HEADER, MESSAGE, WARM_UP
from experiments.testbed.plan import PORT, Link

# The kernel does not pace the first ten segments of a connection. A connection that has sent this many is paced.
WARM_UP_SEGMENTS = 12
OPENED, FEWEST = 192, 4  # connections before the first flow: of all gateways, and of each; more are opened at need
SO_MAX_PACING_RATE = 47  # of asm-generic/socket.h; the module `socket` has no name for it
PAYLOAD = memoryview(bytes(1 << 24))  # of all flows but the longest


class Connection:
    """One connection through a gateway, for one flow at a time."""

    def __init__(
        self,
        link: Link,
        on_message: Callable[[int, int, float], None],
        on_end: Callable[[], None],
        segments: int = WARM_UP_SEGMENTS,
    ):
        self.on_message, self.on_end, self.loop, self.partial = on_message, on_end, asyncio.get_running_loop(), b""
        self.socket = socket.create_connection((link.server, PORT), source_address=(link.users, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(segments):
            self.socket.send(FLOW_HEADER.pack(WARM_UP, FLOW_HEADER.size, 0.0, 0.0))
        self.socket.setblocking(False)
        self.loop.add_reader(self.socket, self._readable)

    def send(self, number: int, data_bits: float, rate_bps: float, processing_s: float, tflops: float) -> None:
        """Begin a flow at its granted rate. The kernel sends it; this process need not do anything more."""
        length = max(FLOW_HEADER.size, round(data_bits / 8))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, max(1, int(rate_bps / 8)))
        header = FLOW_HEADER.pack(number, length, processing_s, tflops)
        payload = PAYLOAD if length <= len(PAYLOAD) else memoryview(bytes(length))
        sent = self.socket.sendmsg([header, payload[: length - len(header)]])
        if sent < length:  # longer than what the kernel keeps
            self.sending = self.loop.create_task(self.loop.sock_sendall(self.socket, payload[: length - sent]))

    def close(self) -> None:
        """Close the connection."""
        self.loop.remove_reader(self.socket)
        self.socket.close()

    def _readable(self) -> None:
        try:
            data = self.socket.recv(4096)
        except ConnectionError:
            data = b""
        if not data:
            self.loop.remove_reader(self.socket)
            self.on_end()
        self.partial += data
        while len(self.partial) >= MESSAGE.size:
            message, self.partial = self.partial[: MESSAGE.size], self.partial[MESSAGE.size :]
            self.on_message(*MESSAGE.unpack(message))


class Pool:
    """Connections of every gateway that no flow uses."""

    def __init__(self, links: list[Link], on_message: Callable[[int, int, float], None], on_end: Callable[[], None]):
        self.links, self.callbacks = links, (on_message, on_end)
        each = max(FEWEST, OPENED // len(links))
        self.free = [[Connection(link, *self.callbacks) for _ in range(each)] for link in links]

    def take(self, gateway: int) -> Connection:
        """Return a connection through a gateway."""
        if self.free[gateway]:
            return self.free[gateway].pop()
        return Connection(self.links[gateway], *self.callbacks)

    def give(self, gateway: int, connection: Connection) -> None:
        """Take a connection back for the next flow."""
        self.free[gateway].append(connection)
