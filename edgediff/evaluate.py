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
from edgediff.learner import Learner
from edgediff.rollout import PRIORITIES, rollout, summarise
from edgediff.rules import all_rules
from edgediff.simulator import Simulator
from edgediff.weights import load_weights, restore
from edgediff.workload import HELD_OUT


def agent_policy(agent: Learner, mode: str = "", seed: int = 0) -> dict[str, Callable]:
    """Return {label: policy} of an agent in a mode, by default its usual one.

    The policy has a random stream of its own: evaluating never touches training. Raises `ConfigError` if the
    agent does not know the mode.
    """
    mode = mode or agent.MODES[0]
    if mode not in agent.MODES:
        raise ConfigError(f"mode: {mode!r} is not one of {', '.join(agent.MODES)}")
    draws = agent.config.eval_draws
    generator = torch.Generator(agent.config.device).manual_seed(seed)
    label = f"{agent.config.agent}, {mode}" + (f" of {draws}" if mode == "mean" else "")
    return {label: lambda observation, _: agent.act(observation, mode, draws, generator)}


def contenders(agent: Learner, mode: str = "") -> dict[str, Callable]:
    """Return {label: policy} of what a final table compares: the agent in two modes or the given one, and the rules."""
    modes = [mode] if mode else agent.MODES[:2]
    return {label: policy for each in modes for label, policy in agent_policy(agent, each).items()} | all_rules()


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
    parser.add_argument("--mode", default="", help="sample; argmax of a noise draw; mean: argmax of the average draw "
                        "[d2sac: mean, others: argmax]")  # fmt: skip
    for name in ("eval_draws", "final_episodes", "device", "threads"):
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="X", help="[as in the run]")
    parser.add_fields(WorldConfig)
    args = parser.parse_args(argv)
    if args.weights not in ("last", "best"):
        raise ConfigError(f"weights: {args.weights!r} is not one of last, best")

    content = load_weights(Path(args.run) / f"{args.weights}.pt")
    config = replace(content["learner"], **given_fields(args, type(content["learner"])))
    world = replace(content["world"], **given_fields(args, WorldConfig))
    set_up_torch(config)
    agent = restore(content, world, config, np.random.SeedSequence(0))
    policies = contenders(agent, args.mode)
    print(f"{args.run}, {args.weights} weights (epoch {content['epoch']}); {traffic_label(world)}; "
          f"{config.final_episodes} held-out episodes")  # fmt: skip
    print(table(compare(Simulator(world, config.final_episodes), policies, HELD_OUT + 1)))
    return 0


if __name__ == "__main__":
    sys.exit(guard("edgediff.evaluate", main))
