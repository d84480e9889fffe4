"""Columns of scores by variant and seed, and the Markdown tables made of them.

A metric is a score of frozen policies, with one column for each load, or one of the held-out reward curve: `area`, its
mean height; `late_area`, the same without the untrained agent; `reward@N`, its point after N transitions.
"""

import re
from collections.abc import Iterable

import numpy as np

from edgediff.errors import ConfigError
from edgediff.learner.agents import AGENTS
from edgediff.world.rollout import SCORES
from edgediff.world.rules import RULES
from experiments.analysis.reading import ORDER, areas, held_out_curves, pd, score_text
from experiments.analysis.stats import probability_of_improvement


def columns_of(rows: pd.DataFrame, metrics: Iterable[str], loads: Iterable[str] = ()) -> dict[str, pd.Series]:
    """Return per heading a metric by variant and seed; without loads, all that there are."""
    found = sorted(rows[rows["phase"] == "frozen"]["load"].unique())
    for load in loads:
        if load not in [f"{each:g}" for each in found]:
            raise ConfigError(f"load: {load} is not in the results; there are {', '.join(f'{x:g}' for x in found)}")
    columns = {}
    for metric in metrics:
        if metric in SCORES:
            columns |= frozen_scores(rows, metric, [float(load) for load in loads] or found)
        else:
            columns |= of_curve(rows, metric)
    return columns


def frozen_scores(rows: pd.DataFrame, metric: str, loads: list[float]) -> dict[str, pd.Series]:
    """Return a column for each traffic and load."""
    frozen = rows[(rows["phase"] == "frozen") & rows["load"].isin(loads)].set_index(["variant", "seed"])
    several, name = frozen["traffic"].nunique() > 1, metric.replace("_", " ")
    return {
        f"{name}, {f'{traffic}, ' if several else ''}load {load:g}": of_traffic[metric]
        for (traffic, load), of_traffic in frozen.groupby(["traffic", "load"])
    }


def of_curve(rows: pd.DataFrame, metric: str) -> dict[str, pd.Series]:
    """Return the column of a metric of the held-out curve."""
    if metric == "area":
        return {"area": areas(rows)}
    if metric == "late_area":
        return {"trained area": areas(rows, start=1)}
    curves = held_out_curves(rows)
    if not (asked := re.fullmatch(r"reward@([0-9]{1,12})", metric)):
        raise ConfigError(f"metric: {metric} is not one of area, late_area, reward@N, {', '.join(SCORES)}")
    flows, points = float(asked[1]), curves.index.get_level_values("flows").unique()
    if flows not in points:
        raise ConfigError(f"metric: {metric}: no held-out curve has this point; there are {[*map(int, points)]}")
    return {f"held-out reward, {flows:,.0f} transitions": curves.xs(flows, level="flows")}


def of_variant(column: pd.Series, variant: str) -> pd.Series:
    """Return a column's values of a variant by seed; empty if there are none."""
    return column[column.index.get_level_values("variant") == variant].droplevel("variant")


def paired(column: pd.Series, ours: str, theirs: str) -> np.ndarray:
    """Return our value minus theirs for each seed that both have."""
    first, second = of_variant(column, ours), of_variant(column, theirs)
    both = first.index.intersection(second.index)
    return (first[both] - second[both]).to_numpy()


def ahead(differences: np.ndarray) -> str:
    """Say on how many seeds a paired difference (seeds,) is above 0."""
    return f"{(differences > 0).sum()} of {len(differences)}"


def names_of(columns: dict[str, pd.Series], wanted: Iterable[str] = ()) -> dict[str, str]:
    """Return variants with the names to print: agents, each before its variants, others, rules in their order.

    `wanted` are agents, whose variants come along, and rules by their short names; without it, all are returned.
    """

    def place(name: str) -> tuple:
        rank = ORDER.index(group(name)) if group(name) in ORDER else len(AGENTS) - 0.5
        return rank, re.sub("[0-9]+", lambda number: number[0].zfill(9), name.lower())  # N = 2 before N = 10

    variants = {name for column in columns.values() for name in column.index.get_level_values("variant")}
    groups = [RULES.get(word, word) for word in wanted]
    for missing in set(groups) - set(map(group, variants)):
        raise ConfigError(f"rows: {missing} is not in the results; there are {', '.join(sorted(variants))}")
    return {name: name for name in sorted(variants, key=place) if not groups or group(name) in groups}


def group(name: str) -> str:
    """Return the agent of a variant; a rule is a group of its own."""
    return name if name in ORDER else name.split(",")[0]


def markdown(header: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    lines = [[*header], ["---"] * len([*header]), *body]
    return "\n".join(f"| {' | '.join(line)} |" if line[0] != "---" else f"|{'|'.join(line)}|" for line in lines)


def scores(columns: dict[str, pd.Series], names: dict[str, str]) -> str:
    """Return interquartile means with 95 % intervals, of the variants in `names`, which are printed as it says."""
    body = []
    for variant, name in names.items():
        cells = [of_variant(column, variant).to_numpy() for column in columns.values()]
        body.append([name, str(max(map(len, cells))), *map(score_text, cells)])
    return markdown(["scheduler", "seeds", *columns], body)


def differences(columns: dict[str, pd.Series], names: dict[str, str], ours: str = "d2sac") -> str:
    """Return our variant minus the others, seed by seed, with the share of seeds on which ours is larger."""
    body = []
    for variant in [variant for variant in names if variant != ours]:
        found = [paired(column, ours, variant) for column in columns.values()]
        body.append([names[variant], *(difference_text(values) if len(values) > 1 else "-" for values in found)])
    return markdown(["d2sac minus", *columns], body)


def difference_text(values: np.ndarray) -> str:
    """Return the interquartile mean of paired differences (seeds,), its interval and the share that is above 0."""
    return f"{score_text(values, '+.3f')} {probability_of_improvement(values):.2f}"
