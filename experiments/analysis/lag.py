"""Show how long the estimated load lags when the load moves: `python -m experiments.analysis.lag RUN`.

It plays held-out episodes whose load swings, and writes lag.csv and lag.png: what the controller takes the load for,
the price per Mbit of crowding, and completion, by the time since the load last changed.
"""

import sys
from pathlib import Path

import numpy as np

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program, set_up_torch
from edgediff.run.scores import agent_policy
from edgediff.run.start import load_run
from edgediff.world.laws import mean_data_bits
from edgediff.world.rollout import Policy
from edgediff.world.rules import BY_LOAD, all_rules
from edgediff.world.simulator import Simulator
from edgediff.world.workload import _SWING, HELD_OUT, stream, two_states
from experiments import RESULTS
from experiments.analysis.reading import pd, read_csv, short_name
from experiments.grid.grids import SWING
from experiments.look.inside import priced_critics
from experiments.own_file import write_table
from experiments.pictures.drawing import plt, save

EPISODES, LOAD, BIN_S, SHOWN_S = 64, 1.5, 0.25, 4.0
COLUMNS = "since", "seconds", "scheduler", "flows", "load", "price", "completion"
RISE, FALL = "rise", "fall"


def since_change(world: WorldConfig, seed: int, environment: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each slot of an episode whether its load is the higher one, and how many seconds since it is so."""
    busy = two_states(stream(seed, _SWING, environment, 0), world.num_slots, 1, world.load_stay_slots)[:, 0]
    slots = np.arange(len(busy))
    changed = np.append(False, busy[1:] != busy[:-1])
    last = np.maximum.accumulate(np.where(changed, slots, -(10**6)))  # never yet: long ago
    return busy, (slots - last) * world.slot_s


def played(world: WorldConfig, policy: Policy, seed: int) -> pd.DataFrame:
    """Play one episode in every environment; return a row for each flow: the last change, the load told, in time."""
    simulator = Simulator(world, EPISODES, state_of_view=None)
    simulator.reset(seed)
    history, playing, rows = [since_change(world, seed, e) for e in range(EPISODES)], np.ones(EPISODES, bool), []
    while playing.any():
        view = simulator.view()
        slots, load = view.flow["slot"].copy(), view.load.copy()
        *_, truncated, info = simulator.step(policy(world, view))
        for e in np.flatnonzero(playing):
            busy, seconds = (of[slots[e]] for of in history[e])
            rows.append((RISE if busy else FALL, seconds, load[e], info["completed"][e]))
        playing &= ~truncated
    return pd.DataFrame(rows, columns=["since", "seconds", "load", "completion"]).query(f"seconds < {SHOWN_S}")


def rows_of(run: str) -> list[tuple]:
    """Return the rows of lag.csv: means over bins of time, for the agent and for the rule with prices times load."""
    settings, _, _, agent = load_run(run, load=LOAD, num_slots=1000, **SWING)
    priced = priced_critics(agent)
    if not priced:
        raise ConfigError(f"run: {run} has no critics with prices (network shared, critic priced)")
    set_up_torch(settings.run)
    world, price = settings.world, float(priced[0].prices[0].detach()) / (mean_data_bits(settings.world) / 1e6)
    rows = []
    for name, policy in (("d2sac", agent_policy(agent, settings.run)[1]), (BY_LOAD, all_rules()[BY_LOAD])):
        flows = played(world, policy, HELD_OUT + 1 + settings.run.seed)
        by = flows.groupby(["since", (flows["seconds"] // BIN_S + 0.5) * BIN_S])
        for (since, seconds), of in by:
            values = of["load"].mean(), price * of["load"].mean(), of["completion"].mean()
            rows.append((since, f"{seconds:g}", name, len(of), *(f"{value:.6g}" for value in values)))
    return rows


def figure(rows: pd.DataFrame, path: Path) -> None:
    """Draw load and price above, completion below; on the left after a rise, on the right after a fall."""
    drawn, places = plt.subplots(2, 2, figsize=(9, 6), sharex=True, sharey="row", layout="constrained")
    for (upper, lower), (since, way) in zip(places.T, ((RISE, 1), (FALL, -1)), strict=True):
        of = {name: each for name, each in rows[rows["since"] == since].groupby("scheduler")}
        told = of["d2sac"]
        upper.axhline(LOAD * (1 + way * SWING["load_swing"]), color="0.4", ls=":", label="load")
        upper.plot(told["seconds"], told["load"], color="#0072b2", label="what the controller takes it for")
        upper.plot(told["seconds"], told["price"], color="#d55e00", label="price per Mbit of crowding")
        upper.set_title(f"after a {since} of the load")
        for name, each in of.items():
            lower.plot(each["seconds"], each["completion"], label=short_name(name))
        lower.set_xlabel("seconds since the load changed")
        for axes in (upper, lower):
            axes.grid(alpha=0.3)
    places[0, 0].legend(fontsize=9)
    places[1, 0].legend(fontsize=9)
    places[1, 0].set_ylabel("completion of the flows that arrive then")
    save(drawn, path)


def main(argv: list[str]) -> int:
    """Measure and draw how long the estimated load lags behind one that swings."""
    parser = Parser("python -m experiments.analysis.lag RUN", main.__doc__)
    parser.add_argument("run", metavar="RUN", help="folder of a run with critics that have prices")
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS), help="where lag.csv and lag.png go")
    args = parser.parse(argv)
    results, rows = Path(args.results), rows_of(args.run)
    write_table(results / "lag.csv", COLUMNS, rows)
    figure(read_csv(results / "lag.csv", COLUMNS, ("since", "scheduler")), results / "lag.png")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("lag", main))
