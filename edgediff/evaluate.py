"""Score saved runs on held-out traffic, beside the rules: `python -m edgediff.evaluate RUN [RUN ...]`."""

import csv
import json
import os
import sys
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from edgediff.config import WorldConfig, by_configuration, preset_settings
from edgediff.errors import ConfigError
from edgediff.run.commandline import Parser, given_settings
from edgediff.run.process import run_program, set_up_torch
from edgediff.run.scores import Scores, agent_policy, scores_of
from edgediff.run.start import Loaded, check, load_run
from edgediff.world.rollout import Policy
from edgediff.world.rules import RULES, all_rules, refuse_of_agents, rule_or_run
from edgediff.world.windows import describe_log


def compare(
    schedulers: Mapping[str, Policy | str | Path], weights: str = "last", mode: str = "", **settings: Any
) -> Scores:
    """Score schedulers on the same held-out traffic, that of `python -m edgediff.evaluate`; return one row for each.

        print(compare({"mine": my_policy, "greedy": "greedy", "deployed": "runs/X"}, load=2, episodes=32))

    A scheduler is a function of (world, view) that returns an action for every environment, (E,); the short name of a
    rule (`world.rules.RULES`); or the folder of a run, with its `weights` and `mode`. `settings` are `episodes` and
    fields of `WorldConfig` and `RunConfig`; without them, the world is that of the runs, or the default one.
    Raises `ConfigError`, also at an action that is none, with the name of its scheduler.
    """
    if not isinstance(schedulers, Mapping) or {*map(type, schedulers)} - {str}:
        raise ConfigError(f"schedulers: a {type(schedulers).__name__} is no mapping of texts to schedulers")
    if {"episodes", "final_episodes"} <= settings.keys():
        raise ConfigError("episodes: cannot be given together with final_episodes")
    if "episodes" in settings:
        settings["final_episodes"] = settings.pop("episodes")
    given = by_configuration(settings, "world", "run")
    policies: dict[str, Any] = {label: rule_or_run(s, f"{label}: ") for label, s in schedulers.items()}
    runs = load_runs({label: s for label, s in policies.items() if not callable(s)}, weights, settings)
    policies |= {label: agent_policy(run.agent, run.settings.run, mode)[1] for label, run in runs.items()}
    if not runs:
        refuse_of_agents(weights, mode, given["run"])
    common = next(iter(runs.values())).settings if runs else preset_settings("paper", given)
    log = check(common, learning=False)
    scores = scores_of(policies, common.world, common.run.final_episodes, log)
    scores.heading += f"\n{describe_log(common.world, log)}" if log else ""
    return scores


def load_runs(folders: Mapping[str, str | Path], weights: str, changes: dict[str, Any]) -> dict[str, Loaded]:
    """Read runs that are to be scored together; `ConfigError` unless they have one world."""
    runs = {label: load_run(folder, weights, **changes) for label, folder in folders.items()}
    for label, run in runs.items():
        first, common = next(iter(runs.items()))
        for name, value in vars(common.settings.world).items():
            if (other := getattr(run.settings.world, name)) != value:
                raise ConfigError(f"{name}: {other} in {label} is not {value}, as in {first}; give one of them")
    return runs


def main(argv: list[str]) -> int:
    """Compare saved runs with each other and with the rules on held-out traffic, at any load or trace."""
    parser = Parser("python -m edgediff.evaluate RUN [RUN ...]", main.__doc__)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="folder of a run")
    parser.add_run_flags("eval_draws", "final_episodes", "device", "threads")
    parser.add_argument("--csv", action="store_true", help="print the scores as CSV")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    parser.add_settings(WorldConfig)
    args = parser.parse(argv)
    if args.csv and args.json:
        raise ConfigError("csv: cannot be given together with --json")
    for k, name in enumerate(args.runs):
        if name in RULES and not os.path.exists(name):
            raise ConfigError(f"run: {name} is a rule; rules are always shown")
        if Path(name) in map(Path, args.runs[:k]):
            raise ConfigError(f"run: {name} is given twice")
    given = given_settings(args)
    runs = load_runs({run: run for run in args.runs}, args.weights, given["world"] | given["run"])
    (world, _, of_run), _, _, _ = runs[args.runs[0]]
    set_up_torch(of_run)
    policies: dict[str, Policy] = {}
    for folder, run in runs.items():
        for mode in [args.mode] if args.mode else run.agent.MODES[: 2 if len(runs) == 1 else 1]:
            label, policy = agent_policy(run.agent, run.settings.run, mode)
            policies[label if len(runs) == 1 else f"{folder}: {label}"] = policy
    scores = compare(policies | all_rules(), **vars(world), episodes=of_run.final_episodes)
    if args.json:
        finite = {label: {name: value if isfinite(value) else None for name, value in values.items()}
                  for label, values in scores.items()}  # fmt: skip
        print(json.dumps(finite, indent=2))
    elif args.csv:
        writer = csv.DictWriter(sys.stdout, ["scheduler", *next(iter(scores.values()))], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"scheduler": label} | values for label, values in scores.items())
    else:
        epochs = ", ".join(f"{folder} (epoch {run.epoch})" for folder, run in runs.items())
        print(f"{epochs}, {args.weights} weights; {scores}")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("edgediff.evaluate", main))
