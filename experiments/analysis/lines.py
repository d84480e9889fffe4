"""How the figures draw agents and rules: an agent by colour and mark, a rule in grey, by its dashes and its name."""

from pathlib import Path
from textwrap import fill

import numpy as np

from edgediff.learner.agents import AGENTS
from edgediff.world.rules import BY_LOAD, CROWDING, GREEDY
from experiments.analysis.reading import interval, short_name
from experiments.pictures.drawing import save

COLOURS = {"d2sac": "#0072b2", "sac": "#d55e00", "dqn": "#009e73", "ppo": "#b0579b"}  # differ to every kind of eye
MARKS = {"d2sac": "o", "sac": "s", "dqn": "^", "ppo": "D"}
DASHES = {"round robin, level 2": ":", GREEDY: "--", BY_LOAD: "-.", CROWDING: (0, (6, 1.5, 1, 1.5, 1, 1.5))}
ROW = 0.065  # height of a line of text, as a share of that of the axes


def look(name: str) -> dict:
    """Return how the line of an agent or a rule looks; d2sac is thick, and drawn first, so that both are seen."""
    if name not in AGENTS:
        return dict(color="0.4", ls=DASHES[name], lw=1.2)
    of_d2sac = dict(lw=3.2, zorder=2, alpha=0.75) if name == "d2sac" else dict(lw=1.3, zorder=3)
    return dict(color=COLOURS[name], marker=MARKS[name], ms=4, markevery=0.15, **of_d2sac)


def draw(axes, series: dict[str, tuple], scale: float = 1.0) -> None:
    """Draw the series of agents and of DASHES' rules, each with its band, x divided by `scale`."""
    for name, (x, values) in series.items():
        if name in AGENTS or name in DASHES:
            middle, low, high = np.array([interval(column) for column in values.T]).T
            axes.plot(x / scale, middle, label=name, **look(name))
            axes.fill_between(x / scale, low, high, color=look(name)["color"], alpha=0.15, lw=0)
    axes.grid(alpha=0.3)


def draw_levels(axes, levels: dict[str, float]) -> None:
    """Draw what rules, which learn nothing, reach as horizontal lines."""
    for name, level in levels.items():
        axes.axhline(level, label=name, **look(name))


def draw_beside(axes, differences: dict[str, tuple]) -> None:
    """Draw differences of agents as points with their intervals, side by side, around a line at 0."""
    axes.axhline(0, color="0.4", lw=1)
    for k, (name, (x, values)) in enumerate(differences.items()):
        middle, low, high = np.array([interval(column) for column in values.T]).T
        side = 0.07 * (k - (len(differences) - 1) / 2)
        marks = dict(color=COLOURS[name], marker=MARKS[name], ms=5, ls="", lw=2.5 if name == "d2sac" else 1.3)
        axes.errorbar(x + side, middle, [middle - low, high - middle], capsize=2, **marks)
    axes.grid(alpha=0.3)


def name_rules(axes) -> None:
    """Write the names of the rules at the right ends of their lines, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    ends = sorted((float(line.get_ydata()[-1]), line.get_label()) for line in axes.lines if line.get_label() in DASHES)
    names = [fill(short_name(name), 17) for _, name in ends]
    half = [ROW * (high - low) * (1 + name.count("\n")) / 2 for name in names]
    places = [y for y, _ in ends]
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + half[k - 1] + half[k])
    where = axes.get_yaxis_transform()
    for (y, _), place, name in zip(ends, places, names, strict=True):
        look = dict(va="center", fontsize=8.5, color="0.3", linespacing=0.95, annotation_clip=False)
        axes.annotate(name, (1, y), (1.05, place), where, where, dict(arrowstyle="-", color="0.6", lw=0.6), **look)


def finish(figure, legend_from, path: Path) -> None:
    """Put one legend below all axes, and save."""
    handles, labels = legend_from.get_legend_handles_labels()
    figure.legend(handles, [*map(short_name, labels)], loc="outside lower center", ncol=4, fontsize=9, frameon=False)
    save(figure, path)
