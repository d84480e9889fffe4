"""The links: the kernel's answer over netlink, as bytes made by hand; a link that sends more than its rate is seen."""

import io
import struct
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.testbed.links import SLACK_BITS, WINDOW, Count, Counters, Links, parse
from experiments.testbed.plan import WIRE

RATE_BPS, SLOT_S = 100e6, 0.01


@pytest.fixture
def links():
    """Return two links without a kernel under them."""
    links = object.__new__(Links)
    links.devices = ["gateway0", "gateway1"]
    links.rates_bps, links.samples = np.zeros(2), []
    links.tc = SimpleNamespace(stdin=io.BytesIO(), poll=lambda: None)
    return links


def send(links, share, slots=60, rate_bps=RATE_BPS):
    """Let the second link send a share of its rate, the first one nothing."""
    sent_bytes, counts = 0.0, []
    links.counters = SimpleNamespace(read=lambda: counts[-1])
    for slot in range(slots):
        counts.append([Count(0, 0, 0, 0), Count(int(sent_bytes), 0, 0, slot)])
        links.sample(slot * SLOT_S, np.full(2, rate_bps))
        sent_bytes += share * WIRE * rate_bps * SLOT_S / 8


@pytest.mark.parametrize("share", [0.5, 1.0, 1.2])
def test_the_largest_share_of_what_a_rate_allows(links, share):
    send(links, share)
    burst = 1 + (WIRE * RATE_BPS * 0.001 + SLACK_BITS) / (WIRE * RATE_BPS * WINDOW * SLOT_S)
    assert links.highest_share() == pytest.approx(share / burst, rel=1e-3)


def test_a_rate_that_falls_allows_the_old_one_for_the_slot_in_which_it_is_changed(links):
    send(links, 0.99, slots=WINDOW + 1)
    before = links.highest_share()
    links.counters.read = lambda: [Count(0, 0, 0, 0), Count(int(WIRE * RATE_BPS * WINDOW * SLOT_S / 8), 0, 0, 0)]
    links.sample((WINDOW + 1) * SLOT_S, np.full(2, RATE_BPS / 4))
    assert links.samples[-1][1].tolist() == [RATE_BPS] * 2 and links.highest_share() == pytest.approx(before)


def test_too_short_an_episode_has_no_share(links):
    send(links, 2.0, slots=WINDOW)
    assert links.highest_share() == 0.0


def test_drops_are_those_of_all_links_at_the_end(links):
    send(links, 0.5, slots=4)
    assert links.drops() == 3


def test_only_a_rate_that_changes_is_written(links):
    links.set_rates(np.array([0.0, 5e6]))
    lines = links.tc.stdin.getvalue().decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith(
        "class change dev gateway1 parent 1: classid 1:1 htb rate 5227900bit"
    )


@pytest.mark.parametrize("change", [0.0, 5e6])
def test_a_tc_that_has_ended_is_named_also_if_no_rate_changes(links, change):
    links.tc = subprocess.Popen(["false"], stdin=subprocess.PIPE, bufsize=0)
    links.tc.wait()
    with pytest.raises(SystemExit, match="^tc, which sets the rates of the links, has ended with status 1$"):
        links.set_rates(np.array([0.0, change]))
    links.tc.stdin.close()


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


def test_fifos_are_found_by_device_and_others_left_out_until_the_answer_ends():
    data = qdisc(b"htb", 3, 1, 1, 1, 1) + qdisc(b"bfifo", 3, 1514, 1, 60, 2) + qdisc(b"bfifo", 4, 0, 0, 0, 0)
    found = {3: Count(1514, 1, 60, 2), 4: Count(0, 0, 0, 0)}
    assert parse(data) == (found, False) and parse(data + DONE) == (found, True)
    assert Count(2 * 1514 + 100, 3, 0, 0).payload_bits == 8 * (2 * 1448 + 34)  # of full segments and a short one
    with pytest.raises(PermissionError):
        parse(struct.pack("=IHHIIi", 20, 2, 0, 1, 0, -1))


def test_a_link_that_somebody_has_removed():
    counters = Counters.__new__(Counters)  # without asking for devices
    counters.index, answer = [3, 4], qdisc(b"bfifo", 3, 1514, 1, 60, 2) + DONE
    counters.socket = SimpleNamespace(send=len, recv=lambda _: answer)
    with pytest.raises(RuntimeError, match="somebody has removed a link or its fifo"):
        counters.read()
