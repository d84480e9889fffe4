"""Draw Figures 4, 5 and 6 of the paper from the CSVs of a grid: `python -m experiments.analysis.figures [GRID]`.

With the results of GRID_range, trained on a range of loads, Figures 5 and 6 have a third row. The figures are written
into the folder of the results that they show.
"""

import sys
from pathlib import Path

from edgediff.learner.agents import AGENTS
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from experiments import RESULTS
from experiments.analysis.gateways import times
from experiments.analysis.lines import DASHES, draw, draw_beside, draw_levels, finish, name_rules
from experiments.analysis.reading import by_agent, interval, pd, read
from experiments.pictures.drawing import plt


def figure4(rows: pd.DataFrame, update_ms: dict[str, float], path: Path) -> None:
    """Draw Figure 4, the reward while the agents learn, against the flows seen, the same number for all agents.

    Above: on held-out traffic, and the end of it, larger. Below: against the time that the gradient steps take; and the
    reward of the exploring decisions of training.
    """
    figure, ((whole, end), (timed, exploring)) = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
    held_out = by_agent(rows, "held-out", "flows", "reward")
    by_steps = by_agent(rows, "held-out", "gradient_steps", "reward")
    minutes = {name: (steps * update_ms[name] / 6e4, values) for name, (steps, values) in by_steps.items()}
    frozen = by_agent(rows[rows["load"] == 1.0], "frozen", "load", "reward")
    rules = {name: interval(frozen[name][1][:, 0])[0] for name in DASHES if name in frozen}
    trained = by_agent(rows, "training", "flows", "reward")
    panels = (whole, held_out, 1000), (end, held_out, 1000), (timed, minutes, 1), (exploring, trained, 1000)
    for axes, series, scale in panels:
        draw(axes, series, scale)
        draw_levels(axes, rules)
        axes.set(xlabel="thousand flows seen while training (load 1)", ylim=(-1.4, 0.2))
    whole.set(ylabel="mean reward, held-out traffic", title="by flows seen")
    end.set(ylim=(-0.2, 0.12), title="the same, its end larger")
    timed.set(xlabel="minutes of gradient steps on one core", xscale="log", title="by time", ylabel=whole.get_ylabel())
    timed.xaxis.set_major_formatter("{x:g}")
    exploring.set(title="exploring, while they train", ylabel="mean reward, training traffic")
    finish(figure, whole, path)


def while_learning(whole, end, rows: pd.DataFrame, metric: str) -> None:
    """Draw a metric of held-out traffic while the agents learn at load 1, and its end larger; rules as levels."""
    learning = by_agent(rows, "held-out", "flows", metric)
    frozen = by_agent(rows[rows["load"] == 1.0], "frozen", "load", metric)
    levels = {name: interval(frozen[name][1][:, 0])[0] for name in DASHES if name in frozen}
    for axes in (whole, end):
        draw(axes, learning, scale=1000)
        draw_levels(axes, levels)
        axes.set(xlabel="thousand flows seen while training")
    shown = [interval(values[:, -1])[0] for _, values in learning.values()]
    shown += [level for name, level in levels.items() if not name.startswith("round")]
    margin = 0.15 * (max(shown) - min(shown)) + 1e-3
    end.set(ylim=(min(shown) - margin, max(shown) + margin), title="the same, its end larger")


def against_load(above, beside, rows: pd.DataFrame, metric: str) -> None:
    """Draw a metric against the load, and, by seed, how the other agents differ from sac on the same traffic."""
    series = by_agent(rows, "frozen", "load", metric)
    draw(above, series)
    name_rules(above)
    if "sac" in series:
        sac, others = series["sac"][1], {name: series[name] for name in AGENTS if name in series and name != "sac"}
        draw_beside(beside, {name: (x, y - sac) for name, (x, y) in others.items() if y.shape == sac.shape})
    for axes in (above, beside):
        axes.set(xlabel="offered load (1 = the paper's rate)")
    beside.set(title="the same minus sac, paired by seed")


def readings(rows: pd.DataFrame, of_range: pd.DataFrame | None, metric: str, label: str, path: Path) -> None:
    """Draw Figure 5 or 6 in both readings of its x axis, "flows", always on held-out traffic.

    First row: flows seen while training. Then flows offered per second to frozen policies, trained at load 1 and, if
    there are results `of_range`, on a range of loads; the rules, which are not trained, are the same in both.
    """
    panels = [("trained at load 1, then frozen", rows)]
    if of_range is not None:
        rules = rows[~rows["agent"].isin(AGENTS)]
        panels.append(("trained on loads 0.5 to 3, then frozen", pd.concat([of_range, rules])))
    figure, grid = plt.subplots(1 + len(panels), 2, figsize=(9, 3.2 * (1 + len(panels)) + 0.6), layout="constrained")
    while_learning(*grid[0], rows, metric)
    grid[0, 0].set(title="while learning, at load 1", ylabel=label)
    for axes, (title, frozen) in zip(grid[1:], panels, strict=True):
        against_load(*axes, frozen, metric)
        axes[0].set(title=title, ylabel=label)
    finish(figure, grid[0, 0], path)


def main(argv: list[str]) -> int:
    """Draw all three into the folder of the results."""
    parser = Parser("python -m experiments.analysis.figures GRID", main.__doc__)
    parser.add_argument("grid", nargs="?", default="headline", help="the grid to draw [headline]")
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS), help="where grids are")
    args = parser.parse(argv)
    results, with_range = Path(args.results), f"{args.grid}_range"
    rows = read(args.grid, results)
    of_range = read(with_range, results) if any((results / with_range).glob("*.csv")) else None
    timed = times(results)["update_ms"].xs(8, level="gateways")
    figure4(rows, timed.to_dict(), results / "figure4.png")
    readings(rows, of_range, "completion", "share of flows completed in time", results / "figure5.png")
    readings(rows, of_range, "latency_s", "mean latency, s (a dropped flow: 2 s)", results / "figure6.png")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("figures", main))
