"""One job of a grid: train (or take a rule), freeze, score on held-out traffic, write a CSV.

Called by `run.py` as `python experiments/job.py OUTPUT.csv` with the job as JSON on standard input.
"""

import csv
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from edgediff.agents import CLASSES
from edgediff.commandline import set_up_torch
from edgediff.config import LearnerConfig, WorldConfig, preset_fields
from edgediff.evaluate import agent_policy, compare
from edgediff.planning import RolloutOracle
from edgediff.rollout import SCORES
from edgediff.rules import all_rules
from edgediff.simulator import Simulator
from edgediff.train import train
from edgediff.workload import HELD_OUT

LEARNERS = tuple(CLASSES)
CHOICES = ("mode", "eval_draws")  # how an agent is evaluated
TRAINING = ("reward", "completion", "latency_s")
COLUMNS = ("phase", "variant", "agent", "seed", "traffic", "load", "flows", "gradient_steps", *SCORES)


def rules_and_oracle() -> dict:
    """Return every scheduler that does not learn, by name."""
    return all_rules() | {"oracle": RolloutOracle(horizon=10)}


def configurations(job: dict) -> tuple[WorldConfig, LearnerConfig]:
    """Build and check the configurations of a learner's job; a rule has the default ones."""
    learner = {"agent": job["agent"]} if job["agent"] in LEARNERS else {}
    settings = preset_fields(job["preset"], job["agent"]) | job.get("learner", {}) | learner | {"seed": job["seed"]}
    return WorldConfig(**job.get("world", {})), LearnerConfig(**settings)


def run_job(job: dict) -> list[dict]:
    """Carry out a job; return its rows: phase `training` by epoch, phase `frozen` by traffic of `evaluate`."""
    world, config = configurations(job)
    who = {"variant": job.get("variant", job["agent"]), "agent": job["agent"], "seed": job["seed"]}
    rows, agent, spent = [], None, {"flows": 0, "gradient_steps": 0}
    if job["agent"] in LEARNERS:
        set_up_torch(config)
        with tempfile.TemporaryDirectory() as run:
            agent = train(world, replace(config, checkpoint_every_s=1e6), Path(run))  # a job is begun anew or done
            epochs = list(csv.DictReader((Path(run) / "train.csv").open()))
        for row in epochs:
            spent = {"flows": row["transitions"], "gradient_steps": row["gradient_steps"]}
            training = {name: f"{float(row[name]):.6g}" for name in TRAINING}
            rows.append({"phase": "training", **who, "load": world.load, **spent, **training})
    for given in job["evaluate"]:
        choice = {name: given[name] for name in CHOICES if name in given}
        modes = agent.MODES if agent else ()
        if "mode" in choice and (choice["mode"] not in modes or choice == {"mode": modes[0]}):
            continue  # a mode that it does not know, or its usual one, which is scored anyway
        frozen_world = replace(world, **{name: value for name, value in given.items() if name not in choice})
        if agent is None:
            policies = {who["agent"]: rules_and_oracle()[who["agent"]]}
        else:
            agent.config = replace(config, **{name: value for name, value in choice.items() if name != "mode"})
            policies = agent_policy(agent, choice.get("mode", ""))
        # Every seed has traffic of its own, the same for all who are compared.
        (score,) = compare(Simulator(frozen_world, job["episodes"]), policies, HELD_OUT + 1 + job["seed"]).values()
        told = who | {"variant": ", ".join([who["variant"], *(f"{name} {value}" for name, value in choice.items())])}
        traffic = Path(frozen_world.trace).name or "Poisson"
        rounded = {name: f"{value:.6g}" for name, value in score.items()}
        rows.append({"phase": "frozen", **told, "traffic": traffic, "load": frozen_world.load, **spent, **rounded})
    return rows


def main(output: Path) -> None:
    """Run the job on standard input; the output appears whole or not at all."""
    rows = run_job(json.load(sys.stdin))
    beside = output.with_suffix(".tmp")
    with beside.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(beside, output)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
