"""What gateways and edge server report: what is held, what has not left, with counters made by hand."""

import numpy as np
import pytest

from experiments.testbed.gateway_reports import Gateways, Ledger


@pytest.fixture
def ledger():
    ledger = Ledger(gateways=2, server_tflops=100.0)
    ledger.unsent_bits(np.zeros(2))
    return ledger


def test_a_grant_is_held_from_beginning_to_arrival_and_compute_to_the_answer(ledger):
    total_bps = np.array([10e6, 20e6])
    ledger.begin(1, 1e6, 5e6, 30.0)
    assert ledger.available_bps(total_bps).tolist() == [10e6, 15e6] and ledger.available_tflops() == 70.0
    ledger.arrived(1, 1e6, 5e6)
    assert ledger.available_bps(total_bps).tolist() == [10e6, 20e6] and ledger.available_tflops() == 70.0
    ledger.answered(30.0)
    assert ledger.available_tflops() == 100.0


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
    ledger.arrived(0, 1000.0, 1.0)  # never more than the flows on the way have
    assert ledger.unsent_bits(np.array([800.0, 0.0])).tolist() == [500.0, 0.0]


def test_what_was_sent_twice_is_forgotten_when_the_link_is_idle(ledger):
    ledger.begin(0, 1000.0, 1.0, 1.0)
    ledger.arrived(0, 1000.0, 1.0)
    assert ledger.unsent_bits(np.array([1300.0, 0.0])).tolist() == [0.0, 0.0]  # 300 were sent twice
    ledger.begin(0, 1000.0, 1.0, 1.0)
    assert ledger.unsent_bits(np.array([1500.0, 0.0])).tolist() == [800.0, 0.0]


@pytest.mark.parametrize("queue, backlog_bits", [("fifo", [100.0, 0.0]), ("unsent", [400.0, 0.0])])
def test_report_of_both_kinds_of_queue(ledger, queue, backlog_bits):
    """600 bits of a flow of 1000 are sent, and 100 wait in the fifo."""
    gateways = object.__new__(Gateways)  # without a kernel under them
    gateways.total_bps, gateways.queue, gateways.slot = np.array([[10e6, 20e6], [1e6, 20e6]]), queue, 0
    gateways.ledger, gateways.fifo_bits, gateways.sent_bits = ledger, np.array([100.0, 0.0]), np.array([600.0, 0.0])
    ledger.begin(0, 1000.0, 4e6, 30.0)
    wanted = {"available_bps": [6e6, 20e6], "backlog_bits": backlog_bits, "available_tflops": 70.0}
    assert gateways.report(gateways.measured()) == wanted
    gateways.slot = 1  # background traffic leaves less than is granted
    assert gateways.report(gateways.measured()) == wanted | {"available_bps": [0.0, 20e6]}
