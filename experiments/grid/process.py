"""A job in a process of its own. It ends with the process that has started it, however that one ends."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from experiments import ROOT
from experiments.scratch import PREFIX

LOOK_S, END_S = 0.05, 10.0  # between two looks; from SIGTERM to SIGKILL


class JobFailed(Exception):
    """A job gave no result; the message says why, in one line."""


def job_command(grid: str, name: str, output: str) -> list[str]:
    """Return the command that runs a job; to the output `-`, a job writes on its standard output."""
    return [sys.executable, "-m", "experiments.grid.job", grid, name, output]


def result_of(command: list[str], wanted: Callable[[], bool]) -> str:
    """Run the command of a job to its end, with one thread; return what it writes. `JobFailed` says why it has not.

    When `wanted` is no longer true, the process is ended.
    """
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path, PREFIX: f"edgediff-{uuid.uuid4().hex}-"}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        # A session of its own, so that Ctrl-C does not reach it.
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=out, stderr=errors, env=environment, start_new_session=True
        )
        try:
            while process.poll() is None:
                if not wanted():
                    raise JobFailed("stopped")
                time.sleep(LOOK_S)
        finally:
            end(process)
            for left in Path(tempfile.gettempdir()).glob(f"{environment[PREFIX]}*"):  # by a job that was killed
                shutil.rmtree(left, ignore_errors=True)
        if process.returncode:
            raise JobFailed(failure(process.returncode, read(errors)))
        return read(out)


def end(process: subprocess.Popen) -> None:
    """End a process, and wait for its end."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    process.stdin.close()


def read(file) -> str:
    """Return all of a file that another process has written."""
    file.seek(0)
    return file.read().decode(errors="replace")


def failure(status: int, errors: str) -> str:
    """Say why a process has failed: its signal, or its last line."""
    if status < 0:
        return f"killed by signal {-status} ({signal.strsignal(-status)})"
    lines = (line.split("\r")[-1] for line in reversed(errors.split("\n")) if line.strip())
    return next(lines, f"status {status}")


def end_with_parent() -> None:
    """End this process when its standard input ends, as it does when the other end of the pipe is gone."""

    def wait() -> None:
        while os.read(0, 1):  # not sys.stdin, which Python wants for itself when it ends
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(END_S)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
