"""A program that a signal ends leaves no temporary files."""

import re
import signal
import subprocess
import sys
import tempfile

import pytest

from experiments import ROOT
from experiments.grid.process import JobFailed, result_of

CODE = """
import os, sys
from edgediff.run.process import run_program
from experiments.scratch import scratch_folder

def main(argv):
    with scratch_folder(argv[0]) as folder:
        (folder / "x").write_text("x")
        os.kill(os.getpid(), int(argv[1]))
        raise AssertionError("the signal was not heard")

sys.exit(run_program("x", main))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("signals_heard")
@pytest.mark.parametrize("number, status", [(signal.SIGTERM, -15), (signal.SIGHUP, -1), (signal.SIGINT, 130)])
def test_a_scratch_folder_ends_with_its_program(number, status, tmp_path):
    """The program then dies of the signal, or takes Ctrl-C as it would without the folder."""
    command = [sys.executable, "-c", CODE, str(tmp_path), str(int(number))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (status, "x: interrupted\n" if status > 0 else "")
    assert list(tmp_path.iterdir()) == []


def test_the_runner_of_a_grid_removes_what_a_killed_job_has_left(tmp_path, monkeypatch):
    """SIGKILL leaves a process no moment to do it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "theirs").mkdir()
    with pytest.raises(JobFailed, match="killed by signal 9"):
        result_of([sys.executable, "-c", CODE, str(tmp_path), "9"], wanted=lambda: True)
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_no_program_has_a_temporary_folder_of_another_kind():
    """But a job of a grid and its runner, which see to their signals themselves."""
    files = ROOT.glob("experiments/**/*.py")
    users = {
        path.name
        for path in files
        if re.search(r"\b(mkdtemp|mkstemp|TemporaryDirectory|NamedTemporaryFile)\(", path.read_text())
    }
    assert users == {"scratch.py", "job.py", "cluster.py"}
