"""Run a grid of experiments: `python -m experiments.grid NAME [--workers 2]`.

Each job of the grid (see grids.py) is a process of its own with one thread, and its result a CSV under results/NAME.
What is done is not done again; what fails is named at the end and takes nothing else down. Ctrl-C ends the grid and its
jobs at once, and keeps what is finished.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from edgediff.errors import ConfigError
from edgediff.run.commandline import Parser
from edgediff.run.process import StopSignals, run_program
from experiments import RESULTS, ROOT
from experiments.grid.grid import Grid
from experiments.grid.grids import GRIDS
from experiments.grid.record import code_note, write_record
from experiments.grid.results import check_results, locked, unfinished

Command = Callable[[str, Path], list[str]]  # from the name of a job and its output


def run_grid(grid: Grid, results: Path, workers: int, command: Command) -> int:
    """Run every job of a grid that is not done yet; return the exit status. No workers: print the jobs' commands."""
    jobs, folder = grid.jobs(), results / grid.name
    with locked(folder):
        done = check_results(folder, jobs)
        waiting = sorted(set(jobs) - done)
        write_record(folder / "grid.json", jobs, done)
        if not workers:  # each writes its result, whole or not at all
            if note := code_note(folder / "grid.json", jobs, done):
                print(f"experiments.grid: note: {note}", file=sys.stderr)  # not among the commands
            print("".join(f"{shlex.join(command(name, folder / f'{name}.csv'))}\n" for name in waiting), end="")
            return 0
        failed, stopped = run_jobs(waiting, folder, workers, command)
        missing = [name for name in sorted(jobs) if not (folder / f"{name}.csv").exists()]
    rest = f"; missing: {', '.join(missing)}" if missing else ""
    print(f"{len(jobs) - len(missing)} of {len(jobs)} jobs are in {folder}{rest}")
    for name, error in sorted(failed.items()):
        print(f"failed: {name}: {error}")
    if stopped:
        print(f"experiments.grid: stopped by signal {stopped} ({signal.strsignal(stopped)})", file=sys.stderr)
        return 128 + stopped
    return 1 if failed else 0


def run_jobs(waiting: list[str], folder: Path, workers: int, command: Command) -> tuple[dict[str, str], int]:
    """Run jobs, so many at a time; return failures by name, and the signal that has ended the work or 0."""
    running: dict[str, subprocess.Popen] = {}
    failed: dict[str, str] = {}
    with (
        StopSignals() as stop,
        tempfile.TemporaryDirectory() as scratch,
        tqdm(total=len(waiting), unit="job", disable=not waiting) as bar,
    ):
        try:
            while (waiting or running) and not stop.number:
                while waiting and len(running) < workers:
                    name, *waiting = waiting
                    running[name] = start(command(name, folder / f"{name}.csv"), Path(scratch), name)
                time.sleep(0.05)
                for name in [name for name, process in running.items() if process.poll() is not None]:
                    process = running.pop(name)
                    if error := failure(process.returncode, Path(scratch) / f"{name}.err"):
                        failed[name] = error
                        unfinished(folder / f"{name}.csv", process.pid).unlink(missing_ok=True)
                    bar.update()
        finally:
            for name, process in running.items():
                process.kill()
                process.wait()
                unfinished(folder / f"{name}.csv", process.pid).unlink(missing_ok=True)
    return failed, stop.number


def start(command: list[str], scratch: Path, name: str) -> subprocess.Popen:
    """Start a job with one thread, in a session that Ctrl-C does not reach; its temporary files go to `scratch`."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(scratch), "PYTHONPATH": path}
    none = subprocess.DEVNULL
    with (scratch / f"{name}.err").open("w") as errors:
        return subprocess.Popen(
            command, stdin=none, stdout=none, stderr=errors, env=environment, start_new_session=True
        )


def failure(status: int, errors: Path) -> str:
    """Say why a job has failed: its signal, or its last line; empty if it has not."""
    if status < 0:
        return f"killed by signal {-status} ({signal.strsignal(-status)})"
    lines = errors.read_text(errors="replace").split("\n") if status else []
    last = next((line.split("\r")[-1] for line in reversed(lines) if line.strip()), f"status {status}")
    return last if status else ""


def main(argv: list[str]) -> int:
    """Run every job of a grid that is not done yet."""
    parser = Parser("python -m experiments.grid NAME", main.__doc__)
    parser.add_argument("grid", metavar="NAME", help=f"one of {', '.join(GRIDS)}")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time [2]")
    listed = "write grid.json, print the commands of the jobs left, and say which results other code has made"
    parser.add_argument("--list", action="store_true", help=listed)
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS), help="folder of all results")
    args = parser.parse(argv)
    if args.grid not in GRIDS:
        raise ConfigError(f"grid: {args.grid!r} is not one of {', '.join(GRIDS)}")
    if args.workers < 1:
        raise ConfigError(f"workers: {args.workers} is not a whole number from 1")

    def command(name: str, output: Path) -> list[str]:
        return [sys.executable, "-m", "experiments.grid.job", args.grid, name, str(output)]

    results = Path(args.results).resolve() if args.list else Path(args.results)
    return run_grid(GRIDS[args.grid], results, 0 if args.list else args.workers, command)


if __name__ == "__main__":
    sys.exit(run_program("experiments.grid", main))
