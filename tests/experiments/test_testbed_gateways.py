"""What the gateways measure and report, with counters made by hand."""

import numpy as np
import pytest

from experiments.testbed.gateways import Gateways
from experiments.testbed.ledger import Ledger


def gateways(queue):
    """Return two gateways without a kernel under them: 600 bits of a flow are sent, and 100 wait in the fifo."""
    found = object.__new__(Gateways)
    found.total_bps, found.queue, found.slot = np.array([[10e6, 20e6], [1e6, 20e6]]), queue, 0
    found.ledger, found.fifo_bits, found.sent_bits = Ledger(2, 100.0), np.array([100.0, 0.0]), np.zeros(2)
    found.measured()
    found.ledger.begin(0, 1000.0, 4e6, 30.0)
    found.sent_bits = np.array([600.0, 0.0])
    return found


@pytest.mark.parametrize("queue, backlog_bits", [("fifo", [100.0, 0.0]), ("unsent", [400.0, 0.0])])
def test_report_of_both_kinds_of_queue(queue, backlog_bits):
    found = gateways(queue)
    assert found.report(found.measured()) == {
        "available_bps": [6e6, 20e6], "backlog_bits": backlog_bits, "available_tflops": 70.0,
    }  # fmt: skip


def test_measured_is_that_of_the_present_slot():
    found = gateways("fifo")
    found.slot = 1  # background traffic leaves less than is granted
    assert {name: values.tolist() for name, values in found.measured().items()} == {
        "unsent_bits": [400.0, 0.0], "fifo_bits": [100.0, 0.0], "available_bps": [0.0, 20e6],
    }  # fmt: skip
