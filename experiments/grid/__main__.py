"""Run a grid of experiments: `python -m experiments.grid SPEC.json [--workers 2]`.

Each job of the spec (see spec.py) is a process of its own with one thread, and its result a CSV under results/NAME.
What is done is not done again; what fails is named at the end and takes nothing else down. Ctrl-C ends the grid and its
jobs at once, and keeps what is finished. A launcher that sets RANK and WORLD_SIZE, like torchrun, splits the jobs over
several processes or machines, which share the folder of results.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from edgediff.errors import ConfigError, first_line
from edgediff.learner.agents import AGENTS
from edgediff.run.commandline import Parser, run_program
from experiments.grid.spec import jobs_of, load_spec, settings_of

HERE = Path(__file__).parents[1]
SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def rank_and_size(environment) -> tuple[int, int]:
    """Return RANK and WORLD_SIZE of a launcher, (0, 1) without one."""
    given = [environment.get(name) for name in ("RANK", "WORLD_SIZE")]
    if given == [None, None]:
        return 0, 1
    whole = all(text and text.isascii() and text.isdecimal() for text in given)
    if not whole or int(given[0]) >= int(given[1]):
        raise ConfigError(f"RANK, WORLD_SIZE: {given} are not two whole numbers, the first one smaller")
    return int(given[0]), int(given[1])


def digest(job: dict) -> str:
    """Return a hash of a job and its settings, without those of other agents, which cannot change its result."""
    settings, others = settings_of(job).as_dict(), tuple(f"{name}_" for name in AGENTS if name != job["agent"])
    learner = {name: value for name, value in settings["learner"].items() if not name.startswith(others)}
    settings["learner"] = learner if job["agent"] in AGENTS else {}
    return hashlib.sha256(json.dumps([job, settings], sort_keys=True).encode()).hexdigest()


def open_results(folder: Path, jobs: dict[str, dict], spec: dict) -> None:
    """Create the folder of a spec, or make sure that each result in it belongs to a job with these very settings.

    A spec may gain agents, variants and seeds later: the results that there are stay valid.
    """
    digests = {name: digest(job) for name, job in jobs.items()}
    stamp, beside = folder / "spec.json", folder / f"spec-{os.uname().nodename}-{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        results = sorted(folder.glob("*.csv"))  # before the stamp, which another process may write meanwhile
        if results and not stamp.exists():
            raise ConfigError(f"results: {folder} holds CSV files and no spec.json; move them away")
        found = json.loads(stamp.read_text())["jobs"] if stamp.exists() else {}
        for path in results:
            if path.stem not in digests or found.get(path.stem) != digests[path.stem]:
                raise ConfigError(f"results: {path} belongs to another version of this spec or of its settings")
        if found != digests:
            beside.write_text(json.dumps({"jobs": digests, "spec": spec}, indent=2) + "\n")
            os.replace(beside, stamp)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"results: {folder} cannot be used ({first_line(error)})") from None


def run_jobs(jobs: dict[str, dict], folder: Path, workers: int, bar: tqdm) -> tuple[dict[str, str], int]:
    """Run jobs, so many at a time; return failures by name, and the signal that has ended the work or 0."""
    stop, running, failed, waiting = [], {}, {}, list(jobs)
    old = {number: signal.getsignal(number) for number in SIGNALS}
    for number in (number for number, handler in old.items() if handler is not signal.SIG_IGN):
        signal.signal(number, lambda number, _: stop.append(number))
    with tempfile.TemporaryDirectory() as scratch:
        try:
            while (waiting or running) and not stop:
                while waiting and len(running) < workers and not stop:
                    name = waiting.pop(0)
                    running[name] = start(name, jobs[name], folder, Path(scratch))
                time.sleep(0.05)
                for name in [name for name, process in running.items() if process.poll() is not None]:
                    error = failure(running.pop(name).returncode, Path(scratch) / f"{name}.err")
                    failed |= {name: error} if error else {}
                    bar.update()
        finally:
            for process in running.values():
                process.kill()
                process.wait()
            for number, handler in old.items():
                signal.signal(number, handler)
    return failed, stop[0] if stop else 0


def start(name: str, job: dict, folder: Path, scratch: Path) -> subprocess.Popen:
    """Start a job with one thread, in a session that Ctrl-C does not reach; its temporary files go to `scratch`."""
    given, errors = scratch / f"{name}.json", scratch / f"{name}.err"
    given.write_text(json.dumps(job))
    command = [sys.executable, "-m", "experiments.grid.job", str(folder / f"{name}.csv")]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(scratch)}
    with given.open() as stdin, errors.open("w") as stderr:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=environment,
            cwd=HERE.parent,
            start_new_session=True,
        )


def failure(status: int, errors: Path) -> str:
    """Say why a job has failed: its signal, or its last line; empty if it has not."""
    if status < 0:
        return f"killed by signal {-status} ({signal.strsignal(-status)})"
    lines = errors.read_text(errors="replace").split("\n") if status else []
    return next(
        (line.split("\r")[-1] for line in reversed(lines) if line.strip()), f"status {status}" if status else ""
    )


def main(argv: list[str]) -> int:
    """Run every job of a spec that is not done yet."""
    parser = Parser("python -m experiments.grid SPEC", main.__doc__)
    parser.add_argument("spec", metavar="SPEC", help="a JSON file, see experiments/grid/specs")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time on this machine [2]")
    parser.add_argument("--results", default=str(HERE / "results"), help="folder of all results")
    args = parser.parse(argv)
    if args.workers < 1:
        raise ConfigError(f"workers: {args.workers} is not a whole number from 1")
    rank, size = rank_and_size(os.environ)
    spec = load_spec(args.spec)
    jobs, folder = jobs_of(spec), Path(args.results) / spec["name"]
    open_results(folder, jobs, spec)
    mine = {name: jobs[name] for name in sorted(jobs)[rank::size] if not (folder / f"{name}.csv").exists()}
    with tqdm(total=len(mine), unit="job", disable=rank > 0) as bar:
        failed, stopped = run_jobs(mine, folder, args.workers, bar)
    missing = [name for name in sorted(jobs) if not (folder / f"{name}.csv").exists()]
    print(f"{len(jobs) - len(missing)} of {len(jobs)} jobs are in {folder}"
          + (f"; missing: {', '.join(missing)}" if missing else ""))  # fmt: skip
    for name, error in sorted(failed.items()):
        print(f"failed: {name}: {error}")
    if stopped:
        print(f"run: stopped by signal {stopped} ({signal.strsignal(stopped)})", file=sys.stderr)
        return 128 + stopped
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run_program("run", main))
