"""The benchmark of long request logs: the log that it makes up, and what it prints."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from tiny import wait_for

from edgediff.world import log_rows
from edgediff.world.log import load_log
from experiments import ROOT
from experiments.timing import request_log


def test_the_log_has_the_format_of_azure_and_the_length_of_a_week_and_is_read_quickly(tmp_path, monkeypatch):
    """Otherwise the times would say nothing about the real one."""
    monkeypatch.setattr(request_log, "PART", 50)  # as short a share of a week as with 27 million requests
    monkeypatch.setattr(log_rows, "read_exactly", lambda *_: pytest.fail("read line by line"))
    request_log.write_log(tmp_path / "week.csv", 20_000)
    log = load_log(str(tmp_path / "week.csv"))
    assert log.source == "Azure" and (log.time_s.size, log.failed) == (20_000, 0)
    assert log.time_s[-1] / 86400 == pytest.approx(7, abs=0.5)
    by_hour = np.histogram(log.time_s % 86400, 24, (0, 86400))[0]
    assert by_hour.max() > 2 * by_hour.min()


def test_every_step_is_timed(call):
    status, out, err = call(request_log, "--rows", "1000")
    assert (status, err) == (0, "")
    first, *steps = out.splitlines()
    assert first.startswith("1,000 requests, ") and [line for line in steps if line.startswith("log (Azure): 1,000 ")]
    for label in ("read", "means", "largest episode", "description", "one episode"):
        assert [line for line in steps if line.startswith(f"{label:<16} ") and line.endswith(" GB")], label


@pytest.mark.parametrize("rows", ["999", "1e6", "-5"])
def test_a_bad_number_of_rows_is_refused(refused, rows):
    refused(request_log, f"rows: '{rows}' is not a whole number from 1000 to 1000000000", f"--rows={rows}")


@pytest.mark.slow
def test_a_signal_leaves_no_log(tmp_path):
    command = [sys.executable, "-m", "experiments.timing.request_log"]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}) as process:
        wait_for(lambda: list(tmp_path.rglob("week.csv")))
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM and list(tmp_path.iterdir()) == []
