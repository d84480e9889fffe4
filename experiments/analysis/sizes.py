"""Which flows do the greedy rules complete, small or large ones? `python -m experiments.analysis.sizes`.

It writes sizes.csv: the share completed in each quarter of the flows of an episode, ordered by size.
"""

import sys
from pathlib import Path

import numpy as np

from edgediff.config import WorldConfig
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from edgediff.world.rollout import Policy
from edgediff.world.rules import BY_LOAD, CROWDING, GREEDY, all_rules
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT
from experiments import RESULTS
from experiments.own_file import write_table

COLUMNS = "rule", "load", "seed", "quarter", "completion"
SEEDS, EPISODES, QUARTERS = range(10), 32, 4


def by_quarter(simulator: Simulator, policy: Policy, seed: int) -> np.ndarray:
    """Play the first held-out episode of every environment; return the share completed by quarter of size, (4,)."""
    simulator.reset(seed)
    playing = np.ones(simulator.num_envs, bool)
    sizes, completed = [], []
    while playing.any():
        view = simulator.view()
        sizes.append(view.flow["data_bits"][playing])
        _, _, _, truncated, info = simulator.step(policy(simulator.world, view))
        completed.append(info["completed"][playing])
        playing &= ~truncated
    bits, done = np.concatenate(sizes), np.concatenate(completed)
    quarter = np.searchsorted(np.quantile(bits, np.arange(1, QUARTERS) / QUARTERS), bits)
    return np.array([done[quarter == k].mean() for k in range(QUARTERS)])


def main(argv: list[str]) -> int:
    """Score the greedy rules by size of flow, at one load."""
    parser = Parser("python -m experiments.analysis.sizes", main.__doc__)
    parser.add_argument("--load", type=float, default=2.0, help="load [2]")
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS), help="where sizes.csv goes")
    args = parser.parse(argv)
    simulator = Simulator(WorldConfig(load=args.load), EPISODES, state_of_view=None)
    rows = [
        (rule, args.load, seed, quarter + 1, f"{share:.6g}")
        for rule in (GREEDY, BY_LOAD, CROWDING)
        for seed in SEEDS
        for quarter, share in enumerate(by_quarter(simulator, all_rules()[rule], HELD_OUT + 1 + seed))
    ]
    write_table(Path(args.results) / "sizes.csv", COLUMNS, rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("sizes", main))
