"""The folder of a grid's results: a CSV per job, whose last two lines say what made it, with a digest of it all.

A result is valid if every setting it was made with is that of its job today, and every setting that is new since then
has its default in its job. Settings of other agents do not count, and those of learners not for a rule.
"""

import csv
import hashlib
import io
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError, first_line
from edgediff.world.rollout import SCORES
from experiments.grid.grid import Job
from experiments.grid.record import difference

Row = dict[str, object]

TRAINING = ("reward", "completion", "latency_s")  # columns of phase `training`
IDENTITY = ("phase", "variant", "agent", "seed", "traffic", "load")
COLUMNS = (*IDENTITY, "flows", "gradient_steps", *SCORES)
SHARES = tuple(name for name in SCORES if name.startswith(("completion", "dropped")))
MADE, DIGEST = "# made by code ", "# SHA-256 of the lines above: "


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create a folder and hold its lock; `ConfigError` if another runner holds it."""
    try:
        import fcntl  # not on every system: here, so that `--help` works everywhere
    except ImportError:
        raise ConfigError("results: a grid needs Linux or macOS, where a folder can be locked") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"results: {folder} cannot be used ({first_line(error)})") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        why = f"{folder} cannot be locked ({first_line(error)})"  # as on some disks that machines share
        if isinstance(error, BlockingIOError):
            why = f"another runner works in {folder}"
        raise ConfigError(f"results: {why}") from None
    try:
        yield
    finally:
        os.close(lock)


def sealed(rows: list[Row], made_with: dict[str, Any], code: str) -> str:
    """Return the file of a result: its rows, the code and the settings that made them, and the digest of all this."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return with_digest(f"{text.getvalue()}{MADE}{code} with {json.dumps(made_with)}\n")


def with_digest(text: str) -> str:
    """Return a text with a last line that holds the digest of the lines before."""
    return f"{text}{DIGEST}{hashlib.sha256(text.encode()).hexdigest()}\n"


def opened(text: str) -> tuple[str, str, dict[str, Any]]:
    """Return the rows of a result as text, the code and the settings that made them; ValueError if it was changed."""
    above = text.rpartition(DIGEST)[0]
    if not above or with_digest(above) != text:
        raise ValueError("is cut, or was changed: its last line is not the SHA-256 of the others")
    rows, _, made = above.rpartition(MADE)
    code, _, settings = made.partition(" with ")
    try:
        return rows, code, dict(json.loads(settings))
    except (ValueError, TypeError):
        raise ValueError("does not say what made it") from None


def check_results(folder: Path, jobs: dict[str, Job]) -> dict[str, str]:
    """Return the code of each job that is done; `ConfigError` names every file that is not its whole, valid result."""
    faults, done = [], {}
    for path in sorted(folder.glob("*.csv")):
        try:
            if path.stem not in jobs:
                raise ValueError("is the result of no job of this grid")
            done[path.stem] = check(path.read_bytes().decode(), jobs[path.stem])
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{path} cannot be read ({first_line(error)})")
        except ValueError as error:
            faults.append(f"{path} {error}")
    if faults:
        raise ConfigError(f"results: {'; '.join(faults)}; to make it anew, move it away")
    return done


def check(text: str, job: Job) -> str:
    """Return the code that has made a result; ValueError says why it is not the whole, valid result of its job."""
    text, code, made_with = opened(text)
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    if tuple(header) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise ValueError("has not the columns of a result")
    if changed := difference(made_with, job):
        raise ValueError(f"was made with {changed}")
    found, expected = [tuple(row[: len(IDENTITY)]) for row in rows], identities(job)
    shorter = [each for each in expected if each[0] != "training"]  # 20 results of the grid `state` lack this curve
    if found not in (expected, shorter):
        raise ValueError(f"has not the {len(expected)} rows of its job")
    for row in rows:
        check_values(dict(zip(COLUMNS, row, strict=True)))
    return code


def check_values(row: dict[str, str]) -> None:
    """Raise ValueError unless all values that the phase of a row has are finite, and all shares from 0 to 1."""
    for name in ("flows", "gradient_steps", *(TRAINING if row["phase"] == "training" else SCORES)):
        try:
            value = float(row[name])
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (name in SHARES and not 0 <= value <= 1):
            raise ValueError(f"has a {name} of {row[name]!r} in phase {row['phase']}")


def identities(job: Job) -> list[tuple[str, ...]]:
    """Return what the columns IDENTITY of the rows of a job's result are."""

    def row(phase: str, label: str, world: WorldConfig) -> tuple[str, ...]:
        return phase, label, job.agent, str(job.seed), traffic(world), str(world.load)

    (world, learner, run), rows = job.settings, []
    if job.agent_class:
        evaluations = 1 + learner.epochs // run.eval_every + (learner.epochs % run.eval_every > 0)
        rows += [row("training", job.label, world)] * learner.epochs
        rows += [row("held-out", job.label, world)] * evaluations
    return rows + [row("frozen", scoring.label, scoring.settings.world) for scoring in job.scorings()]


def traffic(world: WorldConfig) -> str:
    """Return the name of the arrivals of a world."""
    return "Poisson" if world.trace == "none" else Path(world.trace).name
