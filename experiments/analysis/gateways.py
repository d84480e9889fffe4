"""Draw what more gateways change: `python -m experiments.analysis.gateways`.

It reads results/gateways and results/latency.csv.

Eight gateways are the usual network, so their results are those of the headline.
"""

import csv
from pathlib import Path

import numpy as np

from edgediff.learner.agents import AGENTS
from edgediff.world.decision import LEVELS
from experiments.analysis.reading import COLOURS, RESULTS, held_out_curves, interval, read, score_text, steps_to
from experiments.analysis.stats import iqm
from experiments.analysis.tables import print_row
from experiments.pictures.drawing import plt
from experiments.timing.latency import PATH as LATENCY


def all_sizes() -> list[dict]:
    """Return the rows of every number of gateways, at load 1, by variants like "8 gateways"."""
    usual = [row | {"variant": "8 gateways"} for row in read("headline") if row["agent"] in AGENTS]
    return [row for row in read("gateways") + usual if row["load"] == 1.0]


def transitions_to_learn(rows: list[dict], agent: str, gateways: int) -> list[float]:
    """Return per seed the transitions until 95 % of the way of the held-out reward is made."""
    curves = held_out_curves([row for row in rows if row["agent"] == agent], "flows")
    return [steps_to(0.95, *curve) for curve in curves[f"{gateways} gateways"].values()]


def final(rows: list[dict], agent: str, gateways: int, metric: str) -> list[float]:
    """Return a score of the frozen agent per seed."""
    who = "frozen", agent, f"{gateways} gateways"
    return [row[metric] for row in rows if (row["phase"], row["agent"], row["variant"]) == who]


def times(path: Path = LATENCY) -> dict[tuple[str, int], dict[str, str]]:
    """Return the timed cases by agent and gateways, d2sac with the mean of 8 draws as it is evaluated."""
    with path.open(newline="") as file:
        cases = [row for row in csv.DictReader(file) if row["agent"] != "d2sac" or row["draws"] == "8"]
    return {(row["agent"], int(row["gateways"])): row for row in cases}


def table(rows: list[dict], timed: dict) -> list[dict]:
    """Return one record per number of gateways and agent that has results."""
    records = []
    for gateways in sorted({int(row["variant"].split()[0]) for row in rows}):
        for agent in AGENTS:
            if final(rows, agent, gateways, "reward"):
                records.append({
                    "gateways": gateways, "agent": agent,
                    "completion": final(rows, agent, gateways, "completion"),
                    "reward": final(rows, agent, gateways, "reward"),
                    "transitions to 95 %": transitions_to_learn(rows, agent, gateways),
                    "ms per decision": [float(timed[agent, gateways]["p50_ms"])],
                    "ms per update": [float(timed[agent, gateways]["update_ms"])],
                })  # fmt: skip
    return records


def cell(name: str, values: list[float]) -> str:
    """Return the interquartile mean as text, a score with its interval."""
    if name in ("completion", "reward"):
        return score_text(np.array(values))
    middle = iqm(np.array(values))
    return f"{middle:,.0f}" if name.startswith("transitions") else f"{middle:.3g}"


def main() -> None:
    """Print the table and draw the figure."""
    records = table(all_sizes(), times())
    names = [name for name in records[0] if name not in ("gateways", "agent")]
    print_row("gateways", "actions", "agent", "seeds", *names)
    print("|---" * (4 + len(names)) + "|")
    for record in records:
        gateways, agent, count = record["gateways"], record["agent"], len(record["reward"])
        cells = [cell(name, record[name]) for name in names]
        print_row(str(gateways), str(len(LEVELS) * gateways), agent, str(count), *cells)

    figure, axes = plt.subplots(2, 2, figsize=(9, 6.4), sharex=True)
    for place, name in zip(axes.flat, ("reward", "transitions to 95 %", "ms per decision", "ms per update")):
        for agent in dict.fromkeys(record["agent"] for record in records):
            mine = [record for record in records if record["agent"] == agent]
            x = [len(LEVELS) * record["gateways"] for record in mine]
            middle, low, high = np.array([interval(np.array(record[name])) for record in mine]).T
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
    figure.savefig(RESULTS / "gateways.png", dpi=120)
    print(RESULTS / "gateways.png")


if __name__ == "__main__":
    main()
