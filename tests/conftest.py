import os
import shutil
import signal

import numpy as np
import pytest
import torch
from tiny import TINY, contents

from edgediff import train
from edgediff.run.checkpoint import Checkpointer
from edgediff.run.process import run_program
from experiments.page.index import keywords

torch.set_num_threads(1)


@pytest.hookimpl(tryfirst=True)  # before `-k` and `-m` select
def pytest_collection_modifyitems(items):
    """Let `pytest -k eq21` and `pytest -k line16` select the tests that are marked so; a drill is slow, too."""
    for item in items:
        if item.get_closest_marker("drill"):
            item.add_marker("slow")
        numbers = ({n for mark in item.iter_markers(name) for n in mark.args} for name in ("eq", "line"))
        item.extra_keyword_matches.update(keywords(*numbers))


def pytest_collection_finish(session):
    """Load what torch loads with the first optimiser, which would count for the first test that builds one."""
    if not session.config.getoption("mine"):
        torch.optim.AdamW([torch.zeros(1)])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail a test that takes over a second of CPU, its processes included, and is not marked `slow`."""
    before = os.times()[:4]
    result = yield
    used_s = sum(os.times()[:4]) - sum(before)
    if used_s > 1 and not item.get_closest_marker("slow") and not item.config.getoption("mine"):
        pytest.fail(f"{used_s:.1f} s of CPU: mark it `slow`", pytrace=False)
    return result


@pytest.fixture(autouse=True)
def denormal_numbers():
    """Take back what a test that starts a run in this process leaves behind: very small numbers count as zero."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture
def signals_heard():
    """Hear SIGINT and SIGHUP in this process and its children, also if `nohup` or a script's `&` had both ignored."""
    heard = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in heard.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(7)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run one of the programs in an empty folder; return status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def _call(program, *argv):
        capsys.readouterr()
        status = run_program(program.__name__, program.main, [*map(str, argv)])
        return status, *capsys.readouterr()

    return _call


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Make one finished run for all tests to copy."""
    run = tmp_path_factory.mktemp("once") / "a"
    assert run_program("edgediff.train", train.main, ["--run", str(run), *TINY]) == 0
    return run


@pytest.fixture
def finished(once, tmp_path):
    """Return the folder a of a finished run."""
    return shutil.copytree(once, tmp_path / "a")


@pytest.fixture
def refused(call, tmp_path):
    """Assert that the program ends with status 2 and one line that holds a text, and changes nothing."""

    def _refused(program, message, *argv):
        before = sorted(tmp_path.rglob("*")), contents(tmp_path)
        status, out, err = call(program, *argv)
        assert status == 2 and out == "" and err.count("\n") == 1, err
        assert err.startswith(f"{program.__name__}: ") and message in err, err
        assert before == (sorted(tmp_path.rglob("*")), contents(tmp_path))

    return _refused


@pytest.fixture
def stop_after(monkeypatch):
    """Let a signal come in the epoch of this number, counted anew at every start; 0: never."""
    right = Checkpointer.after_epoch

    def _stop_after(epochs, number=signal.SIGTERM):
        left = [epochs]

        def after_epoch(self):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), number)
            right(self)

        monkeypatch.setattr(Checkpointer, "after_epoch", after_epoch)

    return _stop_after


class Late(BaseException):
    """Nothing in the program catches it."""


@pytest.fixture
def in_time():
    """Fail after ten seconds instead of waiting for ever."""

    def late(*_):
        raise Late

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
