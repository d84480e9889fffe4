"""The folder of a run: created once, used by one process at a time, never written over.

It holds `lock` with the identity of the run, its two newest checkpoints `checkpoint-NNNNNN.pt`, `last.pt`, `best.pt`,
`config.json`, `train.csv`, `evaluation.csv` and `tensorboard/`.
"""

import contextlib
import os
import platform
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import IO

import torch

from edgediff import __version__
from edgediff.errors import ConfigError, DamagedFile, first_line
from edgediff.run import files
from edgediff.run.atomic import UNFINISHED

KIND = "checkpoint of edgediff"
_CHECKPOINT = re.compile(r"checkpoint-([0-9]{6,12})\.pt")


@dataclass
class Progress:
    """How far a run has come: counts up to the last finished epoch, its tables, its best weights."""

    epoch: int = 0
    transitions: int = 0
    gradient_steps: int = 0
    best: dict = field(default_factory=lambda: {"reward": float("-inf"), "epoch": 0, "weights": {}})
    tables: dict[str, str] = field(default_factory=dict)  # the texts of train.csv and evaluation.csv
    extended: list[str] = field(default_factory=list)  # what was changed on resume, in words

    def finish_epoch(self, transitions: int, gradient_steps: int) -> None:
        """Count an epoch and what it spent."""
        self.epoch += 1
        self.transitions += transitions
        self.gradient_steps += gradient_steps


@dataclass
class RunFolder(contextlib.AbstractContextManager):
    """The locked folder of a run; a context manager that unlocks it, and removes it if nothing was saved in it.

    The folders above it that were made for it go with it.
    """

    path: Path
    identity: str
    lock: IO[str]
    above: tuple[Path, ...] = ()  # the folders that were made for it, the innermost first

    def __exit__(self, *_) -> None:
        _remove_unused(self.path, self.above)
        self.lock.close()

    def save(self, content: dict) -> None:
        """Write the next checkpoint, and remove all but the two newest."""
        if not self.path.is_dir():
            raise ConfigError(f"run: {self.path} is gone, and what the run has learned with it; start a new run")
        self._keep_lock()
        before = checkpoints(self.path)
        number = _number(before[-1]) + 1 if before else 1
        files.write(self.path / f"checkpoint-{number:06d}.pt", KIND, content)
        for old in before[:-1]:
            old.unlink(missing_ok=True)

    def _keep_lock(self) -> None:
        """Take the lock once more if somebody has removed it; `ConfigError` if another process has one there now."""
        try:
            same = os.path.samestat(os.stat(self.path / "lock"), os.fstat(self.lock.fileno()))
        except FileNotFoundError:
            self.lock.close()
            self.lock, same = _locked(self.path, self.identity), True
        if not same:
            raise ConfigError(f"run: {self.path} has the lock of another process; nothing more is written there")


def create(path: Path, unique: bool) -> RunFolder:
    """Make and lock the folder of a new run.

    A folder that exists is refused; if `unique`, a number is appended to its name instead.
    """
    above = tuple(folder for folder in path.parents if not os.path.lexists(folder))
    for number in count(2):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir()
            break
        except (OSError, ValueError) as error:
            if not isinstance(error, FileExistsError) or not os.path.isdir(path.parent):
                _remove_unused(path, above)
                raise ConfigError(f"run: {path} cannot be created ({first_line(error)})") from None
            if not unique:
                raise ConfigError(f"run: {path} exists and is left as it is; name a new folder") from None
            path = path.with_name(f"{path.name.split('--')[0]}--{number}")
    identity = uuid.uuid4().hex
    try:
        return RunFolder(path, identity, _locked(path, identity), above)
    except ConfigError:
        _remove_unused(path, above)
        raise


def reopen(path: Path) -> tuple[RunFolder, dict]:
    """Lock the folder of a run that goes on; return it and the newest checkpoint.

    `ConfigError` says what to do if there is none, if it is unusable, or if it is of another run than the folder.
    """
    if not checkpoints(path):
        raise ConfigError(f"resume: {path} holds no checkpoint-*.pt to go on from; start a new run")
    with contextlib.ExitStack() as on_error:
        known = os.path.lexists(path / "lock")
        lock = on_error.enter_context(_locked(path))
        if not known:
            on_error.callback((path / "lock").unlink, missing_ok=True)
        newest, *older = reversed(checkpoints(path))
        try:
            saved = files.read(newest, KIND)
        except DamagedFile as error:
            advice = f"move it away to go on from {older[0].name}" if older else "start a new run"
            raise ConfigError(f"{error}; {advice}") from None
        written = identity = lock.read(100)
        if not written and older:  # made anew after a user removed it: the checkpoint before tells whose folder it is
            with contextlib.suppress(DamagedFile):
                identity = files.read(older[0], KIND)["identity"]
        if identity not in ("", saved["identity"]):
            raise ConfigError(f"resume: {newest} is of another run than the folder; move it away")
        if not written:
            os.write(lock.fileno(), saved["identity"].encode())
        on_error.pop_all()
    return RunFolder(path, saved["identity"], lock), saved


def checkpoints(path: Path) -> list[Path]:
    """Return the checkpoints in a run folder, the oldest first; `ConfigError` if it is no folder."""
    try:
        found = [entry for entry in path.iterdir() if _CHECKPOINT.fullmatch(entry.name)]
    except (OSError, ValueError) as error:
        raise ConfigError(f"resume: {path} is no folder of a run ({first_line(error)})") from None
    return sorted(found, key=_number)


def _number(checkpoint: Path) -> int:
    return int(checkpoint.stem.partition("-")[2])


def _remove_unused(folder: Path, above: Iterable[Path]) -> None:
    with contextlib.suppress(OSError, ConfigError):
        if checkpoints(folder):
            return
        for path in (folder / "lock", *folder.glob(f".checkpoint-*{UNFINISHED}")):
            path.unlink(missing_ok=True)
        folder.rmdir()  # refused if there is anything else in it
    with contextlib.suppress(OSError, ValueError):
        for empty in above:
            empty.rmdir()


def _locked(folder: Path, identity: str = "") -> IO[str]:
    """Return the open lock file of a run folder, `identity` appended; the lock ends when it is closed."""
    try:
        import fcntl  # not on every system: here, so that `--help` and scores work everywhere
    except ImportError:
        raise ConfigError("run: training needs Linux or macOS, where a folder can be locked") from None
    path = folder / "lock"
    with contextlib.ExitStack() as on_error:
        try:
            if os.path.lexists(path) and not path.is_file():
                raise OSError("lock is not a regular file")
            lock = on_error.enter_context(path.open("a+", errors="replace"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(lock.fileno(), identity.encode())
        except BlockingIOError:
            raise ConfigError(f"run: {folder} is in use by another process; wait for it, or stop it") from None
        except OSError as error:
            raise ConfigError(f"run: {folder} cannot be written or locked ({first_line(error)})") from None
        lock.seek(0)
        on_error.pop_all()
    return lock


def versions() -> dict[str, str]:
    """Return the versions that the bits of a run depend on."""
    others = {name: version(name) for name in ("torch", "numpy")}
    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_initialized() else {}
    return {"edgediff": __version__, **others, "python": platform.python_version(), **gpu}
