"""The testbed when it is disturbed, on the real kernel: it says what has stood still or ended, and leaves nothing."""

import os
import re
import shutil
import signal
import time

import pytest
from bed import NO_NUMBERS, gone, needs_network, possible

pytestmark = needs_network()
PARTS = "users", "edge server", "controller"


@pytest.mark.parametrize("stop_s", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_has_stood_still_is_named_and_there_are_no_numbers(bed, part, stop_s):
    process = bed.start("--num-slots", "400")
    pid, stopped_s = bed.playing()[part], time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    time.sleep(stop_s)
    os.kill(pid, signal.SIGCONT)
    most_ms = 1e3 * (time.monotonic() - stopped_s)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and err.startswith(NO_NUMBERS) and "in the kernel" not in out, err
    (still_ms,) = re.findall(rf"[:;] {part}: stood still for (\S+) ms, allowed are 30 ms", err)
    assert 1e3 * stop_s - 11 < float(still_ms) < most_ms + 20  # a tick comes every 10 ms
    assert f"{part} {still_ms} ms" in out


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
