"""What more gateways change: `python -m experiments.analysis.gateways` draws gateways.png into the folder of results.

It reads the grids `gateways` and `headline`, since eight gateways are the usual network, and latency.csv.
"""

import sys
from pathlib import Path

import numpy as np

from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from edgediff.world.decision import LEVEL_FACTORS
from experiments import RESULTS
from experiments.analysis.reading import held_out_curves, interval, pd, read, read_csv, score_text, steps_to
from experiments.analysis.score_tables import markdown
from experiments.analysis.stats import iqm
from experiments.grid.grids import LEARNERS
from experiments.timing.latency import COLUMNS as TIMES

MEASURED = ("completion", "reward", "transitions to 95 %", "ms per decision", "ms per update")
SHOWN = {  # titles and units of the figure
    "reward": ("reward after training", "mean reward, load 1"),
    "transitions to 95 %": ("how long learning takes", "transitions to 95 % of the way\nfrom lowest to last reward"),
    "ms per decision": ("time of a decision", "ms on one core"),
    "ms per update": ("time of an update", "ms on one core"),
}


def all_sizes(results: Path) -> pd.DataFrame:
    """Return the rows of every number of gateways, at load 1, by variants like "8 gateways"."""
    usual = read("headline", results)
    usual = usual[usual["agent"].isin(LEARNERS)].assign(variant="8 gateways")
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
        for agent in LEARNERS:
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
        [str(gateways), str(len(LEVEL_FACTORS) * gateways), agent, str(len(found["reward"]))]
        + [cell(name, values) for name, values in found.items()]
        for (gateways, agent), found in records(results).items()
    ]
    return markdown(["gateways", "actions", "agent", "seeds", *MEASURED], body)


def draw(found: dict, path: Path) -> None:
    """Draw four of the measured numbers against the number of actions, times on a logarithmic axis."""
    from matplotlib.ticker import LogLocator

    from experiments.analysis.lines import finish, look
    from experiments.pictures.drawing import plt

    figure, axes = plt.subplots(2, 2, figsize=(9, 7), sharex=True, layout="constrained")
    for place, name in zip(axes.flat, MEASURED[1:], strict=True):
        for agent in dict.fromkeys(agent for _, agent in found):
            x = [len(LEVEL_FACTORS) * gateways for gateways, each in found if each == agent]
            mine = [interval(values[name]) for (_, each), values in found.items() if each == agent]
            middle, low, high = np.array(mine).T
            place.plot(x, middle, label=agent, **look(agent) | dict(markevery=1))
            place.fill_between(x, low, high, color=look(agent)["color"], alpha=0.15, lw=0)
        title, label = SHOWN[name]
        timed = name.startswith("ms")
        place.set(title=title, ylabel=label, xscale="log", yscale="log" if timed else "linear")
        place.yaxis.set_major_formatter("{x:g}" if timed or name == "reward" else "{x:,.0f}")
        place.set_xticks([12, 24, 48, 96, 192], [12, 24, 48, 96, 192])
        place.xaxis.minorticks_off()
        if timed:
            place.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            place.yaxis.minorticks_off()
        place.grid(alpha=0.3)
    axes[0, 1].set_ylim(bottom=0)
    for place in axes[1]:
        place.set_xlabel("actions (gateways times levels)")
    finish(figure, axes[0, 0], path)


def main(argv: list[str]) -> int:
    """Draw the figure of all numbers of gateways into the folder of the results."""
    parser = Parser("python -m experiments.analysis.gateways", main.__doc__)
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS), help="where grids are")
    results = Path(parser.parse(argv).results)
    draw(records(results), results / "gateways.png")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("gateways", main))
