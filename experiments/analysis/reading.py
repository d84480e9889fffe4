"""Read the CSVs of a grid, order them by agent and seed, and give them intervals."""

import csv
from pathlib import Path

import numpy as np

from experiments.analysis.stats import bootstrap_interval, iqm
from experiments.variants.planning import PLANNERS

RESULTS = Path(__file__).parents[1] / "results"
WORDS = "phase", "variant", "agent", "traffic"  # columns that are not numbers
COLOURS = {"d2sac": "C0", "sac": "C1", "dqn": "C2", "ppo": "C3", "round robin, level 2": "0.45", "random": "0.75",
           "smallest wait": "C4", "most available": "C5", "one-step greedy (knows the model)": "C6",
           **dict.fromkeys(PLANNERS, "black")}  # fmt: skip
WINDOWS = 20  # training curves are averaged over twentieths of the run


def read(spec: str, results: Path = RESULTS) -> list[dict]:
    """Return all rows of a spec's CSVs, numbers as numbers."""
    files = sorted((results / spec).glob("*.csv"))
    if not files:
        raise SystemExit(f"no CSV in {results / spec}; run python -m experiments.grid {spec}")
    rows = []
    for path in files:
        with path.open(newline="") as lines:
            rows += csv.DictReader(lines)
    return [{key: value if key in WORDS else float(value or "nan") for key, value in row.items()} for row in rows]


def named(rows: list[dict]) -> list[dict]:
    """Put the agent in front of a variant that several agents have, so that no two are taken for one."""
    agents = {}
    for row in rows:
        agents.setdefault(row["variant"], set()).add(row["agent"])
    return [row | {"variant": f"{row['agent']}, {row['variant']}"} if len(agents[row["variant"]]) > 1 else row
            for row in rows]  # fmt: skip


def by_agent(rows: list[dict], phase: str, x: str, metric: str) -> dict[str, tuple]:
    """Return per agent, as it is without variants, the x values (P,) and the metric (seeds, P) of a phase.

    Training rows are averaged over WINDOWS. Seeds that lack a point are left out.
    """
    series = {}
    for name in sorted({row["agent"] for row in rows}, key=lambda name: (*COLOURS, name).index(name)):
        mine = [row for row in rows if row["phase"] == phase and row["agent"] == row["variant"] == name]
        if not mine:
            continue
        width = max(row[x] for row in mine) / WINDOWS or 1.0
        points = {}
        for row in mine:
            at = float(np.ceil(row[x] / width) * width) if phase == "training" else row[x]
            points.setdefault(at, {}).setdefault(row["seed"], []).append(row[metric])
        seeds = sorted(set.intersection(*(set(found) for found in points.values())))
        values = [[np.mean(points[at][seed]) for at in sorted(points)] for seed in seeds]
        series[name] = np.array(sorted(points)), np.array(values)
    return series


def held_out_curves(rows: list[dict], x: str, metric: str = "reward") -> dict[str, dict[float, np.ndarray]]:
    """Return per variant and seed the held-out curve of a metric, (2, P): the x values in order, and the metric."""
    curves = {}
    for row in rows:
        if row["phase"] == "held-out":
            curves.setdefault(row["variant"], {}).setdefault(row["seed"], []).append((row[x], row[metric]))
    return {name: {seed: np.array(sorted(points)).T for seed, points in of_seed.items()}
            for name, of_seed in curves.items()}  # fmt: skip


def areas(rows: list[dict]) -> dict[str, dict[float, float]]:
    """Return per variant and seed the area under the held-out reward curve, divided by the budget of flows.

    It is the mean height of the curve from the untrained agent to the end: the criterion of every tuning.
    """
    return {name: {seed: float(np.trapezoid(reward, flows) / flows[-1]) for seed, (flows, reward) in of_seed.items()}
            for name, of_seed in held_out_curves(rows, "flows").items()}  # fmt: skip


def steps_to(share: float, steps: np.ndarray, values: np.ndarray) -> float:
    """Return the first step of a curve at which it has made a share of its way from its lowest to its last value.

    Agents start at different heights, and a curve may first fall. The last value is the mean of the last quarter of the
    points, since a single one is noisy.
    """
    lowest, last = values.argmin(), values[-max(1, len(values) // 4) :].mean()
    reached = values[lowest:] - values[lowest] >= share * (last - values[lowest])
    return float(steps[lowest + reached.argmax()])


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return the interquartile mean of (seeds,) and its 95 % interval."""
    low, high = bootstrap_interval(values, np.random.default_rng(0))
    return float(iqm(values)), low, high


def score_text(values: np.ndarray) -> str:
    """Return the interquartile mean of (seeds,) with its interval as text, one seed without, none as a dash."""
    if len(values) > 1:
        return "{:.3f} [{:.3f}, {:.3f}]".format(*interval(values))
    return f"{values[0]:.3f}" if len(values) else "-"
