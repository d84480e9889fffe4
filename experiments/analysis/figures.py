"""Draw Figures 4, 5 and 6 of the paper from the CSVs of a grid: `python -m experiments.analysis.figures [GRID]`.

With the results of GRID_range, trained on a range of loads, Figures 5 and 6 have a third panel. The figures are written
into the folder of the results that they show.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from edgediff.learner.agents import AGENTS
from edgediff.run.commandline import Parser, run_program
from edgediff.world.rules import GREEDY, PRICED_BY_LOAD
from experiments import RESULTS
from experiments.analysis.gateways import times
from experiments.analysis.reading import COLOURS, by_agent, interval, read
from experiments.pictures.drawing import plt, save

SHOWN_RULES = {"round robin, level 2": ":", GREEDY: "--", PRICED_BY_LOAD: "-."}


def draw(axes, series: dict[str, tuple], scale: float = 1.0) -> None:
    """Draw each series with its band, x divided by `scale`."""
    for name, (x, values) in series.items():
        middle, low, high = np.array([interval(column) for column in values.T]).T
        axes.plot(x / scale, middle, color=COLOURS.get(name), label=name, lw=1.6, ls="-" if name in AGENTS else "--")
        axes.fill_between(x / scale, low, high, color=COLOURS.get(name), alpha=0.18, lw=0)
    axes.grid(alpha=0.3)


def finish(figure, legend_from, path: Path) -> None:
    """Put one legend below all axes, and save."""
    handles, labels = legend_from.get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=4, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.12 if figure.get_figheight() < 6 else 0.09, 1, 1))
    save(figure, path, dpi=130)


def figure4(rows: pd.DataFrame, update_ms: dict[str, float], path: Path) -> None:
    """Draw Figure 4, the reward while the agents learn, on held-out traffic.

    Left and middle: against the flows seen, the same number for all agents; the middle is the end, larger. Right:
    against the time that the gradient steps take. Thin lines: the exploring decisions of training. Horizontal lines:
    rules.
    """
    figure, (whole, end, timed) = plt.subplots(1, 3, figsize=(14, 4.6))
    held_out = by_agent(rows, "held-out", "flows", "reward")
    by_steps = by_agent(rows, "held-out", "gradient_steps", "reward")
    minutes = {name: (steps * update_ms[name] / 6e4, values) for name, (steps, values) in by_steps.items()}
    frozen = by_agent(rows[rows["load"] == 1.0], "frozen", "load", "reward")
    rules = {name: interval(frozen[name][1][:, 0])[0] for name in SHOWN_RULES if name in frozen}
    draw(whole, held_out, scale=1000)
    draw(end, held_out, scale=1000)
    draw(timed, minutes)
    for axes in (whole, end, timed):
        for name, reward in rules.items():
            axes.axhline(reward, color="0.4", ls=SHOWN_RULES[name], label=name)
        axes.set(xlabel="thousand flows seen while training (load 1)", ylim=(-1.4, 0.2))
    for name, (x, values) in by_agent(rows, "training", "flows", "reward").items():
        whole.plot(x / 1000, values.mean(axis=0), color=COLOURS.get(name), lw=0.7, alpha=0.8)
    whole.plot([], [], color="0.5", lw=0.7, label="thin: while exploring")
    whole.set(ylabel="mean reward per decision, held-out traffic", title="by flows seen")
    end.set(ylim=(-0.2, 0.1), title="the same, the end larger")
    timed.set(xlabel="minutes of gradient steps on one core", xscale="log", title="by time")
    finish(figure, whole, path)


def readings(rows: pd.DataFrame, of_range: pd.DataFrame | None, metric: str, label: str, path: Path) -> None:
    """Draw Figure 5 or 6 in both readings of its x axis, "flows", always on held-out traffic.

    Left: flows seen while training, whole and the end of it. Then, above: flows offered per second to frozen policies,
    trained at load 1 and, if there are results `of_range`, on a range of loads; the rules, which are not trained, are
    the same in both. Below: the same less one-step greedy, on the same traffic.
    """
    panels = [("trained at load 1, then frozen", rows)]
    if of_range is not None:
        rules = rows[~rows["agent"].isin(AGENTS)]
        panels.append(("trained on loads 0.5 to 3, then frozen", pd.concat([of_range, rules])))
    figure, grid = plt.subplots(2, 1 + len(panels), figsize=(5 * (1 + len(panels)), 7.4), squeeze=False)
    learning, at_load_1 = by_agent(rows, "held-out", "flows", metric), rows[rows["load"] == 1.0]
    levels = {name: interval(values[:, 0])[0] for name, (_, values) in
              by_agent(at_load_1, "frozen", "load", metric).items() if name not in AGENTS}  # fmt: skip
    ends = [interval(values[:, -1])[0] for _, values in learning.values()]
    for axes in grid[:, 0]:
        draw(axes, learning, scale=1000)
        for name, level in levels.items():
            axes.axhline(level, color=COLOURS.get(name), ls="--", lw=1.2)
    grid[0, 0].set(title="while learning, at load 1", ylabel=label)
    shown = [*ends, *(levels[name] for name in levels if name != "random" and not name.startswith("round"))]
    margin = 0.15 * (max(shown) - min(shown)) + 1e-3
    grid[1, 0].set(xlabel="thousand flows seen while training", ylabel="the end, larger",
                   ylim=(min(shown) - margin, max(shown) + margin))  # fmt: skip
    for (above, below), (title, frozen) in zip(grid[:, 1:].T, panels, strict=True):
        series = by_agent(frozen, "frozen", "load", metric)
        draw(above, series)
        above.set(title=title)
        if GREEDY in series:
            greedy = series[GREEDY][1]
            paired = {
                name: (x, values - greedy) for name, (x, values) in series.items() if values.shape == greedy.shape
            }
            draw(below, paired)
        below.set(xlabel="offered load (1 = the paper's rate)", ylabel="the same minus one-step greedy, by seed")
    finish(figure, grid[0, 1], path)


def main(argv: list[str]) -> int:
    """Draw all three into the folder of the results."""
    parser = Parser("python -m experiments.analysis.figures GRID", main.__doc__)
    parser.add_argument("grid", nargs="?", default="headline", help="the grid to draw [headline]")
    parser.add_argument(
        "--results", metavar="FOLDER", default=str(RESULTS), help="where grids are [experiments/results]"
    )
    args = parser.parse(argv)
    results, with_range = Path(args.results), f"{args.grid}_range"
    rows = read(args.grid, results)
    of_range = read(with_range, results) if any((results / with_range).glob("*.csv")) else None
    timed = times(results)["update_ms"].xs(8, level="gateways")
    figure4(rows, timed.to_dict(), results / "figure4.png")
    readings(rows, of_range, "completion", "share of flows completed in time", results / "figure5.png")
    readings(rows, of_range, "latency_s", "mean latency, s (a dropped flow counts 2 s)", results / "figure6.png")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("figures", main))
