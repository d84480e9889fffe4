"""The books of the testbed: what is held, and what was accepted and has not left."""

import numpy as np
import pytest

from experiments.testbed.ledger import Ledger


@pytest.fixture
def ledger():
    return Ledger(gateways=2, server_tflops=100.0)


def test_a_grant_is_held_from_beginning_to_arrival_and_compute_to_the_answer(ledger):
    total_bps = np.array([10e6, 20e6])
    ledger.begin(1, 1e6, 5e6, 30.0)
    assert ledger.available_bps(total_bps).tolist() == [10e6, 15e6] and ledger.available_tflops() == 70.0
    ledger.arrived(1, 1e6, 5e6)
    assert ledger.available_bps(total_bps).tolist() == [10e6, 20e6] and ledger.available_tflops() == 70.0
    ledger.answered(30.0)
    assert ledger.available_tflops() == 100.0


def test_background_traffic_can_leave_less_than_is_granted(ledger):
    ledger.begin(0, 1e6, 8e6, 1.0)
    assert ledger.available_bps(np.array([3e6, 3e6])).tolist() == [0.0, 3e6]


def test_what_is_free_is_free_to_the_last_bit(ledger):
    for rate_bps in (0.1, 0.2, 0.3):
        ledger.begin(0, 1.0, rate_bps, rate_bps)
    for rate_bps in (0.3, 0.1, 0.2):
        ledger.arrived(0, 1.0, rate_bps)
        ledger.answered(rate_bps)
    assert ledger.held_bps[0] == 0.0 and ledger.held_tflops == 0.0


def test_unsent_is_what_was_accepted_less_what_the_kernel_has_counted(ledger):
    ledger.unsent_bits(np.array([700.0, 0.0]))  # counted before the first flow: warm-up
    ledger.begin(0, 1000.0, 1.0, 1.0)
    ledger.begin(0, 500.0, 1.0, 1.0)
    assert ledger.unsent_bits(np.array([700.0, 0.0])).tolist() == [1500.0, 0.0]
    assert ledger.unsent_bits(np.array([1100.0, 0.0])).tolist() == [1100.0, 0.0]


def test_unsent_is_never_more_than_the_flows_on_the_way_have(ledger):
    ledger.unsent_bits(np.zeros(2))
    ledger.begin(0, 1000.0, 1.0, 1.0)
    ledger.begin(0, 500.0, 1.0, 1.0)
    ledger.arrived(0, 1000.0, 1.0)
    assert ledger.unsent_bits(np.array([100.0, 0.0])).tolist() == [500.0, 0.0]


def test_what_was_sent_twice_is_forgotten_when_the_link_is_idle(ledger):
    ledger.unsent_bits(np.zeros(2))
    ledger.begin(0, 1000.0, 1.0, 1.0)
    ledger.arrived(0, 1000.0, 1.0)
    assert ledger.unsent_bits(np.array([1300.0, 0.0])).tolist() == [0.0, 0.0]  # 300 were sent twice
    ledger.begin(0, 1000.0, 1.0, 1.0)
    assert ledger.unsent_bits(np.array([1500.0, 0.0])).tolist() == [800.0, 0.0]
