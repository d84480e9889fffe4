"""Run a grid of experiments: `python -m experiments.grid NAME [--workers 2]`.

Each job of the grid (see grids.py) is a process of its own with one thread, here or on the workers of a Dask cluster,
and its result a CSV under results/NAME. What is done is not done again; what fails is named at the end and takes
nothing else down. Ctrl-C ends the grid and its jobs at once, and keeps what is finished.
"""

import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tqdm import tqdm

from edgediff.errors import ConfigError, first_line
from edgediff.run.atomic import write_atomically
from edgediff.run.commandline import Parser
from edgediff.run.process import StopSignals, run_program
from experiments import RESULTS
from experiments.grid.cluster import on_cluster
from experiments.grid.grid import Grid, Job
from experiments.grid.grids import GRIDS
from experiments.grid.process import job_command, result_of
from experiments.grid.record import code_note
from experiments.grid.results import check, check_results, locked

Submit = Callable[[str], Future]  # from the name of a job to its result, which is a text


@contextmanager
def on_this_machine(workers: int, command: Callable[[str], list[str]]) -> Iterator[Submit]:
    """Yield what submits a job, by its name, to so many processes at a time; at the end, those that run are ended."""
    ended = threading.Event()
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield lambda name: pool.submit(result_of, command(name), lambda: not ended.is_set())
        finally:
            ended.set()
            pool.shutdown(cancel_futures=True)


def run_grid(grid: Grid, results: Path, place: AbstractContextManager[Submit]) -> int:
    """Run every job of a grid that is not done yet; return the exit status."""
    jobs, folder = grid.jobs(), results / grid.name
    with locked(folder), StopSignals() as stop:
        waiting = sorted(jobs.keys() - check_results(folder, jobs))
        with place as submit:
            failed = run_jobs({name: jobs[name] for name in waiting}, folder, submit, stop)
        missing, note = sorted(jobs.keys() - (done := check_results(folder, jobs))), code_note(done, jobs)
    rest = f"; missing: {', '.join(missing)}" if missing else ""
    print(f"{len(jobs) - len(missing)} of {len(jobs)} jobs are in {folder}{rest}")
    for name, error in sorted(failed.items()):
        print(f"failed: {name}: {error}")
    if note:
        print(f"experiments.grid: note: {note}", file=sys.stderr)
    if stop.number:
        print(f"experiments.grid: stopped by signal {stop.number} ({signal.strsignal(stop.number)})", file=sys.stderr)
        return 128 + stop.number
    if len(missing) > len(failed):
        print("experiments.grid: cluster: the scheduler is gone; the same command goes on", file=sys.stderr)
    return 1 if missing else 0


def run_jobs(jobs: dict[str, Job], folder: Path, submit: Submit, stop: StopSignals) -> dict[str, str]:
    """Run jobs and keep their results, until a signal comes or the scheduler is gone; return why some have failed."""
    failed: dict[str, str] = {}
    running = {submit(name): name for name in jobs}
    with tqdm(total=len(jobs), unit="job", disable=not jobs) as bar:
        while running:
            stopped, done = stop.number, wait(running, timeout=0.1, return_when=FIRST_COMPLETED).done
            gone = {future for future in done if future.cancelled()}  # only a scheduler that ends does it
            for future in done - gone:
                name = running.pop(future)
                if error := keep(future, jobs[name], folder / f"{name}.csv"):
                    failed[name] = error
                bar.update()
            if gone or stopped:
                break
    return failed


def keep(future: Future, job: Job, path: Path) -> str:
    """Write the result of a job; return why it cannot be, "" if it is written."""
    try:
        check(text := future.result(), job)
        write_atomically(path, text.encode())
        return ""
    except Exception as error:  # of the job, its worker, its result, or this disk
        return first_line(error)


def list_jobs(grid: Grid, results: Path) -> int:
    """Print a command for every job of a grid that is not done yet, and on stderr what other code has made."""
    jobs, folder = grid.jobs(), results.resolve() / grid.name
    with locked(folder):
        done = check_results(folder, jobs)
    if note := code_note(done, jobs):
        print(f"experiments.grid: note: {note}", file=sys.stderr)  # not among the commands
    for name in sorted(jobs.keys() - done):
        print(shlex.join(job_command(grid.name, name, f"{folder / name}.csv")))
    return 0


def main(argv: list[str]) -> int:
    """Run every job of a grid that is not done yet."""
    parser = Parser("python -m experiments.grid NAME", main.__doc__)
    parser.add_argument("grid", metavar="NAME", help=f"one of {', '.join(GRIDS)}")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time, on this machine [2]")
    cluster = "a Dask scheduler that gets the jobs, like tcp://host:8786; or local:N, N workers on this machine"
    parser.add_argument("--cluster", metavar="ADDRESS", help=cluster)
    listed = "print the commands of the jobs left, one a line, and say which results other code has made"
    parser.add_argument("--list", action="store_true", help=listed)
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS), help="folder of all results")
    args = parser.parse(argv)
    if args.grid not in GRIDS:
        raise ConfigError(f"grid: {args.grid!r} is not one of {', '.join(GRIDS)}")
    if args.workers < 1:
        raise ConfigError(f"workers: {args.workers} is not a whole number from 1")
    if args.list:
        return list_jobs(GRIDS[args.grid], Path(args.results))
    here = on_this_machine(args.workers, lambda name: job_command(args.grid, name, "-"))
    place = on_cluster(args.cluster, args.grid) if args.cluster else here
    return run_grid(GRIDS[args.grid], Path(args.results), place)


if __name__ == "__main__":
    sys.exit(run_program("experiments.grid", main))
