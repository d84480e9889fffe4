"""Build the network and take it down; the next start finds and removes what a testbed that was killed has left."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgediff.errors import ConfigError, first_line
from edgediff.run.process import SIGNALS, StopSignals
from experiments.testbed.child_processes import raise_if_stopped
from experiments.testbed.plan import Plan

PROGRAMS = "ip", "tc", "sysctl", "nsenter", "unshare"
INSIDE = "EDGEDIFF_TESTBED_INSIDE"  # the process that has entered a user namespace
NETNS, MADE = Path("/run/netns"), "made"
SOCKET, LONGEST = "controller.sock", 107  # of the controller; the most bytes that the path of a Unix socket may have


def enter() -> str:
    """Make sure that this process may make network namespaces; return how, as words for the first line.

    Without the right of root, the program starts itself anew in a user namespace.
    """
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing or not sys.platform.startswith("linux"):
        what = missing[0] if missing else "Linux"
        raise ConfigError(f"system: {what} is missing; the testbed needs Linux, iproute2, procps and util-linux")
    if os.environ.get(INSIDE) == str(os.getpid()):  # not of a parent: `mount` would cover the /run of all
        run(["mount", "-t", "tmpfs", "edgediff", "/run"])  # where `ip netns` keeps its names
        return "in a user namespace"
    configure = "ip", "link", "set", "lo", "up"  # root without CAP_NET_ADMIN may make a network, but not this
    if os.geteuid() == 0 and not _error(["unshare", "-n", *configure]):
        return "as root"
    if error := _error(["unshare", "-Urnm", *configure]):
        words = "neither root nor user namespaces may make a network here"
        raise ConfigError(f"system: {words} ({error}); the system must allow one of them")
    os.environ[INSIDE] = str(os.getpid())  # it stays the same
    os.execvp("unshare", ["unshare", "-Urnm", sys.executable, *sys.orig_argv[1:]])


@contextlib.contextmanager
def reserved(plan: Plan) -> Iterator[Path]:
    """Reserve the name of a plan for this process; yield a folder for its files, which is removed at the end.

    Who holds the lock of the folder has the name. With the file `made` in it, the namespaces of the name are ours.
    """
    folder, taken = _folder(plan), f"name: {plan.name!r} is taken"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.geteuid():
        raise ConfigError(f"{taken}: {folder} belongs to somebody else; give another --name")
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{taken} by a testbed that runs; give another --name") from None
        if not folder.exists() or not os.path.samestat(os.fstat(lock), os.stat(folder)):
            raise ConfigError(f"name: {plan.name!r} was taken until now; start again")  # it has just cleaned up
        if (names := os.listdir(folder)) and MADE not in names:
            raise ConfigError(f"{taken}: no testbed has made {folder}; give another --name")
        try:
            _remove_leftovers(plan, folder)
            (folder / MADE).touch()
            yield folder
        finally:
            if not (_existing(plan) and (folder / MADE).exists()):  # else the next start needs it to remove them
                with contextlib.suppress(OSError):
                    _empty(folder)
                    folder.rmdir()
    finally:
        os.close(lock)


@contextlib.contextmanager
def built(plan: Plan, signals: StopSignals) -> Iterator[None]:
    """Build the network; at the end, take it down. Raises `Stopped` if a signal comes while it is built."""
    try:
        for command in plan.commands():
            run(command)
            raise_if_stopped(signals)
        yield
    finally:
        take_down(plan)


def take_down(plan: Plan) -> None:
    """Remove the namespaces with all that is in them; end the processes in them."""
    for name in _existing(plan):
        for pid in map(int, _done(["ip", "netns", "pids", name]).stdout.split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run(["ip", "netns", "delete", name])


def run(command: list[str]) -> None:
    """Run a command; `ConfigError` with its first line if it fails."""
    if error := _error(command):
        raise ConfigError(f"system: {' '.join(command)} has failed ({error})")


def _error(command: list[str]) -> str:
    done = _done(command)
    return first_line(Exception(done.stderr or "it says nothing")) if done.returncode else ""


def _done(command: list[str]) -> subprocess.CompletedProcess:
    """Run a command to its end: no Ctrl-C ends it from its first moment on, and the testbed stops after it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [getattr(signal, name) for name in SIGNALS])  # it inherits this
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _remove_leftovers(plan: Plan, folder: Path) -> None:
    """Remove what a testbed of this name that was killed has left."""
    for name in _existing(plan):
        if not (folder / MADE).exists():
            words = f"a network namespace {name} exists, which no testbed with its files in {folder} has made"
            raise ConfigError(f"name: {words}; give another --name, or remove it: ip netns delete {name}")
        if os.path.samefile("/proc/self/ns/net", NETNS / name):
            raise ConfigError(f"name: {name} is to be removed, and this process runs in it; start the testbed outside")
    take_down(plan)
    _empty(folder)


def _existing(plan: Plan) -> list[str]:
    return [name for name in plan.namespaces if (NETNS / name).exists()]


def _empty(folder: Path) -> None:
    """Remove all files of a testbed; the last is the one that says that they are its own."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name == MADE):
        path.unlink()


def _folder(plan: Plan) -> Path:
    """Return the folder of a plan; `ConfigError` if there is no place for it."""
    try:
        folder = Path(tempfile.gettempdir()) / f"{plan.name}-testbed"
    except FileNotFoundError as error:
        raise ConfigError(f"TMPDIR: {error.strerror}; set it to a folder that can be written to") from None
    if len(os.fsencode(folder / SOCKET)) > LONGEST:
        raise ConfigError(f"TMPDIR: {folder} is too long for the path of a Unix socket; set a shorter one")
    return folder
