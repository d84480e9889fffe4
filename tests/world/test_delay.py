"""Eqs. (2)-(8), by hand."""

import numpy as np
import pytest
from slips import named

from edgediff.world import delay


@pytest.mark.eq(2)
def test_total_delay_adds_four_parts():
    """Eq. (2): 1 + 0.2 + 0.03 + 0.004 = 1.234; the digit that is wrong names the part."""
    found = delay.total_delay(1.0, 0.2, 0.03, 0.004)
    assert found == pytest.approx(1.234), named(found, {
        1.034: "the queueing delay is missing",
        0.834: "the queueing delay is subtracted",
        1.23: "the propagation delay is missing; Eq. (8) drops it, Eq. (2) has it",
        1.2: "processing and propagation are missing",
    })  # fmt: skip
    other = delay.total_delay(5.0, 0.6, 0.07, 0.008)
    assert other == pytest.approx(5.678), named(other, {})


@pytest.mark.eq(3)
def test_transmission_delay_of_an_idle_gateway():
    """Eq. (3): 6 Mbit / 20 Mbit/s = 0.3 s."""
    assert delay.transmission_delay(6e6, 20e6) == 0.3  # 6 Mbit at 20 Mbit/s


@pytest.mark.eq(5)
def test_queueing_delay_is_backlog_over_available():
    """Eq. (5): 1 Mbit / 50 Mbit/s = 0.02 s; an empty queue takes no time."""
    found = delay.queueing_delay(1e6, 50e6)
    assert found == pytest.approx(0.02), named(found, {50.0: "R / Q in place of Q / R"})
    assert delay.queueing_delay(0.0, 50e6) == 0.0, "an empty queue takes no time where there is bandwidth"


@pytest.mark.eq(6)
def test_processing_delay_is_work_over_compute():
    """Eq. (6): 6 TFLOP / 24 TFLOP/s = 0.25 s."""
    assert delay.processing_delay(6.0, 24.0) == 0.25  # 6 TFLOP at 24 TFLOP/s


@pytest.mark.eq(3, 5, 6)
def test_no_rate_means_no_end():
    """Eqs. (3), (5), (6) at rate 0: infinite, without an error, also for nothing to send."""
    for one in (delay.transmission_delay, delay.queueing_delay, delay.processing_delay):
        found = one(1.0, 0.0)
        assert found == np.inf, f"{found:g} at rate 0: divide by the rate itself, and return infinity where it is 0"
    words = "the wait of an empty queue at rate 0 is infinite: nothing waits, but nothing will be served either"
    assert delay.queueing_delay(0.0, 0.0) == np.inf, words


def test_delays_broadcast():
    times = delay.transmission_delay(np.array([[2.0], [4.0]]), np.array([1.0, 0.0, 2.0]))
    assert np.array_equal(times, [[2.0, np.inf, 1.0], [4.0, np.inf, 2.0]])


@pytest.mark.eq(4, 7)
def test_allocate_never_exceeds_either():
    """Eqs. (4), (7): asked 3, 5, 0 where 4 is free: 3, 4, 0."""
    asked, available = np.array([3.0, 5.0, 0.0]), np.array([4.0, 4.0, 4.0])
    assert np.array_equal(delay.allocate(asked, available), [3.0, 4.0, 0.0])


@pytest.mark.eq(8)
def test_deadline_is_met_up_to_the_last_moment():
    """Eq. (8) has <=: of 0.4, 0.5 and 0.6 s, only 0.6 misses a deadline of 0.5 s."""
    assert np.array_equal(delay.meets_deadline(np.array([0.4, 0.5, 0.6]), 0.5), [True, True, False])


@pytest.mark.eq(5)
def test_drain_by_hand():
    """5 Mbit wait and 7 Mbit can be sent: 0 are left, not -2; 9 wait and 2 can be sent: 7."""
    left = float(delay.drain_backlog(5e6, 7e6))
    assert left == 0, named(
        left, {-2e6: "the queue is negative: max(Q - served, 0)", 2e6: "a queue cannot grow by serving"}
    )
    left = float(delay.drain_backlog(9e6, 2e6))
    assert left == 7e6, named(left, {-7e6: "served - Q in place of Q - served"})


@pytest.mark.eq(5)
def test_lindley_equals_a_loop_over_slots(rng):
    """Between arrivals max(Q - sum of services, 0) is the slot-by-slot recursion."""
    served_bits = rng.uniform(0, 3, (50, 40))  # 50 queues, 40 slots
    start_bits = rng.uniform(0, 100, 50)
    for length in (0, 1, 7, 40):
        by_slot = start_bits.copy()
        for t in range(length):
            for queue in range(50):
                left = by_slot[queue] - served_bits[queue, t]
                by_slot[queue] = left if left > 0 else 0.0
        at_once = delay.drain_backlog(start_bits, served_bits[:, :length].sum(axis=1))
        np.testing.assert_allclose(at_once, by_slot, atol=1e-9)
    assert (at_once == 0).any() and (at_once > 0).any()  # both branches were taken
