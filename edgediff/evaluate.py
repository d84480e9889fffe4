"""Score a saved run on held-out traffic, beside the rules: `python -m edgediff.evaluate RUN`."""

import sys
from dataclasses import replace
from pathlib import Path

from edgediff.config import Settings, WorldConfig
from edgediff.errors import ConfigError, first_line
from edgediff.run.commandline import Parser, given_settings, guard
from edgediff.run.scores import agent_policy, score, table, traffic_label
from edgediff.run.start import check
from edgediff.run.weights import read_weights, restore_agent
from edgediff.world.rules import all_rules
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT


def main(argv: list[str]) -> int:
    """Compare a saved run with the rules on held-out traffic, at any load or trace."""
    parser = Parser("python -m edgediff.evaluate RUN", main.__doc__)
    parser.add_argument("path", metavar="RUN", help="folder of a run")
    parser.add_argument("--weights", metavar="X", default="last", help="which weights: last or best [last]")
    parser.add_argument("--mode", metavar="X", help="sample; argmax of one noise draw; mean: argmax of the average "
                        "draw [d2sac: mean, others: argmax]")  # fmt: skip
    for name in ("eval_draws", "final_episodes", "device", "threads"):
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="X", help="[as in the run]")
    parser.add_settings(WorldConfig)
    args = parser.parse_args(argv)
    if args.weights not in ("last", "best"):
        raise ConfigError(f"weights: {args.weights!r} is not one of last, best")

    trained, epoch, weights = read_weights(Path(args.path) / f"{args.weights}.pt")
    given = given_settings(args)
    trained = trained._replace(world=trained.world.at_load(trained.world.load))
    settings = Settings(*(replace(config, **given[name]) for name, config in trained._asdict().items()))
    if settings.world.num_gateways != trained.world.num_gateways:
        raise ConfigError(
            f"num_gateways: {settings.world.num_gateways} is not {trained.world.num_gateways}, as in the run"
        )
    check(settings)
    agent = restore_agent(weights, settings)
    if args.mode and args.mode not in agent.MODES:
        raise ConfigError(f"mode: {args.mode!r} is not one of {', '.join(agent.MODES)}")
    simulator = Simulator(settings.world, settings.run.final_episodes)
    modes = [args.mode] if args.mode else agent.MODES[:2]
    policies = dict(agent_policy(agent, settings.run, mode) for mode in modes) | all_rules()
    print(f"{args.path}, {args.weights} weights (epoch {epoch}); {traffic_label(settings.world)}; "
          f"{settings.run.final_episodes} held-out episodes")  # fmt: skip
    print(table({label: score(simulator, policy, HELD_OUT + 1) for label, policy in policies.items()}))
    if (lost := sys.stdout.lost) and not isinstance(lost, BrokenPipeError):  # `| head` has seen enough
        print(f"edgediff.evaluate: the scores cannot be written ({first_line(lost)})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(guard("edgediff.evaluate", main))
