"""Score saved runs on held-out traffic, beside the rules: `python -m edgediff.evaluate RUN [RUN ...]`."""

from edgediff.run.process import prepare_process

if __name__ == "__main__":
    prepare_process()

import csv
import json
import sys
from argparse import Namespace
from math import isfinite

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError
from edgediff.run.commandline import Parser, given_settings
from edgediff.run.process import output_status, run_program
from edgediff.run.scores import agent_policy, score, table, traffic_label
from edgediff.run.start import load_run
from edgediff.world.rollout import Policy
from edgediff.world.rules import all_rules
from edgediff.world.simulator import Simulator
from edgediff.world.windows import describe_log
from edgediff.world.workload import HELD_OUT


def compare(runs: list[str], args: Namespace) -> tuple[str, dict[str, dict[str, float]]]:
    """Score every run and every rule on the same episodes; return a heading and the scores by label."""
    loaded = {run: load_run(run, args.weights, given_settings(args)) for run in runs}
    (world, _, of_run), trace, _, _ = loaded[runs[0]]
    for run, (settings, _, _, _) in loaded.items():
        for name, value in vars(world).items():
            if (other := getattr(settings.world, name)) != value:
                raise ConfigError(f"{name}: {other} in {run} is not {value}, as in {runs[0]}; give one of them")
    policies: dict[str, Policy] = {}
    for run, (settings, _, _, agent) in loaded.items():
        for mode in [args.mode] if args.mode else agent.MODES[: 2 if len(runs) == 1 else 1]:
            label, policy = agent_policy(agent, settings.run, mode)
            policies[label if len(runs) == 1 else f"{run}: {label}"] = policy
    epochs = ", ".join(f"{run} (epoch {epoch})" for run, (_, _, epoch, _) in loaded.items())
    heading = f"{epochs}, {args.weights} weights; {traffic_label(world)}; {of_run.final_episodes} held-out episodes"
    heading += f"\n{describe_log(world, trace)}" if trace else ""
    simulator = Simulator(world, of_run.final_episodes, trace=trace, state_of_view=None)
    policies |= all_rules()
    return heading, {label: score(simulator, policy, HELD_OUT + 1) for label, policy in policies.items()}


def main(argv: list[str]) -> int:
    """Compare saved runs with each other and with the rules on held-out traffic, at any load or trace."""
    parser = Parser("python -m edgediff.evaluate RUN [RUN ...]", main.__doc__)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="folder of a run")
    parser.add_argument("--weights", metavar="X", default="last", help="which weights: last or best [last]")
    parser.add_argument("--mode", metavar="X", help="sample; argmax of one noise draw; mean: argmax of the average "
                        "draw [d2sac: mean, others: argmax]")  # fmt: skip
    parser.add_argument("--csv", action="store_true", help="print the scores as CSV")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    for name in ("eval_draws", "final_episodes", "device", "threads"):
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="X", help="[as in the run]")
    parser.add_settings(WorldConfig)
    args = parser.parse(argv)
    if args.csv and args.json:
        raise ConfigError("csv: cannot be given together with --json")
    heading, scores = compare(args.runs, args)
    if args.json:
        finite = {label: {name: value if isfinite(value) else None for name, value in values.items()}
                  for label, values in scores.items()}  # fmt: skip
        print(json.dumps(finite, indent=2))
    elif args.csv:
        writer = csv.DictWriter(sys.stdout, ["scheduler", *next(iter(scores.values()))], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"scheduler": label} | values for label, values in scores.items())
    else:
        print(f"{heading}\n{table(scores)}")
    return output_status("edgediff.evaluate")


if __name__ == "__main__":
    sys.exit(run_program("edgediff.evaluate", main))
