"""How a process of a testbed ends, or cannot begin: one line each."""

import errno
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from edgediff.run.signals import StopSignals
from experiments.testbed.processes import PartEnded, Parts, run_testbed


def test_an_error_of_the_system_without_a_file_is_one_line(capsys):
    def main(argv):
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    assert run_testbed("testbed", main, []) == 1
    assert capsys.readouterr().err == "testbed: system: [Errno 11] Resource temporarily unavailable\n"


def test_a_process_that_could_not_even_write_why_it_ended(monkeypatch, tmp_path):
    parts = Parts(tmp_path, StopSignals())
    (tmp_path / "users.err").touch()
    parts.parts["users"] = subprocess.Popen([sys.executable, "-c", "import sys; sys.exit(1)"])
    parts.parts["users"].wait()
    with pytest.raises(PartEnded, match=r"users: ended before its time \(it has said nothing\)"):
        parts.wait_end("users", 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(PartEnded, match="it has said nothing; no space is left in"):
        parts.wait_end("users", 1)
