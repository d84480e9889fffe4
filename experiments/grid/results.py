"""The folder of a grid's results: a CSV per job, and grid.json, the settings that each was made with.

A result is valid if every setting it was made with is that of its job today, and every setting that is new since then
has its default in its job. Settings of other agents do not count, and those of learners not for a rule.
"""

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError, first_line
from edgediff.world.rollout import SCORES
from experiments.grid.grid import Job
from experiments.grid.record import difference, read_record

TRAINING = ("reward", "completion", "latency_s")  # columns of phase `training`
IDENTITY = ("phase", "variant", "agent", "seed", "traffic", "load")
COLUMNS = (*IDENTITY, "flows", "gradient_steps", *SCORES)


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
    except OSError:
        os.close(lock)
        raise ConfigError(f"results: another runner works in {folder}") from None
    try:
        yield
    finally:
        os.close(lock)


def check_results(folder: Path, jobs: dict[str, Job]) -> set[str]:
    """Return the jobs that are done; `ConfigError` names every file that is not the whole, valid result of its job."""
    stored, faults, done = read_record(folder / "grid.json"), [], set()
    for path in sorted(folder.glob("*.csv")):
        name = path.stem
        if name not in jobs:
            faults.append(f"{path} is the result of no job of this grid")
        elif name not in stored:
            faults.append(f"{path} has no entry in grid.json")
        elif changed := difference(stored[name], jobs[name]):
            faults.append(f"{path} was made with {changed}")
        elif wrong := fault(path, jobs[name]):
            faults.append(f"{path} {wrong}")
        else:
            done.add(name)
    if faults:
        raise ConfigError(f"results: {'; '.join(faults)}; to make it anew, move it away")
    return done


def unfinished(output: Path, pid: int) -> Path:
    """Return where the process `pid` writes a result before it is whole: a file of its own."""
    return output.with_name(f"{output.name}.{pid}.tmp")


def fault(path: Path, job: Job) -> str:
    """Say why a file is not the whole result of a job; "" if it is."""
    try:
        text = path.read_bytes().decode()
        header, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    except (OSError, ValueError, csv.Error) as error:
        return f"cannot be read ({first_line(error)})"
    if tuple(header) != COLUMNS:
        return "does not begin with the names of the columns of a result"
    if not text.endswith("\n") or any(len(row) != len(COLUMNS) for row in rows):
        return "is cut, or has lines that are no rows"
    found, expected = [tuple(row[: len(IDENTITY)]) for row in rows], identities(job)
    shorter = [each for each in expected if each[0] != "training"]  # 20 results of the grid `state` lack this curve
    return "" if found in (expected, shorter) else f"has not the {len(expected)} rows of its job"


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
