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
        job, settings = jobs.get(path.stem), stored.get(path.stem)
        try:
            if job is None:
                raise ConfigError(f"{path} is the result of no job of this grid")
            if settings is None:
                raise ConfigError(f"{path} has no entry in grid.json")
            if changed := difference(settings, job):
                raise ConfigError(f"{path} was made with {changed}")
            read_result(path, job)
            done.add(path.stem)
        except ConfigError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError(f"results: {'; '.join(faults)}; to make it anew, move it away")
    return done


def unfinished(output: Path, pid: int) -> Path:
    """Return where the process `pid` writes a result before it is whole: a file of its own."""
    return output.with_name(f"{output.name}.{pid}.tmp")


def read_result(path: Path, job: Job) -> list[dict[str, str]]:
    """Return the rows of the result of a job; `ConfigError` if the file is not whole, or is of another job."""
    try:
        text = path.read_bytes().decode()
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read ({first_line(error)})") from None
    if not text:
        raise ConfigError(f"{path} is empty")
    if tuple(lines[0]) != COLUMNS:
        raise ConfigError(f"{path} does not begin with the names of the columns of a result")
    if not text.endswith("\n") or any(len(line) != len(COLUMNS) for line in lines):
        raise ConfigError(f"{path} is cut, or has lines that are no rows")
    rows = [dict(zip(COLUMNS, line, strict=True)) for line in lines[1:]]
    found, expected = [tuple(row[name] for name in IDENTITY) for row in rows], identities(job)
    shorter = [each for each in expected if each[0] != "training"]  # 20 results of the grid `state` lack this curve
    if len(found) not in (len(expected), len(shorter)):
        raise ConfigError(f"{path} has {len(found)} rows, and its job {len(expected)}")
    if found not in (expected, shorter):
        raise ConfigError(f"{path} holds the result of another job")
    return rows


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
