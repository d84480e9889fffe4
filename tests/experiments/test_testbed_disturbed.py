"""The testbed when it is disturbed, on the real kernel: it says what has stood still or ended, and leaves nothing."""

import os
import signal
import time

import pytest
from bed import gone, needs_network

pytestmark = needs_network()


@pytest.mark.parametrize("while_it", ["is built", "plays"])
def test_ctrl_c_twice_leaves_nothing(bed, while_it):
    """As a terminal sends it, to the testbed and all that it has started in its session; the fixture looks."""
    process = bed.start("--num-slots", "3000")
    pids = bed.playing() if while_it == "plays" else {}
    bed.wait_for(bed.namespaces)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.03)
    process.communicate(timeout=30)
    assert all(map(gone, pids.values()))
