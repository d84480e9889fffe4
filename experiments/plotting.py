"""Read the CSVs of a grid and draw interquartile means with 95 % bootstrap intervals over seeds."""

import csv
from pathlib import Path

import matplotlib
import numpy as np

from edgediff.stats import bootstrap_interval, iqm

matplotlib.use("Agg")
import matplotlib.pyplot as plt

RESULTS = Path(__file__).parent / "results"
COLOURS = {"d2sac": "C0", "sac": "C1", "dqn": "C2", "ppo": "C3", "round robin, level 2": "0.45", "random": "0.75",
           "smallest wait": "C4", "most available": "C5", "one-step greedy (knows the model)": "C6",
           "oracle": "black"}  # fmt: skip
NAMES = {"oracle": "planning oracle (sees the future)"}
WINDOW = 10_000  # flows over which training curves are averaged


def read(spec: str) -> list[dict]:
    """Return all rows of a spec's CSVs, numbers as numbers."""
    files = sorted((RESULTS / spec).glob("*.csv"))
    if not files:
        raise SystemExit(f"no CSV in {RESULTS / spec}; run python experiments/run.py experiments/specs/{spec}.json")
    rows = [row for path in files for row in csv.DictReader(path.open())]
    words = "phase", "variant", "agent", "traffic"
    return [{key: value if key in words else float(value or "nan") for key, value in row.items()} for row in rows]


def by_seed(rows: list[dict], phase: str, x: str, metric: str, key: str = "agent") -> dict[str, tuple]:
    """Return per agent the x values (P,) and the metric, (seeds, P); training curves are averaged over WINDOW.

    By agent, only rows of the agent as it is count; by variant, all do.
    """
    series = {}
    for row in rows:
        if row["phase"] == phase and row["variant"] in (row["agent"], row[key]):
            at = np.ceil(row[x] / WINDOW) * WINDOW if phase == "training" else row[x]
            series.setdefault(row[key], {}).setdefault(at, {}).setdefault(row["seed"], []).append(row[metric])
    result = {}
    for name, points in series.items():
        seeds = sorted(set.intersection(*(set(found) for found in points.values())))
        values = [[np.mean(points[at][seed]) for at in sorted(points)] for seed in seeds]
        result[name] = np.array(sorted(points)), np.array(values)
    return {name: result[name] for name in sorted(result, key=lambda n: list(COLOURS).index(n) if n in COLOURS else 99)}


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return the interquartile mean of (seeds,) and its 95 % interval."""
    low, high = bootstrap_interval(values, np.random.default_rng(0))
    return float(iqm(values)), low, high


def draw(axes, series: dict[str, tuple]) -> None:
    """Draw each series with its band."""
    for name, (x, values) in series.items():
        middle, low, high = np.array([interval(column) for column in values.T]).T
        x = x / 1000 if x.max() > 1000 else x  # flows are drawn in thousands
        axes.plot(x, middle, color=COLOURS.get(name), label=NAMES.get(name, name), lw=1.6)
        axes.fill_between(x, low, high, color=COLOURS.get(name), alpha=0.18, lw=0)
    axes.grid(alpha=0.3)


def finish(figure, legend_from, path: Path) -> None:
    """Put one legend below all axes, and save."""
    handles, labels = legend_from.get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=4, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.12, 1, 1))
    figure.savefig(path, dpi=130)
    print(path)


def two_readings(metric: str, label: str, output: str) -> None:
    """Draw a metric against flows seen while training, and of frozen policies against offered load."""
    rows = read("headline")
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4))
    draw(left, by_seed(rows, "training", "flows", metric))
    left.set(xlabel="thousand flows seen while training (load 1)", ylabel=label, title="while training, exploring")
    draw(right, by_seed(rows, "frozen", "load", metric))
    right.set(xlabel="offered load (1 = the paper's rate)", title="trained at load 1, then frozen; held-out traffic")
    finish(figure, right, RESULTS / output)
