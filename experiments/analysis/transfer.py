"""Score agents on networks that they were not trained for: `python -m experiments.analysis.transfer RUN [RUN ...]`.

The runs must have shared networks, whose weights serve any number of gateways. It writes transfer.csv: a row for every
run and every rule on every network, at load 1 if it says nothing else; bandwidth and compute per flow stay the same. On
one network the largest gateway fails in the middle of the episode: from then on no flow may choose it. A run that was
trained on another number of gateways than the usual one is scored on networks of its own size, for comparison; its rows
name the number of its environments, E, and of the steps of its returns, n. Agents with a price of crowding show it.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgediff.config import Settings, WorldConfig
from edgediff.learner.agent import Agent
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program, set_up_torch
from edgediff.run.scores import agent_policy, score
from edgediff.run.start import load_run
from edgediff.world.decision import LEVEL_FACTORS, View, decode_action
from edgediff.world.rollout import Policy
from edgediff.world.rules import BY_LOAD, CROWDING, GREEDY, all_rules
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT
from experiments import RESULTS
from experiments.grid.grids import of_size
from experiments.look.inside import priced_critics
from experiments.own_file import write_table

COLUMNS = "scheduler", "network", "seed", "completion", "reward", "price"
USUAL = "deploy"
EPISODES, EPISODES_OF_LARGE = 8, 2  # a large network has ten times the flows of a small one
LARGE = {f"{gateways} gateways, load 2": of_size(gateways) | dict(load=2.0) for gateways in (64, 256)}

FAILING = "8 gateways, the largest fails"
NETWORKS = {
    "4 gateways": of_size(4),
    "8 gateways": of_size(8),
    "16 gateways": of_size(16),
    "64 gateways": of_size(64),
    "7 gateways, capacities drawn": of_size(7) | dict(topology="uniform", topology_seed=1),
    FAILING: of_size(8),
    **LARGE,
}


def remaining(world: WorldConfig, view: View, failed: int) -> tuple[WorldConfig, View]:
    """Return the network without one of its gateways."""
    by_gateway = "backlog_bits", "available_bps", "capacity_bps", "propagation_s"
    left = {name: np.delete(getattr(view, name), failed, axis=-1) for name in by_gateway}
    return replace(world, num_gateways=world.num_gateways - 1), view._replace(**left)


class WithFailure:
    """Two policies, with all gateways and without one; the second decides from the middle of an episode on."""

    def __init__(self, policy: Policy, without: Policy, failed: int):
        self.policy, self.without, self.failed = policy, without, failed

    def __call__(self, world: WorldConfig, view: View) -> np.ndarray:
        late = view.flow["slot"] >= world.num_slots // 2
        action = self.policy(world, view)
        if not late.any():
            return action
        gateway, level = decode_action(self.without(*remaining(world, view, self.failed)))
        return np.where(late, (gateway + (gateway >= self.failed)) * len(LEVEL_FACTORS) + level, action)


def learned_price(agent: Agent) -> str:
    """Return the mean price of crowding of an agent's critics, or "" if they have none."""
    priced = priced_critics(agent)
    return f"{np.mean([critic.prices[0].item() for critic in priced]):.6g}" if priced else ""


def policies(run: str, network: str) -> tuple[Settings, dict[str, Policy]]:
    """Return the agent of a run and three rules, ready for a network, and the settings there."""

    def agent_on(**given) -> tuple[Settings, Policy]:
        settings, _, _, agent = load_run(run, **{"load": 1.0} | given)
        set_up_torch(settings.run)
        return settings, agent_policy(agent, settings.run)[1]

    settings, policy = agent_on(**NETWORKS[network])
    found = {USUAL: policy, **{name: all_rules()[name] for name in (GREEDY, BY_LOAD, CROWDING)}}
    if network != FAILING:
        return settings, found
    failed = settings.world.num_gateways - 1
    without = found | {USUAL: agent_on(**NETWORKS[network] | dict(num_gateways=failed))[1]}
    return settings, {name: WithFailure(policy, without[name], failed) for name, policy in found.items()}


def rows_of(run: str) -> list[tuple]:
    """Score the agent of a run, and rules on the same traffic, on every network; or it alone, on those of its size."""
    rows, ((world, learner, _), _, _, agent) = [], load_run(run)
    usual = world.num_gateways == WorldConfig().num_gateways
    for network in [name for name, given in NETWORKS.items() if usual or given["num_gateways"] == world.num_gateways]:
        settings, found = policies(run, network)
        if not usual:
            found = {f"{USUAL}, trained there, E {learner.num_envs}, n {learner.n_step}": found[USUAL]}
        episodes, seed = EPISODES_OF_LARGE if network in LARGE else EPISODES, settings.run.seed
        simulator = Simulator(settings.world, episodes, state_of_view=None)
        for name, policy in found.items():
            scores = score(simulator, policy, HELD_OUT + 1 + seed)
            means = f"{scores['completion']:.6g}", f"{scores['reward']:.6g}"
            rows.append((name, network, seed, *means, learned_price(agent) if name.startswith(USUAL) else ""))
    return rows


def main(argv: list[str]) -> int:
    """Score agents with shared networks, and the greedy rules, on other networks than that of training."""
    parser = Parser("python -m experiments.analysis.transfer RUN [RUN ...]", main.__doc__)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="folder of a run with shared networks")
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS), help="where transfer.csv goes")
    args = parser.parse(argv)
    rows = [row for run in args.runs for row in rows_of(run)]
    write_table(Path(args.results) / "transfer.csv", COLUMNS, rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("transfer", main))
