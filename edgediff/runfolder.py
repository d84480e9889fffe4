"""The folder of a run: made once, never overwritten, used by one process at a time, read back with care."""

import fcntl
import json
import os
import re
from pathlib import Path

from edgediff import storage
from edgediff.checkpoint import check_state
from edgediff.config import LearnerConfig, WorldConfig, as_dict
from edgediff.errors import ConfigError, DamagedFile
from edgediff.weights import with_configurations

KIND = "run of edgediff"
GENERATIONS = 2
_NAME = re.compile(r"state-(\d{6,})\.pt")


def create(run: Path) -> None:
    """Make the folder of a run, which must not exist yet: nothing is ever overwritten."""
    try:
        run.parent.mkdir(parents=True, exist_ok=True)
        run.mkdir()
        storage.sync_folder(run.parent)
    except OSError as error:
        if (run / "lock").is_file() and not generations(run):
            return  # a run that was killed before it had saved anything
        if os.path.lexists(run):
            raise ConfigError(f"run: {run} exists and is left as it is; name a folder that does not exist") from None
        raise ConfigError(f"run: {run} cannot be created ({error.strerror})") from None


def write_settings(run: Path, world: WorldConfig, config: LearnerConfig, extended: list[str]) -> None:
    """Note the settings for a reader; the program itself goes by those in the states."""
    beside = run / "config.json.tmp"
    beside.write_text(json.dumps(as_dict(world, config) | {"extended": extended}, indent=2))
    os.replace(beside, run / "config.json")


def lock(run: Path):
    """Take a run folder for this process; return the open lock, which dies with the process, however that ends."""
    try:
        handle = (run / "lock").open("a")
    except OSError as error:
        raise ConfigError(f"run: {run} cannot be written to ({error.strerror})") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        busy = isinstance(error, BlockingIOError)
        reason = "is in use by another process; wait for it, or stop it" if busy else f"cannot be locked ({error})"
        raise ConfigError(f"run: {run} {reason}") from None
    return handle


def generations(run: Path) -> list[Path]:
    """Return the states that a run folder holds, oldest first; `ConfigError` if it is no folder."""
    try:
        names = sorted((int(match[1]), path) for path in run.iterdir() if (match := _NAME.fullmatch(path.name)))
    except OSError as error:
        raise ConfigError(f"resume: {run} is no folder of a run ({error.strerror})") from None
    return [path for _, path in names]


def remove_leftovers(run: Path) -> None:
    """Remove what a killed process was in the middle of writing; the lock must be held."""
    for path in run.glob("*.tmp"):
        path.unlink()


def save_state(run: Path, state: dict) -> None:
    """Write the next generation and remove those that are two older."""
    before = generations(run)
    number = int(_NAME.fullmatch(before[-1].name)[1]) + 1 if before else 1
    storage.write(run / f"state-{number:06d}.pt", KIND, state)
    for old in before[: len(before) + 1 - GENERATIONS]:
        old.unlink(missing_ok=True)


def require_state(run: Path) -> list[Path]:
    """Return the states of a run; `ConfigError` if there is none to go on from."""
    if not (paths := generations(run)):
        raise ConfigError(f"resume: {run} holds no state-*.pt to go on from; start a new run")
    return paths


def newest_state(run: Path) -> dict:
    """Read the newest state of a run, configurations checked; `ConfigError` says what to do if it is of no use."""
    paths = require_state(run)
    try:
        return check_state(with_configurations(storage.read(paths[-1], KIND), paths[-1]), paths[-1])
    except DamagedFile as error:
        advice = f"move it away to go on from {paths[-2].name}" if len(paths) > 1 else "start a new run"
        raise ConfigError(f"{str(error).replace('run:', 'resume:', 1)}; {advice}") from None
    except ConfigError as error:
        raise ConfigError(str(error).replace("run:", "resume:", 1)) from None
