"""Play all schedulers in the kernel: `python -m experiments.testbed.compare` writes runs.csv and flows.csv.

A run is one row of runs.csv. What is there is not played again, so a comparison that was stopped goes on.
"""

import contextlib
import csv
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edgediff.errors import ConfigError, first_line
from edgediff.run.commandline import Parser
from experiments import RESULTS
from experiments.scratch import scratch_folder
from experiments.testbed import namespaces
from experiments.testbed.cases import (
    AGENT,
    COLUMNS,
    DRAWN,
    DRAWN_LOAD,
    FLOW_COLUMNS,
    KEYS,
    SETTINGS,
    TORCH,
    TRIES,
    Case,
    cases,
)
from experiments.testbed.child_processes import run_testbed
from experiments.testbed.episode import Scheduler, WithoutWait, find, play, traffic
from experiments.testbed.episode_result import STALLS, breaches, deviations, merged, scores, write_csv

# The row of a run and its flows, or why it has no numbers.
Measured = tuple[dict[str, object], dict[str, np.ndarray]] | list[str]


def scheduler_of(case: Case, runs: list[str], files: list[str]) -> Scheduler:
    """Return the agent whose turn it is by the seed of the traffic, or a rule in its place, with the same settings."""
    given = {"world": {"load": case.load}, "learner": {}, "run": {"seed": case.seed}}
    agents = runs if case.scheduler == TORCH else files
    agent = find(agents[case.seed % len(agents)], given)
    return agent if case.scheduler in (AGENT, TORCH) else Scheduler(case.scheduler, agent.settings, None)


def measure(case: Case, scheduler: Scheduler, name: str) -> Measured:
    """Play one case; return its row and its flows, or why it has no numbers."""
    queue, paced, _, _ = SETTINGS[case.setting]
    found = play(scheduler, traffic(scheduler), name, queue, paced)
    world = scheduler.settings.world
    flows = merged(found, scheduler.simulated(), world)
    if broken := breaches(found["fidelity"], flows):
        return broken
    without = merged(found, scheduler.simulated(WithoutWait), world)
    values = scores(flows) | {f"simulated_{name}": value for name, value in scores(flows, "simulated_").items()}
    values |= {f"without_wait_{name}": value for name, value in scores(without, "simulated_").items()}
    asked = np.quantile(found["asked_ms"], [0.5, 0.99, 1])
    values |= dict(zip(("asked_p50_ms", "asked_p99_ms", "asked_max_ms"), asked, strict=True))
    values |= deviations(flows) | {"overgranted": found["overgranted"]} | found["fidelity"]
    values |= dict(zip(STALLS, found["fidelity"]["stall_s"].values(), strict=True))
    rounded = {name: f"{value:.5g}" for name, value in values.items() if name in COLUMNS}
    return case._asdict() | {"flows": len(flows["slot"])} | rounded, flows


def tried(case: Case, scheduler: Scheduler) -> Measured:
    """Play one case until a run shows numbers, three times at most; return what `measure` does."""
    for _ in range(TRIES):
        found = measure(case, scheduler, "edgediff-compare")
        if isinstance(found, tuple):
            break
    return found


@contextlib.contextmanager
def exported(runs: list[str]) -> Iterator[list[str]]:
    """Yield the files of runs that decide without torch, in the same order."""
    try:
        from edgediff.export import export  # only here, so that the module needs no extra
    except SystemExit as missing:
        raise ConfigError(str(missing)) from None
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is missing
    with scratch_folder() as folder:
        files = [folder / f"{number}.onnx" for number, _ in enumerate(runs)]
        for run, file in zip(runs, files, strict=True):
            export(run, file)
        yield [str(file) for file in files]


def kept(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a CSV, none if it does not exist; `ConfigError` if it is another file or has no folder."""
    if not path.parent.is_dir():
        raise ConfigError(f"results: {path.parent} is no folder")
    if not path.exists():
        return []
    try:
        header, *lines = [*csv.reader(path.read_text().splitlines())] or [[]]
    except (ValueError, csv.Error) as error:
        raise ConfigError(f"results: {path} is no CSV ({first_line(error)})") from None
    if tuple(header) != columns or any(len(line) != len(columns) for line in lines):
        raise ConfigError(f"results: {path} is cut, or has other columns than {','.join(columns)}")
    return [dict(zip(columns, line, strict=True)) for line in lines]


def drawn(case: Case, flows: dict[str, np.ndarray], before: list[dict]) -> list[dict]:
    """Return the flows of the picture, those of a run in place of older ones; most runs are not in it."""
    if case.scheduler not in DRAWN or case.load != DRAWN_LOAD or case.seed:
        return before
    others = [row for row in before if (row["setting"], row["scheduler"]) != case[:2]]
    taken = ~flows["dropped"]
    pairs = zip(flows["predicted_s"][taken], flows["answered_s"][taken], strict=True)
    values = [(case.setting, case.scheduler, f"{x:.4g}", f"{y:.4g}") for x, y in pairs]
    return others + [dict(zip(FLOW_COLUMNS, row, strict=True)) for row in values]


def main(argv: list[str]) -> int:
    """Play five schedulers at three loads with ten seeds, in the kernel and in the simulator; load 2 twice."""
    parser = Parser("python -m experiments.testbed.compare [RUN ...]", main.__doc__)
    usual, which = [str(RESULTS / "agent")], "agents that take turns [experiments/results/agent]"
    parser.add_argument("runs", metavar="RUN", nargs="*", default=usual, help=which)
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS / "testbed"), help="where results go")
    args = parser.parse(argv)
    results = Path(args.results)
    rows, of_picture = kept(results / "runs.csv", COLUMNS), kept(results / "flows.csv", FLOW_COLUMNS)
    namespaces.enter()
    done = {tuple(row[key] for key in KEYS) for row in rows}
    left = [case for case in cases() if tuple(map(str, case)) not in done]
    failed = []
    with exported(args.runs) as files:
        for case in tqdm(left, unit="run"):
            found = tried(case, scheduler_of(case, args.runs, files))
            if isinstance(found, list):
                failed.append(f"{case}: {'; '.join(found)}")
                continue
            rows.append(found[0])
            of_picture = drawn(case, found[1], of_picture)
            write_csv(results / "flows.csv", FLOW_COLUMNS, of_picture)
            write_csv(results / "runs.csv", COLUMNS, rows)
    print("\n".join(failed) or f"{len(rows)} runs are in {results / 'runs.csv'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run_testbed("compare", main))
