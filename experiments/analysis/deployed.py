"""Draw how the agents of the preset `deploy` learn and score: `python -m experiments.analysis.deployed`.

It reads the grid `deploy` and latency.csv, and writes deploy.png.
"""

import sys
from pathlib import Path

from edgediff.learner.agents import AGENTS
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from edgediff.world.rules import BY_LOAD, CROWDING
from experiments import RESULTS
from experiments.analysis.gateways import read_times
from experiments.analysis.lines import draw, finish, name_rules
from experiments.analysis.reading import by_agent, pd, read
from experiments.pictures.drawing import plt

SHOWN_RULES = BY_LOAD, CROWDING


def update_ms(results: Path) -> dict[str, float]:
    """Return the time of an update with the preset by agent."""
    cases = read_times(results, "deploy")
    return dict(zip(cases["agent"], cases["update_ms"], strict=True))


def figure(rows: pd.DataFrame, ms: dict[str, float], path: Path) -> None:
    """Draw held-out reward by gradient steps and by time; reward by load less that of prices times load."""
    drawn, places = plt.subplot_mosaic([["steps", "time"], ["load", "load"]], figsize=(9, 7), layout="constrained")
    curves = by_agent(rows, "held-out", "gradient_steps", "reward")
    draw(places["steps"], curves, scale=1000)
    draw(places["time"], {name: (steps * ms[name] / 60_000, values) for name, (steps, values) in curves.items()})
    places["steps"].set(
        xlabel="thousand gradient steps", ylabel="held-out reward", title="while learning, loads 0.5 to 3"
    )
    places["time"].set(xlabel="minutes of gradient steps on one core", title="the same by time")
    frozen = by_agent(rows, "frozen", "load", "reward")
    level = frozen[BY_LOAD][1]
    shown = {name: (x, values - level) for name, (x, values) in frozen.items() if name in (*AGENTS, *SHOWN_RULES)}
    draw(places["load"], shown)
    name_rules(places["load"])
    places["load"].set(xlabel="offered load (1 = the paper's rate)", title="the same agents frozen, against the load")
    places["load"].set_ylabel("reward, less that of prices times load")
    finish(drawn, places["load"], path)


def main(argv: list[str]) -> int:
    """Draw the figure into the folder of the results."""
    parser = Parser("python -m experiments.analysis.deployed", main.__doc__)
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS), help="where grids are")
    results = Path(parser.parse(argv).results)
    figure(read("deploy", results), update_ms(results), results / "deploy.png")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("deployed", main))
