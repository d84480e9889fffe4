"""The kernel's answer over netlink, as bytes made by hand."""

import struct
from types import SimpleNamespace

import pytest

from experiments.testbed.counters import Count, Counters, parse


def attribute(kind: int, content: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(content), kind) + content + bytes(-len(content) % 4)


def qdisc(kind: bytes, index: int, sent: int, packets: int, backlog: int, drops: int) -> bytes:
    """Return one message about a qdisc, as in linux/rtnetlink.h and linux/gen_stats.h."""
    basic = attribute(1, struct.pack("=QII", sent, packets, 0))
    queue = attribute(3, struct.pack("=IIIII", 3, backlog, drops, 0, 7))
    body = struct.pack("=BxHiIII", 0, 0, index, 0x100000, 0x10001, 0)
    body += attribute(1, kind + b"\0") + attribute(7 | 0x8000, basic + queue)
    return struct.pack("=IHHII", 16 + len(body), 36, 2, 1, 0) + body + bytes(-len(body) % 4)


DONE = struct.pack("=IHHIIi", 20, 3, 2, 1, 0, 0)


def test_fifos_are_found_by_device_and_others_left_out():
    data = qdisc(b"htb", 3, 1, 1, 1, 1) + qdisc(b"bfifo", 3, 1514, 1, 60, 2) + qdisc(b"bfifo", 4, 0, 0, 0, 0)
    assert parse(data) == ({3: Count(1514, 1, 60, 2), 4: Count(0, 0, 0, 0)}, False)


def test_the_end_of_the_answer_is_seen():
    assert parse(qdisc(b"bfifo", 3, 1514, 1, 60, 2) + DONE)[1] is True


def test_a_full_segment_has_1448_bytes_of_payload():
    assert Count(2 * 1514 + 100, 3, 0, 0).payload_bits == 8 * (2 * 1448 + 34)


def test_an_error_of_the_kernel_is_one():
    error = struct.pack("=IHHIIi", 20, 2, 0, 1, 0, -1)
    with pytest.raises(PermissionError):
        parse(error)


def test_a_link_that_somebody_has_removed():
    counters = Counters.__new__(Counters)  # without asking for devices
    counters.index, answer = [3, 4], qdisc(b"bfifo", 3, 1514, 1, 60, 2) + DONE
    counters.socket = SimpleNamespace(send=len, recv=lambda _: answer)
    with pytest.raises(RuntimeError, match="somebody has removed a link or its fifo"):
        counters.read()
