"""What the kernel has counted at every link, read in one question over netlink: some 0.1 ms for eight gateways."""

import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from experiments.testbed.plan import HEADER_BYTES

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
