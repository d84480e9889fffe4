"""A grid on a Dask cluster: a real scheduler and workers, in processes of their own, on the loopback device."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pytest
from jobs_alive import processes_until

from edgediff.run.process import run_program
from experiments import ROOT
from experiments.grid import __main__ as runner
from experiments.grid.grids import GRIDS

pytest.importorskip("distributed", reason="needs the extra `cluster`")
pytestmark = pytest.mark.slow
LEFT = "round_robin__level_2-0", "sac-0"  # jobs that are not done yet


@pytest.fixture
def left(write_result, tmp_path):
    """Return a folder of results of `smoke` in which two are missing."""
    for name, job in GRIDS["smoke"].jobs().items():
        if name not in LEFT:
            write_result(tmp_path / f"results/smoke/{name}.csv", job)
    return tmp_path / "results"


@pytest.fixture
def start():
    """Start programs of Dask; all are ended at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    started = []

    def _start(what):
        port = address.rpartition(":")[2]
        flags = (
            [address, "--nthreads", "1", "--no-nanny"] if what == "worker" else ["--host", "127.0.0.1", "--port", port]
        )
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *flags, "--no-dashboard"]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        while what == "scheduler" and not answers(int(port)):
            assert started[-1].poll() is None
            time.sleep(0.1)
        return started[-1]

    _start.address = address
    yield _start
    for process in started:
        process.kill()
        process.wait()


def answers(port):
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def meanwhile(do):
    """Do something in a thread as soon as a job runs."""
    thread = threading.Thread(target=lambda: (processes_until(bool), do()))
    thread.start()
    return thread


def run(*argv):
    return run_program("experiments.grid", runner.main, ["smoke", *map(str, argv)])


def test_a_worker_is_killed_another_joins_late_and_the_bytes_are_those_of_a_job_by_itself(
    left, start, tmp_path, capsys
):
    start("scheduler")
    first = start("worker")
    thread = meanwhile(lambda: (first.kill(), start("worker"), start("worker")))
    assert run("--cluster", start.address, "--results", left) == 0
    thread.join()
    assert capsys.readouterr().out == f"6 of 6 jobs are in {left / 'smoke'}\n"
    for name in LEFT:
        command = [sys.executable, "-m", "experiments.grid.job", "smoke", name, str(tmp_path / "alone.csv")]
        subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert (left / f"smoke/{name}.csv").read_bytes() == (tmp_path / "alone.csv").read_bytes()


def test_no_job_outlives_a_runner_that_is_killed(left, start):
    start("scheduler"), start("worker")
    command = [sys.executable, "-m", "experiments.grid", "smoke", "--cluster", start.address, "--results", str(left)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        started = processes_until(bool)
        process.kill()
    processes_until(lambda found: not found & started)
    time.sleep(1)
    processes_until(lambda found: not found)


@pytest.mark.usefixtures("signals_heard")
def test_a_signal_ends_the_grid_and_its_jobs(left, start, capsys):
    start("scheduler"), start("worker")
    thread = meanwhile(lambda: os.kill(os.getpid(), signal.SIGINT))
    assert run("--cluster", start.address, "--results", left) == 130
    thread.join()
    assert "missing: " in capsys.readouterr().out
    processes_until(lambda found: not found)


def test_a_scheduler_that_goes_is_one_line(left, start, capsys):
    scheduler = start("scheduler")
    start("worker")
    thread = meanwhile(scheduler.kill)
    assert run("--cluster", start.address, "--results", left) == 1
    thread.join()
    out, err = capsys.readouterr()
    assert err.splitlines()[-1] == "experiments.grid: cluster: the scheduler is gone; the same command goes on"
    assert "failed" not in out and "Error" not in err
    processes_until(lambda found: not found)


def test_local_workers_leave_nothing_behind(left, tmp_path, monkeypatch, capsys):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    assert run("--cluster", "local:2", "--results", left) == 0
    assert capsys.readouterr().out == f"6 of 6 jobs are in {left / 'smoke'}\n"
    assert not os.listdir(tmp_path / "temporary")


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "nowhere.invalid:1", "local:0", "local:two", "ftp://x:1", "x"]
)
def test_an_address_that_is_none_is_one_line_within_10_s(address, left, capsys):
    began_s = time.monotonic()
    assert run("--cluster", address, "--results", left) == 2
    assert time.monotonic() - began_s < 10
    out, err = capsys.readouterr()
    why = "is not local:N, with N workers from 1" if address.startswith("local") else "does not answer ("
    assert out == "" and err.count("\n") == 1 and err.startswith(f"experiments.grid: cluster: {address} {why}"), err


def test_without_dask_the_extra_is_named(left, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert run("--cluster", "local:1", "--results", left) == 2
    assert capsys.readouterr().err == 'experiments.grid: cluster: dask is not installed: pip install -e ".[cluster]"\n'
