"""Print tables from the CSVs of grids: `python -m experiments.analysis.tables [SPEC,SPEC [METRIC,METRIC [LOAD,LOAD]]]`.

Several specs make one table, for example variants beside the headline. The metric `area` is the mean height of the
held-out reward curve over the budget, the criterion of every tuning.
"""

import signal
import sys

import numpy as np

from edgediff.world.rollout import SCORES
from experiments.analysis.reading import COLOURS, areas, interval, named, read, score_text
from experiments.analysis.stats import probability_of_improvement


def read_together(specs: list[str]) -> list[dict]:
    """Return the rows of several specs; a variant that an earlier spec has, too, gets the name of its own."""
    rows = []
    for spec in specs:
        taken = {row["variant"] for row in rows}
        rows += [row | {"variant": f"{row['variant']} of {spec}"} if row["variant"] in taken else row
                 for row in read(spec)]  # fmt: skip
    return rows


def columns_of(rows: list[dict], metrics: list[str], loads: list[float]) -> dict[str, dict[str, dict]]:
    """Return per heading and variant the metric by seed; every heading asked for is there.

    `SystemExit` names a metric that is none, or a load without rows.
    """
    frozen = [row for row in rows if row["phase"] == "frozen"]
    for metric in metrics:
        if metric not in ("area", *SCORES):
            raise SystemExit(f"tables: {metric} is no metric; there are area, {', '.join(SCORES)}")
    traffic = sorted({(row["traffic"], row["load"]) for row in frozen})
    for load in loads:
        if load not in {found for _, found in traffic}:
            raise SystemExit(
                f"tables: load {load:g} is not in the results; there are {sorted({x for _, x in traffic})}"
            )
    columns = {}
    for metric in metrics:
        if metric == "area":
            columns["area under the held-out reward curve"] = areas(rows)
            continue
        for arrivals, load in [each for each in traffic if each[1] in loads]:
            cells = columns.setdefault(f"{metric}, {arrivals} {load:g}", {})
            for row in frozen:
                if (row["traffic"], row["load"]) == (arrivals, load):
                    cells.setdefault(row["variant"], {})[row["seed"]] = row[metric]
    return columns


def paired(ours: dict[float, float], theirs: dict[float, float]) -> np.ndarray:
    """Return the differences of the seeds that both have."""
    return np.array([ours[seed] - theirs[seed] for seed in sorted(ours) if seed in theirs])


def print_row(name: str, *texts: str) -> None:
    """Print a row of a Markdown table."""
    print(f"| {name} | {' | '.join(texts)} |")


def main(specs: str = "headline", metrics: str = "completion,reward", loads: str = "") -> None:
    """Print interquartile means with 95 % intervals; then d2sac against the others, seed by seed."""
    rows = named(read_together(specs.split(",")))
    try:
        chosen = [float(load) for load in loads.split(",") if load] or sorted(
            {row["load"] for row in rows if row["phase"] == "frozen"}
        )
    except ValueError:
        raise SystemExit(f"tables: {loads} are no loads, like 1,1.5,2") from None
    columns = columns_of(rows, metrics.split(","), chosen)
    spent = {row["variant"]: (row["flows"], row["gradient_steps"]) for row in rows if row["phase"] == "frozen"}
    names = [name for name in spent if any(cells.get(name) for cells in columns.values())]  # a rule has no area
    names.sort(key=lambda name: [*COLOURS].index(name) if name in COLOURS else len(COLOURS))

    print_row("scheduler", "seeds", "transitions", "gradient steps", *columns)
    print("|---" * (4 + len(columns)) + "|")
    for name in names:
        cells = [np.array([*cells.get(name, {}).values()]) for cells in columns.values()]
        counts = max(map(len, cells)), *spent[name]
        print_row(name, *(f"{count:,.0f}" for count in counts), *map(score_text, cells))

    differences = {name: [paired(cells.get("d2sac", {}), cells.get(name, {})) for cells in columns.values()]
                   for name in names if name != "d2sac"}  # fmt: skip
    if max((len(values) for each in differences.values() for values in each), default=0) < 2:
        return  # one seed has no interval
    print("\nd2sac minus the other, on the same traffic: interquartile mean [95 %], probability of improvement\n")
    print_row("compared with", *columns)
    print("|---" * (1 + len(columns)) + "|")
    for name, each in differences.items():
        texts = ["{:+.3f} [{:+.3f}, {:+.3f}] {:.2f}".format(*interval(values), probability_of_improvement(values))
                 if len(values) > 1 else "-" for values in each]  # fmt: skip
        print_row(name, *texts)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` has seen enough
    main(*sys.argv[1:4])
