"""Read the CSVs of grids, and take from them curves, areas and scores by variant and seed."""

import csv
import re
from functools import cache
from pathlib import Path

import numpy as np

from edgediff.errors import ConfigError, first_line
from edgediff.learner.agents import AGENTS
from edgediff.world.rules import RULES
from experiments import RESULTS
from experiments.analysis.stats import bootstrap_interval, iqm
from experiments.grid.results import COLUMNS, opened
from experiments.variants.planning import PLANNERS

try:
    import pandas as pd
except ModuleNotFoundError:
    raise SystemExit('pandas is not installed: pip install -e ".[experiments]"') from None

WORDS = "phase", "variant", "agent", "traffic"  # columns that are not numbers
ORDER = *AGENTS, *RULES.values(), *PLANNERS  # of the rows of tables, and of the lines of figures
WINDOWS = 20  # training curves are averaged over twentieths of the run


def short_name(name: str) -> str:
    """Return the name of a scheduler without what it knows."""
    return name.removesuffix(" (knows the model)")


def read_csv(path: Path, columns: tuple[str, ...], words: tuple[str, ...] = (), of_a_job: bool = False) -> pd.DataFrame:
    """Return a CSV of results; `ConfigError` names one that is empty, cut or something else."""
    try:
        text = path.read_bytes().decode()
        header, *rows = list(csv.reader((opened(text)[0] if of_a_job else text).splitlines())) or [[]]
        if not text.endswith("\n") or not rows or header != [*columns] or any(len(row) != len(header) for row in rows):
            raise ValueError(f"is cut, or no result of this kind: its columns should be {', '.join(columns)}")
        numbers = dict.fromkeys([name for name in columns if name not in words], float)
        return pd.DataFrame(rows, columns=header).replace("", "nan").astype(numbers)
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path}: {first_line(error)}") from None


@cache
def read(grid: str, results: Path = RESULTS) -> pd.DataFrame:
    """Return all rows of a grid; `ConfigError` names a file that is not the whole result of its job."""
    frames = {
        path.stem: read_csv(path, COLUMNS, WORDS, of_a_job=True) for path in sorted((results / grid).glob("*.csv"))
    }
    if not frames:
        known = ", ".join(sorted({path.parent.name for path in results.glob("*/*.csv")}))
        raise ConfigError(f"grid: no CSV in {results / grid}; there are results of {known or 'no grid'}")
    rows = pd.concat(frames, names=["file"]).reset_index("file").reset_index(drop=True)
    if bad := fault(rows):
        raise ConfigError(f"{results / grid}/{bad}")
    return rows


def fault(rows: pd.DataFrame) -> str:
    """Name the first file that is not the result of the job in its name, and what it is; "" if all are."""
    by_file = rows.groupby("file", sort=False)
    jobs, several = by_file[["agent", "variant", "seed"]].first(), by_file[["agent", "seed"]].nunique().max(axis=1) > 1
    for file, agent, variant, seed in jobs.itertuples():
        names = (re.sub(r"[^a-zA-Z0-9.-]", "_", f"{name}-{seed:.0f}") for name in (agent, f"{agent}-{variant}"))
        if file not in names or several[file]:
            return f"{file}.csv: holds the result of another job: {agent}, {variant}, seed {seed:.0f}"
    return ""


def read_together(grids: list[str], results: Path = RESULTS) -> pd.DataFrame:
    """Return the rows of several grids, of the seeds that all of them have.

    A variant gets the name of its agent in front where there are several agents, and that of its grid behind it where
    an earlier grid has the variant, too.
    """
    parts = [read(grid, results).copy() for grid in grids]
    seeds = set.intersection(*(set(part["seed"]) for part in parts))
    learners = {agent for part in parts for agent in part[part["phase"] != "frozen"]["agent"]}
    taken = set()
    for grid, part in zip(grids, parts, strict=True):
        own = [
            len(learners) > 1 and not variant.startswith(agent)
            for agent, variant in zip(part.agent, part.variant, strict=True)
        ]
        part["variant"] = part["variant"].mask(own, part["agent"] + ", " + part["variant"])
        part["variant"] = part["variant"].mask(part["variant"].isin(taken), part["variant"] + f" of {grid}")
        taken |= {*part["variant"]}
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows["seed"].isin(seeds)]


def by_agent(rows: pd.DataFrame, phase: str, x: str, metric: str) -> dict[str, tuple]:
    """Return per agent, as it is without variants, the x values (P,) and the metric (seeds, P) of a phase.

    Training rows are averaged over WINDOWS. Seeds that lack a point are left out.
    """
    series = {}
    mine = rows[(rows["phase"] == phase) & (rows["agent"] == rows["variant"])]
    for name in sorted(mine["agent"].unique(), key=lambda name: (*ORDER, name).index(name)):
        points = mine[mine["agent"] == name]
        if phase == "training":
            width = points[x].max() / WINDOWS
            points = points.assign(**{x: np.ceil(points[x] / width) * width})
        table = points.groupby(["seed", x])[metric].mean().unstack().dropna()
        series[name] = table.columns.to_numpy(), table.to_numpy()
    return series


def held_out_curves(rows: pd.DataFrame, metric: str = "reward") -> pd.Series:
    """Return the held-out curves of a metric by variant, seed and flows seen, in this order."""
    return rows[rows["phase"] == "held-out"].set_index(["variant", "seed", "flows"])[metric].sort_index()


def areas(rows: pd.DataFrame, start: float = 0) -> pd.Series:
    """Return by variant and seed the mean height of the held-out reward curve between flows from `start` on.

    From 0, the untrained agent, it is the criterion of every tuning.
    """

    def mean_height(curve: pd.Series) -> float:
        flows, height = curve.index.get_level_values("flows").to_numpy(), curve.to_numpy()
        trapezoids = np.diff(flows) * (height[1:] + height[:-1]) / 2.0  # np.trapezoid is of NumPy 2
        return float(trapezoids.sum() / (flows[-1] - flows[0]))

    curves = held_out_curves(rows)
    return curves[curves.index.get_level_values("flows") >= start].groupby(["variant", "seed"]).agg(mean_height)


def steps_to(share: float, curve: pd.Series) -> float:
    """Return the first point of a curve at which it has made a share of its way from its lowest to its last value.

    Agents start at different heights, and a curve may first fall. The last value is the mean of the last quarter of the
    points, since a single one is noisy.
    """
    rising = curve.loc[curve.idxmin() :]
    last = curve.iloc[-max(1, len(curve) // 4) :].mean()  # pandas 2 takes a slice of [] for flows, not for positions
    return float((rising - curve.min() >= share * (last - curve.min())).idxmax())


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return the interquartile mean of (seeds,) and its 95 % interval."""
    return float(iqm(values)), *bootstrap_interval(values)


def score_text(values: np.ndarray, form: str = ".3f") -> str:
    """Return the interquartile mean of (seeds,) with its interval as text, one seed without, none as a dash."""
    if len(values) > 1:
        return "{0:{3}} [{1:{3}}, {2:{3}}]".format(*interval(values), form)
    return f"{values[0]:{form}}" if len(values) else "-"
