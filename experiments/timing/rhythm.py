"""Time single decisions: `python -m experiments.timing.rhythm RUN [RUN ...]` writes results/decisions.csv.

Each controller gets its lines one after the other, and then one every 10 ms, as in the testbed: in between, its core
does nothing, or something else. Controllers take turns, so that what disturbs the machine disturbs all.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from edgediff.errors import ConfigError
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from experiments import RESULTS, ROOT
from experiments.own_file import write_table
from experiments.timing.drive_controller import Program

EVERY_MS, TRIES, WARM_UP = (0, 10), 5, 50  # pauses between the beginnings of two decisions; the first ones do not count
COLUMNS = "controller", "every_ms", "seed", "p50_s", "p99_s", "longest_s"


def quantiles_s(name: str, every_ms: float, requests: int) -> np.ndarray:
    """Return p50, p99 and the longest time from asking to the answer, over so many decisions in a row."""
    line = json.loads((ROOT / "experiments/one_flow.json").read_text())
    with Program(name) as program:
        program.ask(line)  # it has started
        begin_s = time.perf_counter()
        for k in range(WARM_UP + requests):
            time.sleep(max(0.0, begin_s + 1e-3 * every_ms * k - time.perf_counter()))
            program.ask(line)
    return np.quantile(program.times_ms[1 + WARM_UP :], [0.5, 0.99, 1]) / 1e3


def main(argv: list[str]) -> int:
    """Time decisions of controllers in turn, without a pause and every 10 ms."""
    parser = Parser("python -m experiments.timing.rhythm RUN [RUN ...]", main.__doc__)
    parser.add_argument("names", metavar="RUN", nargs="+", help="folder of a run, NAME.onnx, or the name of a rule")
    parser.add_argument("--requests", type=int, default=1000, help="decisions that are measured, each time [1000]")
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS), help="where decisions.csv goes")
    args = parser.parse(argv)
    if args.requests < 1:
        raise ConfigError(f"requests: {args.requests} is not a whole number from 1")
    rows = []
    for seed in range(TRIES):
        for every_ms in EVERY_MS:
            for name in args.names:
                found = quantiles_s(name, every_ms, args.requests)
                rows.append((Path(name).name, every_ms, seed, *(f"{value:.4g}" for value in found)))
                print(dict(zip(COLUMNS, rows[-1], strict=True)))
    write_table(Path(args.results) / "decisions.csv", COLUMNS, rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("rhythm", main))
