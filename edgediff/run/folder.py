"""The folder of a run: created once, used by one process at a time, never written over.

It holds `lock` with the identity of the run, its two newest states `state-NNNNNN.pt`, `last.pt`, `best.pt`,
`config.json`, `train.csv`, `evaluation.csv` and `tensorboard/`.
"""

import fcntl
import os
import re
import uuid
from itertools import count
from pathlib import Path

from edgediff.errors import ConfigError, DamagedFile, first_line
from edgediff.run import files

KIND = "run of edgediff"
_STATE = re.compile(r"state-([0-9]{6,12})\.pt")


def create(run: Path, unique: bool) -> tuple:
    """Make and lock the folder of a new run; return folder, open lock and identity of the run.

    A folder that exists is refused; if `unique`, a number is appended to its name instead.
    """
    for number in count(2):
        try:
            run.parent.mkdir(parents=True, exist_ok=True)
            run.mkdir()
            break
        except (OSError, ValueError) as error:
            if not isinstance(error, FileExistsError) or not os.path.isdir(run.parent):
                raise ConfigError(f"run: {run} cannot be created ({first_line(error)})") from None
            if not unique:
                raise ConfigError(f"run: {run} exists and is left as it is; name a new folder") from None
            run = run.with_name(f"{run.name.split('--')[0]}--{number}")
    handle, identity = lock(run), uuid.uuid4().hex
    handle.write(identity)
    handle.flush()
    return run, handle, identity


def reopen(run: Path) -> tuple:
    """Lock the folder of a run that goes on; return the open lock and the newest state.

    `ConfigError` says what to do if there is none, if it is of no use, or if it is of another run than the folder.
    """
    if not states(run):
        raise ConfigError(f"resume: {run} holds no state-*.pt to go on from; start a new run")
    handle = lock(run)
    newest, *older = reversed(states(run))
    try:
        saved = files.read(newest, KIND)
    except DamagedFile as error:
        advice = f"move it away to go on from {older[0].name}" if older else "start a new run"
        raise ConfigError(f"{error}; {advice}") from None
    if handle.read(100) not in ("", saved["identity"]):  # empty: made anew after a user removed it
        raise ConfigError(f"resume: {newest} is of another run than the folder; move it away")
    return handle, saved


def lock(run: Path):
    """Return the open lock file of a run folder; the lock ends with the process."""
    path = run / "lock"
    try:
        if os.path.lexists(path) and not path.is_file():
            raise OSError("lock is not a regular file")
        handle = path.open("a+", errors="replace")
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(f"run: {run} is in use by another process; wait for it, or stop it") from None
    except OSError as error:
        raise ConfigError(f"run: {run} cannot be locked ({first_line(error)})") from None
    handle.seek(0)
    return handle


def states(run: Path) -> list[Path]:
    """Return the states in a run folder, the oldest first; `ConfigError` if it is no folder."""
    try:
        found = sorted((int(match[1]), path) for path in run.iterdir() if (match := _STATE.fullmatch(path.name)))
    except (OSError, ValueError) as error:
        raise ConfigError(f"resume: {run} is no folder of a run ({first_line(error)})") from None
    return [path for _, path in found]


def save_state(run: Path, state: dict) -> None:
    """Write the next state, and remove all but the two newest."""
    before = states(run)
    number = int(_STATE.fullmatch(before[-1].name)[1]) + 1 if before else 1
    files.write(run / f"state-{number:06d}.pt", KIND, state)
    for old in before[:-1]:
        old.unlink(missing_ok=True)
