"""Draw how the agents of the preset `deploy` learn and score: `python -m experiments.analysis.deployed`.

It reads the grids `deploy` and `headline`, for the rules, and latency.csv, and writes deploy.png.
"""

import sys
from pathlib import Path

import pandas as pd

from edgediff.learner.agents import AGENTS
from edgediff.run.commandline import Parser, run_program
from edgediff.world.rules import GREEDY, PRICED, PRICED_BY_LOAD
from experiments import RESULTS
from experiments.analysis.figures import draw, finish
from experiments.analysis.gateways import read_times
from experiments.analysis.reading import by_agent, read
from experiments.pictures.drawing import plt

SHOWN_RULES = GREEDY, PRICED, PRICED_BY_LOAD


def update_ms(results: Path) -> dict[str, float]:
    """Return the time of an update with the preset by agent."""
    cases = read_times(results, "deploy")
    return dict(zip(cases["agent"], cases["update_ms"], strict=True))


def figure(rows: pd.DataFrame, rules: pd.DataFrame, ms: dict[str, float], path: Path) -> None:
    """Draw held-out reward at load 1 by gradient steps and by time; reward by load less that of fixed prices."""
    drawn, (by_steps, by_time, by_load) = plt.subplots(1, 3, figsize=(14, 4.6))
    curves = by_agent(rows, "held-out", "gradient_steps", "reward")
    draw(by_steps, curves, scale=1000)
    draw(by_time, {name: (steps * ms[name] / 60_000, values) for name, (steps, values) in curves.items()})
    for axes, label in ((by_steps, "thousand gradient steps"), (by_time, "minutes of gradient steps on one core")):
        axes.set(xlabel=label, ylim=(-0.3, 0.15))
    by_steps.set(ylabel="held-out reward", title="while learning, at load 1")
    by_time.set(title="the same by time")
    frozen = by_agent(pd.concat([rows, rules]), "frozen", "load", "reward")
    level = frozen[PRICED][1]
    draw(
        by_load, {name: (x, values - level) for name, (x, values) in frozen.items() if name in (*AGENTS, *SHOWN_RULES)}
    )
    by_load.set(xlabel="offered load", title="reward, less that of greedy with prices")
    finish(drawn, by_load, path)


def main(argv: list[str]) -> int:
    """Draw the figure into the folder of the results."""
    parser = Parser("python -m experiments.analysis.deployed", main.__doc__)
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS), help="where grids are")
    results = Path(parser.parse(argv).results)
    headline = read("headline", results)
    figure(read("deploy", results), headline[headline["agent"].isin(SHOWN_RULES)], update_ms(results),
           results / "deploy.png")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(run_program("deployed", main))
