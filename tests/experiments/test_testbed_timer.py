"""The steady timer beside a process: what was missed is told, in seconds."""

import os
import signal
import subprocess
import sys
import time

import pytest

from experiments import ROOT
from experiments.testbed.child_processes import Processes
from experiments.testbed.steady_timer import STAMP, TICK_S, longest_stall_s

SLEEPER = "import sys, time\nprint(__name__, sys.argv[1:], flush=True)\ntime.sleep(10)\n"


@pytest.mark.parametrize(
    "ticks_s, longest_s",
    [
        ([10.00, 10.01, 10.25, 10.26, 10.30], 0.23),  # a tick every 10 ms, but one that is 230 ms late
        ([9.99, 10.09, 10.19, 10.29], 0.09),  # begun before the first moment
        ([10.00, 10.01, 10.02], 0.27),  # the timer has ended, or still stands
        ([9.0, 9.9, 10.5], 0.29),  # no tick at all
        ([10.0 + TICK_S * k for k in range(31)], 0.0),
    ],
)
def test_the_latest_tick_between_two_moments(ticks_s, longest_s):
    ticks = b"".join(map(STAMP.pack, ticks_s))
    assert longest_stall_s(ticks, 10.0, 10.3) == pytest.approx(longest_s, abs=1e-9)


@pytest.mark.skipif(os.name != "posix", reason="SIGSTOP is of POSIX")
def test_a_process_that_is_stopped_misses_ticks_and_its_module_runs_as_if_alone(tmp_path):
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    command = [sys.executable, "-m", "experiments.testbed.steady_timer"]
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    with (tmp_path / "ticks").open("wb") as file:
        argv = [*command, str(file.fileno()), "sleeper", "a", "-b"]
        process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, pass_fds=(file.fileno(),))
    with process:
        assert process.stdout.readline() == b"__main__ ['a', '-b']\n"
        began_s = time.monotonic()
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.05)
        ended_s = time.monotonic()
        process.kill()
    stall_s = longest_stall_s((tmp_path / "ticks").read_bytes(), began_s, ended_s)
    assert 0.2 - 2 * TICK_S < stall_s < ended_s - began_s


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="a file in memory is of Linux")
def test_every_process_of_a_testbed_has_a_timer_whose_ticks_can_be_read_while_it_runs(tmp_path, monkeypatch):
    (tmp_path / "nsenter").write_text('#!/bin/sh\nshift 2\nexec "$@"\n')  # without a network
    (tmp_path / "nsenter").chmod(0o755)
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(ROOT))))
    with Processes(tmp_path, None) as processes:
        processes.start("edge server", "x", "sleeper")
        while not (tmp_path / "edge-server.out").read_text():
            time.sleep(0.01)
        began_s = time.monotonic()
        time.sleep(0.3)
        assert processes.longest_stall_s("edge server", began_s, time.monotonic()) < 0.25
        assert processes.longest_stall_s("edge server", began_s, began_s + 1) > 0.5
    assert processes.running["edge server"].returncode == -signal.SIGTERM
