"""What more gateways change: `python -m experiments.analysis.gateways` draws gateways.png into the folder of results.

It reads the grids `gateways` and `headline`, since eight gateways are the usual network, and latency.csv.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from edgediff.learner.agents import AGENTS
from edgediff.run.commandline import Parser, run_program
from edgediff.world.decision import LEVELS
from experiments import RESULTS
from experiments.analysis.reading import (
    COLOURS,
    held_out_curves,
    interval,
    read,
    read_csv,
    score_text,
    steps_to,
)
from experiments.analysis.score_tables import markdown
from experiments.analysis.stats import iqm
from experiments.timing.latency import COLUMNS as TIMES

MEASURED = ("completion", "reward", "transitions to 95 %", "ms per decision", "ms per update")


def all_sizes(results: Path) -> pd.DataFrame:
    """Return the rows of every number of gateways, at load 1, by variants like "8 gateways"."""
    usual = read("headline", results)
    usual = usual[usual["agent"].isin(AGENTS)].assign(variant="8 gateways")
    rows = pd.concat([read("gateways", results), usual])
    return rows[rows["load"] == 1.0]


def times(results: Path) -> pd.DataFrame:
    """Return the timed cases of Table 1 by agent and gateways, d2sac with the mean of 8 draws as it is evaluated."""
    cases = read_times(results, "paper")
    return cases[(cases["agent"] != "d2sac") | (cases["draws"] == 8)].set_index(["agent", "gateways"])


def read_times(results: Path, preset: str) -> pd.DataFrame:
    """Return the timed cases of a preset, those of the project if a folder of results has none of its own."""
    path = results / "latency.csv"
    cases = read_csv(path if path.exists() else RESULTS / path.name, TIMES, ("preset", "agent"))
    return cases[cases["preset"] == preset]


def records(results: Path) -> dict[tuple[int, str], dict[str, np.ndarray]]:
    """Return what was measured for each number of gateways and agent, scores one by seed."""
    rows, timed, found = all_sizes(results), times(results), {}
    for gateways in sorted({int(name.split()[0]) for name in rows["variant"]}):
        for agent in AGENTS:
            mine = rows[(rows["agent"] == agent) & (rows["variant"] == f"{gateways} gateways")]
            frozen, curves = mine[mine["phase"] == "frozen"], held_out_curves(mine).groupby("seed")
            if len(frozen):
                learned = [steps_to(0.95, curve.droplevel(["variant", "seed"])) for _, curve in curves]
                case = timed.loc[(agent, gateways)]
                values = frozen["completion"], frozen["reward"], learned, [case["p50_ms"]], [case["update_ms"]]
                found[gateways, agent] = dict(zip(MEASURED, map(np.array, values), strict=True))
    return found


def cell(name: str, values: np.ndarray) -> str:
    """Return the interquartile mean as text, a score with its interval."""
    if name in ("completion", "reward"):
        return score_text(values)
    return f"{iqm(values):,.0f}" if name.startswith("transitions") else f"{iqm(values):.3g}"


def table(results: Path) -> str:
    """Return all that was measured as a Markdown table."""
    body = [
        [str(gateways), str(len(LEVELS) * gateways), agent, str(len(found["reward"]))]
        + [cell(name, values) for name, values in found.items()]
        for (gateways, agent), found in records(results).items()
    ]
    return markdown(["gateways", "actions", "agent", "seeds", *MEASURED], body)


def draw(found: dict, path: Path) -> None:
    """Draw four of the measured numbers against the number of actions."""
    from experiments.pictures.drawing import plt, save

    figure, axes = plt.subplots(2, 2, figsize=(9, 6.4), sharex=True)
    for place, name in zip(axes.flat, MEASURED[1:], strict=True):
        for agent in dict.fromkeys(agent for _, agent in found):
            x = [len(LEVELS) * gateways for gateways, each in found if each == agent]
            mine = [interval(values[name]) for (_, each), values in found.items() if each == agent]
            middle, low, high = np.array(mine).T
            place.plot(x, middle, color=COLOURS[agent], marker="o", ms=4, lw=1.6, label=agent)
            place.fill_between(x, low, high, color=COLOURS[agent], alpha=0.15, lw=0)
        place.set(title=name, xscale="log", ylim=(None if name == "reward" else 0, None))
        place.set_xticks([12, 24, 48, 96, 192], [12, 24, 48, 96, 192])
        place.minorticks_off()
        place.grid(alpha=0.3)
    for place in axes[1]:
        place.set_xlabel("actions (gateways times levels)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=4, frameon=False)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    save(figure, path, dpi=120)


def main(argv: list[str]) -> int:
    """Draw the figure of all numbers of gateways into the folder of the results."""
    parser = Parser("python -m experiments.analysis.gateways", main.__doc__)
    parser.add_argument(
        "--results", metavar="FOLDER", default=str(RESULTS), help="where grids are [experiments/results]"
    )
    results = Path(parser.parse(argv).results)
    draw(records(results), results / "gateways.png")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("gateways", main))
