"""Score schedulers on held-out traffic: `python -m edgediff.evaluate RUN` compares a saved run with the rules."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from edgediff.commandline import Parser, given_fields, guard, set_up_torch
from edgediff.config import WorldConfig
from edgediff.errors import ConfigError
from edgediff.learner import MODES, Learner
from edgediff.rollout import PRIORITIES, rollout, summarise
from edgediff.rules import all_rules
from edgediff.simulator import Simulator
from edgediff.weights import load_weights, restore
from edgediff.workload import HELD_OUT


def agent_policy(agent: Learner, mode: str = "mean", seed: int = 0) -> dict[str, Callable]:
    """Return {label: policy} of an agent, with a random stream of its own: evaluating never touches training.

    Only d2sac has noise to average over; for the others the mean of the draws is the one policy there is.
    """
    if mode == "mean" and agent.config.agent != "d2sac":
        mode = "argmax"
    draws = agent.config.eval_draws
    generator = torch.Generator(agent.config.device).manual_seed(seed)
    label = f"{agent.config.agent}, {mode}" + (f" of {draws}" if mode == "mean" else "")
    return {label: lambda observation, _: agent.act(observation, mode, draws, generator)}


def compare(simulator: Simulator, policies: dict[str, Callable], seed: int = HELD_OUT) -> dict[str, dict[str, float]]:
    """Play the same held-out episodes, one per environment, with every policy; return the summaries by name."""
    return {name: summarise(rollout(simulator, policy, seed)) for name, policy in policies.items()}


def table(scores: dict[str, dict[str, float]]) -> str:
    """Lay out summaries as text, one scheduler a row."""
    header = ["completion", "latency s", "95 % s", "dropped", "balance", "reward", *(f"prio {p}" for p in PRIORITIES)]
    width = max(map(len, scores)) + 2
    lines = [" " * width + "".join(f"{name:>11}" for name in header)]
    for name, score in scores.items():
        cells = "".join(f"{value:>11.2%}" if "completion" in key or key == "dropped" else f"{value:>11.3f}"
                        for key, value in score.items())  # fmt: skip
        lines.append(f"{name:<{width}}{cells}")
    return "\n".join(lines)


def traffic_label(world: WorldConfig) -> str:
    """Say in a few words what traffic a world has."""
    return f"load {world.load:g}, " + (f"requests of {Path(world.trace).name}" if world.trace else "Poisson arrivals")


def main(argv: list[str]) -> int:
    """Compare a saved run with the rules on held-out traffic, at any load or trace."""
    parser = Parser("python -m edgediff.evaluate RUN", main.__doc__)
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    parser.add_argument("--weights", default="last", help="which weights: last or best [last]")
    parser.add_argument(
        "--mode", default="mean", help="sample, argmax (of one noise draw) or mean (of the draws) [mean]"
    )
    for name in ("eval_draws", "final_episodes", "device", "threads"):
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="X", help="[as in the run]")
    parser.add_fields(WorldConfig)
    args = parser.parse_args(argv)
    for name, allowed in (("weights", ("last", "best")), ("mode", MODES)):
        if getattr(args, name) not in allowed:
            raise ConfigError(f"{name}: {getattr(args, name)!r} is not one of {', '.join(allowed)}")

    content = load_weights(Path(args.run) / f"{args.weights}.pt")
    config = replace(content["learner"], **given_fields(args, type(content["learner"])))
    world = replace(content["world"], **given_fields(args, WorldConfig))
    set_up_torch(config)
    agent = restore(content, world, config, np.random.SeedSequence(0))
    policies = agent_policy(agent, args.mode) | all_rules()
    print(f"{args.run}, {args.weights} weights (epoch {content['epoch']}); {traffic_label(world)}; "
          f"{config.final_episodes} held-out episodes")  # fmt: skip
    print(table(compare(Simulator(world, config.final_episodes), policies, HELD_OUT + 1)))
    return 0


if __name__ == "__main__":
    sys.exit(guard("edgediff.evaluate", main))
