"""The testbed when it is disturbed, on the real kernel: it says what has stood still or ended, and leaves nothing."""

import os
import shutil
import signal
import time

import pytest
from bed import NO_NUMBERS, gone, needs_network, possible

pytestmark = needs_network()


def test_a_tc_that_is_killed_is_named(bed):
    process = bed.start("--num-slots", "3000")
    os.kill(bed.playing()["tc"], signal.SIGKILL)
    why = "tc, which sets the rates of the links, has ended with status -9"
    assert process.communicate(timeout=30)[1] == f"testbed: users: ended before its time ({why})\n"
    assert process.returncode == 1


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


@pytest.mark.skipif(
    not shutil.which("setpriv") or os.geteuid() != 0 or not possible("-Urnm"),
    reason="needs root, setpriv and user namespaces",
)
def test_root_that_may_not_configure_a_network_uses_a_user_namespace(bed):
    process = bed.start("--num-slots", "50", before=("setpriv", "--bounding-set=-net_admin"))
    out, err = process.communicate(timeout=60)
    assert out.splitlines()[0].endswith("-server, in a user namespace"), err
    assert process.returncode == 0 or err.startswith(NO_NUMBERS), err
