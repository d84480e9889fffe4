"""A testbed on the real kernel, for tests; they are slow, and skipped where no network namespace can be made."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from experiments import ROOT

PROGRAM = [sys.executable, "-m", "experiments.testbed", "round-robin", "--num-gateways", "2"]
NO_NUMBERS = "testbed: no numbers, since the run was not true to its plan"  # the machine was too busy
CONFIGURE = "ip", "link", "set", "lo", "up"


def possible(*ways: str) -> bool:
    """Tell whether one of the ways to call `unshare` makes a network that can be configured."""
    return all(map(shutil.which, ("ip", "tc", "sysctl", "nsenter", "unshare"))) and any(
        subprocess.run(["unshare", way, *CONFIGURE], capture_output=True, check=False).returncode == 0 for way in ways
    )


def needs_network() -> list[pytest.MarkDecorator]:
    """Return the marks of a module."""
    ways = ["-n"] * (os.geteuid() == 0) + ["-Urnm"] if sys.platform.startswith("linux") else []
    return [pytest.mark.slow, pytest.mark.skipif(not possible(*ways), reason="needs network namespaces")]


class Bed:
    """A testbed of a name: starts it, and looks for what it leaves."""

    def __init__(self, name: str):
        self.name, self.folder, self.started = name, Path(tempfile.gettempdir()) / f"{name}-testbed", []

    def start(self, *flags: object, before: tuple[str, ...] = ()) -> subprocess.Popen:
        """Start it in a session of its own, so that Ctrl-C of its terminal can be played."""
        command = [*before, *PROGRAM, "--name", self.name, *map(str, flags)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
        self.started.append(subprocess.Popen(command, start_new_session=True, **pipes))
        return self.started[-1]

    def wait_for(self, found):
        """Wait until `found()` is true, and return it."""
        limit_s = time.monotonic() + 90
        while not (value := found()):
            assert self.started[-1].poll() is None and time.monotonic() < limit_s, "it never came so far"
            time.sleep(0.02)
        return value

    def playing(self) -> dict[str, int]:
        """Wait until flows are on their way, 0.5 s or more after the first; return the numbers of the processes."""
        users = self.wait_for(lambda: children(self.started[-1].pid, "-f", "testbed.users"))
        (tc,) = self.wait_for(lambda: children(users[0], "-x", "tc"))  # started just before the first connection
        time.sleep(1.0)
        return json.loads((self.folder / "job.json").read_text())["processes"] | {"users": users[0], "tc": tc}

    def namespaces(self) -> list[str]:
        """Return the namespaces of the name that the system knows."""
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
        return [line for line in listed.splitlines() if line.startswith(self.name)]


def children(pid: int, *wanted: str) -> list[int]:
    """Return the processes that a process has started, those that `pgrep` selects."""
    found = subprocess.run(["pgrep", "-P", str(pid), *wanted], capture_output=True, text=True, check=False).stdout
    return [*map(int, found.split())]


def gone(pid: int) -> bool:
    """Tell whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
