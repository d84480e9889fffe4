"""One job of a grid: train (or take a rule), freeze, score on held-out traffic, write a CSV.

Called by `run.py` as `python -m experiments.grid.job OUTPUT.csv` with the job as JSON on standard input.
"""

import csv
import json
import os
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from edgediff.config import Settings, WorldConfig
from edgediff.learner.agent import Agent
from edgediff.learner.agents import AGENTS
from edgediff.run.checkpoint import Stop
from edgediff.run.commandline import run_program
from edgediff.run.scores import agent_policy, score
from edgediff.run.start import check
from edgediff.train import build, train
from edgediff.world.decision import observe
from edgediff.world.rollout import SCORES
from edgediff.world.rules import all_rules, one_step_greedy
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT
from experiments.grid.spec import OF_POLICY, frozen, settings_of
from experiments.variants.agents import VARIANTS
from experiments.variants.observations import STATES
from experiments.variants.planning import PLANNERS, RolloutPlanner

TRAINING = ("reward", "completion", "latency_s")
COLUMNS = ("phase", "variant", "agent", "seed", "traffic", "load", "flows", "gradient_steps", *SCORES)


def run_job(job: dict) -> list[dict]:
    """Carry out a job; return its rows.

    Phase `training` has a row per epoch, of exploring decisions; `held-out` one per evaluation of the run; `frozen` one
    per entry of `evaluate`, for the last weights. A rule has only the last.
    """
    settings = settings_of(job)
    check(settings)
    who = {"variant": job["variant"], "agent": job["agent"], "seed": job["seed"]}
    if job["agent"] not in AGENTS:
        return rule_rows(who | {"flows": 0, "gradient_steps": 0}, settings, job)
    # A job is begun anew or done: it needs no states between.
    settings = settings._replace(run=replace(settings.run, checkpoint_every_s=1e6))
    observe = STATES[job["state"]]
    agent_class = VARIANTS[job["agent_class"]] if job["agent"] == "d2sac" else None
    with tempfile.TemporaryDirectory() as folder:
        agent = train(settings, Path(folder), parts=build(settings, agent_class, observe))
        rows = curve_rows(who, settings.world, Path(folder))
        spent = {name: rows[-1][name] for name in ("flows", "gradient_steps")}
        return rows + [row for given in job["evaluate"] for row in agent_rows(who | spent, agent, settings, given, job)]


def curve_rows(who: dict, world: WorldConfig, folder: Path) -> list[dict]:
    """Return the rows of both learning curves of a run, from its CSV files."""
    rows = []
    for phase, file, names in (("training", "train.csv", TRAINING), ("held-out", "evaluation.csv", SCORES)):
        with (folder / file).open(newline="") as lines:
            for row in csv.DictReader(lines):
                spent = {"flows": row["transitions"], "gradient_steps": row["gradient_steps"]}
                values = rounded({name: float(row[name]) for name in names})
                rows.append({"phase": phase, **who, "traffic": traffic(world), "load": world.load, **spent, **values})
    return rows


def rule_rows(who: dict, settings: Settings, job: dict) -> list[dict]:
    """Score a rule once for each traffic of `evaluate`, every time from its start."""
    rows, done = [], []
    for given in job["evaluate"]:
        evaluated = frozen(settings, given)
        if evaluated.world not in done:
            policy = (all_rules() | PLANNERS)[job["agent"]]
            rows.append(frozen_row(who, evaluated, policy, job["episodes"]))
            done.append(evaluated.world)
    return rows


def agent_rows(who: dict, agent: Agent, settings: Settings, given: dict, job: dict) -> list[dict]:
    """Score a frozen agent for one entry of `evaluate`; no row for a mode that it lacks, or that another entry has."""
    mode = given.get("mode", agent.MODES[0])
    without = {name: value for name, value in given.items() if name != "mode"}
    if mode not in agent.MODES or "mode" in given and mode == agent.MODES[0] and without in job["evaluate"]:
        return []
    changed = [f"{name} {given[name]}" for name in OF_POLICY if name in given]
    evaluated = frozen(settings, given)
    _, policy = agent_policy(agent, evaluated.run, mode)
    if "planner_horizon" in given:  # a planner that goes on with the better of the greedy rule and the agent
        policy = RolloutPlanner(given["planner_horizon"], follow=(one_step_greedy, policy))
    who = who | {"variant": ", ".join([who["variant"], *changed])}
    return [frozen_row(who, evaluated, policy, job["episodes"], STATES[job["state"]])]


def frozen_row(who: dict, settings: Settings, policy, episodes: int, observe=observe) -> dict:
    """Score a policy. Every seed has traffic of its own, the same for all who are compared."""
    world = settings.world
    found = score(Simulator(world, episodes, observe=observe), policy, HELD_OUT + 1 + settings.run.seed)
    return {"phase": "frozen", **who, "traffic": traffic(world), "load": world.load, **rounded(found)}


def traffic(world: WorldConfig) -> str:
    """Return the name of the arrivals of a world."""
    return "Poisson" if world.trace == "none" else Path(world.trace).name


def rounded(values: dict[str, float]) -> dict[str, str]:
    """Write numbers with six digits."""
    return {name: f"{value:.6g}" for name, value in values.items()}


def main(argv: list[str]) -> int:
    """Run the job on standard input; the output appears whole or not at all."""
    output = Path(argv[0])
    try:
        rows = run_job(json.load(sys.stdin))
    except Stop as stop:  # a signal to this job: die of it, as a program that does not catch it
        signal.signal(stop.args[0], signal.SIG_DFL)
        signal.raise_signal(stop.args[0])
    beside = output.with_suffix(".tmp")
    with beside.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(beside, output)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("job", main))
