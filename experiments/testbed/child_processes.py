"""The processes of a testbed: each dies with its parent, and is watched while it lives."""

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from edgediff.errors import first_line
from edgediff.run.process import StopSignals, run_program
from experiments.testbed.steady_timer import longest_stall_s

PR_SET_PDEATHSIG = 1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LOOK_S, READY_S, END_S = 0.05, 60.0, 2.0  # between two looks; to get ready; to end after SIGTERM
_libc = ctypes.CDLL(None)


class ProcessEnded(RuntimeError):
    """A process of the testbed has ended before its time."""


class Stopped(RuntimeError):
    """A signal has come; the only argument is its number."""


def raise_if_stopped(signals: StopSignals) -> None:
    """Raise `Stopped` if a signal has come."""
    if signals.number:
        raise Stopped(signals.number)


def run_testbed(program: str, main: Callable[[list[str]], int], argv: list[str] | None = None) -> int:
    """Run a program's main as `run_program` does; also a process that ends, or a signal, is one line and a status."""

    def watched(given: list[str]) -> int:
        try:
            return main(given)
        except ProcessEnded as error:
            status, text = 1, str(error)
        except Stopped as stop:
            status, text = 128 + stop.args[0], "stopped by a signal; the network is taken down"
        except OSError as error:
            if error.filename:
                raise
            status, text = 1, f"system: {first_line(error)}"  # no process, no memory, no space
        print(f"{program}: {text}", file=sys.stderr)
        return status

    return run_program(program, watched, argv)


class Processes:
    """A context manager: the processes that run beside this one. At the end, all are ended."""

    def __init__(self, folder: Path, signals: StopSignals):
        self.folder, self.signals = folder, signals
        self.running: dict[str, subprocess.Popen] = {}
        self.ticks: dict[str, int] = {}  # files in memory: the timer never waits for a disk

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for file in self.ticks.values():
            os.close(file)

    def start(self, name: str, namespace: str, module: str, *argv: str) -> subprocess.Popen:
        """Start a Python module in a network namespace; what it prints goes to files."""
        self.ticks[name] = ticks = os.memfd_create(name)
        timer = "-m", "experiments.testbed.steady_timer", str(ticks)
        command = ["nsenter", f"--net=/run/netns/{namespace}", "--", sys.executable, *timer, module, *argv]
        with self._file(name, "out").open("w") as out, self._file(name, "err").open("w") as err:
            self.running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, preexec_fn=_prepare, pass_fds=(ticks,),
                start_new_session=True,  # Ctrl-C comes to the testbed only, which ends the others
            )  # fmt: skip
        return self.running[name]

    def wait_ready(self, name: str) -> None:
        """Wait until a process says that it listens."""
        self._wait(lambda: "listening" in self._file(name, "out").read_text(), READY_S, f"{name}: not ready in time")

    def wait_end(self, name: str, limit_s: float) -> str:
        """Wait until a process has ended well; return what it has printed. All others must live as long."""
        self._wait(lambda: self.running[name].poll() == 0, limit_s, f"{name}: not done in time")
        return self._file(name, "out").read_text()

    def longest_stall_s(self, name: str, start_s: float, end_s: float) -> float:
        """Return how long a process has stood still at most between two moments."""
        file = self.ticks[name]
        return longest_stall_s(os.pread(file, os.fstat(file).st_size, 0), start_s, end_s)

    def _wait(self, done: Callable[[], bool], limit_s: float, late: str) -> None:
        limit_s += time.monotonic()
        while not done():
            self._look()
            if time.monotonic() > limit_s:
                raise ProcessEnded(late)

    def _look(self) -> None:
        """Raise an exception if a signal has come, or a process has ended; first name one that was killed."""
        time.sleep(LOOK_S)
        raise_if_stopped(self.signals)
        ended = {name: status for name, process in self.running.items() if (status := process.poll())}
        for name, status in sorted(ended.items(), key=lambda item: item[1]):
            said = self._file(name, "err").read_text().strip().splitlines() or [self._silence()]
            how = f"killed by {signal.Signals(-status).name}" if status < 0 else first_line(Exception(said[-1]))
            raise ProcessEnded(f"{name}: ended before its time ({how})")

    def _silence(self) -> str:
        full = shutil.disk_usage(self.folder).free < 4096
        return f"it has said nothing; no space is left in {self.folder}" if full else "it has said nothing"

    def _file(self, name: str, kind: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.{kind}"


def cpu_seconds(pid: int) -> float:
    """Return the time that a process has computed, also in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _prepare() -> None:
    """Have the kernel kill this process when its parent is gone, however that ends, and run it before all others.

    What is measured are milliseconds. Without the right to a real-time priority, other programs show in them.
    """
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each connection is a file
