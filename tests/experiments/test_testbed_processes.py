"""How a process of a testbed ends, or cannot begin: one line each."""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from edgediff.run.process import StopSignals
from experiments.testbed import episode, network
from experiments.testbed.plan import Plan
from experiments.testbed.processes import PartEnded, Parts, Stopped, run_testbed


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


def test_a_signal_that_comes_while_the_network_is_taken_down_is_not_lost(monkeypatch, signals_heard, tmp_path):
    @contextlib.contextmanager
    def built(*_):
        yield
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(network, "built", built)
    monkeypatch.setattr(network, "reserved", lambda _: contextlib.nullcontext(tmp_path))
    ended = False
    with pytest.raises(Stopped), episode.testbed(Plan("x", [1e6])):
        ended = True
    assert ended
