"""One job of a grid: train (or take a rule), freeze, score on held-out traffic, write a CSV.

`python -m experiments.grid.job GRID JOB OUTPUT.csv` appears whole or not at all. A runner has it written to `-`, which
is its standard output; then the job ends with its runner.
"""

import contextlib
import copy
import csv
import os
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from edgediff.config import Settings, WorldConfig
from edgediff.errors import ConfigError
from edgediff.learner.agent import Agent
from edgediff.run.atomic import write_atomically
from edgediff.run.checkpoint import Stop, stop
from edgediff.run.commandline import Parser
from edgediff.run.folder import create
from edgediff.run.process import StopSignals, run_program, set_up_torch
from edgediff.run.scores import agent_policy, score
from edgediff.run.start import check
from edgediff.train import build, train
from edgediff.world.rollout import SCORES, Policy
from edgediff.world.rules import all_rules, one_step_greedy
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT
from experiments.grid.fingerprint import code_of
from experiments.grid.grid import Job
from experiments.grid.grids import GRIDS
from experiments.grid.process import end_with_parent
from experiments.grid.record import made_with
from experiments.grid.results import TRAINING, Row, sealed, traffic
from experiments.scratch import scratch_folder
from experiments.variants.planning import PLANNERS, RolloutPlanner


def run_job(job: Job) -> list[Row]:
    """Carry out a job; return its rows.

    Phase `training` has a row per epoch, of exploring decisions; `held-out` one per evaluation of the run; `frozen` one
    per entry of `evaluate`, for the last weights. A rule has only the last.
    """
    labels = {"variant": job.label, "agent": job.agent, "seed": job.seed}
    log = check(job.settings)
    if not job.agent_class:
        return rule_rows(labels | {"flows": 0, "gradient_steps": 0}, job)
    # A job is begun anew or done: it needs no checkpoints between.
    settings = job.settings._replace(run=replace(job.settings.run, checkpoint_every_s=1e6))
    parts = build(settings, log, job.agent_class, job.observe)
    with tempfile.TemporaryDirectory() as scratch, create(Path(scratch) / "run", unique=False) as folder:
        train(settings, folder, parts)
        rows = curve_rows(labels, settings.world, folder.path)
    spent = {name: rows[-1][name] for name in ("flows", "gradient_steps")}
    return rows + agent_rows(labels | spent, parts.agent, job)


def curve_rows(labels: Row, world: WorldConfig, folder: Path) -> list[Row]:
    """Return the rows of both learning curves of a run, from its CSV files."""
    rows = []
    for phase, file, names in (("training", "train.csv", TRAINING), ("held-out", "evaluation.csv", SCORES)):
        with (folder / file).open(newline="") as lines:
            for row in csv.DictReader(lines):
                spent = {"flows": row["transitions"], "gradient_steps": row["gradient_steps"]}
                values = rounded({name: float(row[name]) for name in names})
                here = {"traffic": traffic(world), "load": world.load}
                rows.append({"phase": phase, **labels, **here, **spent, **values})
    return rows


def rule_rows(labels: Row, job: Job) -> list[Row]:
    """Score a rule once for each traffic, every time from its start."""
    return [
        frozen_row(labels, scoring.settings, (all_rules() | PLANNERS)[job.agent], job.episodes)
        for scoring in job.scorings()
    ]


def agent_rows(labels: Row, agent: Agent, job: Job) -> list[Row]:
    """Score a frozen agent in every way that its job lists."""
    rows = []
    for label, settings, mode, weights, horizon in job.scorings():
        _, policy = agent_policy(agent if weights == "averaged" else unaveraged(agent), settings.run, mode, job.observe)
        if horizon:  # a planner that goes on with the better of the greedy rule and the agent
            policy = RolloutPlanner(horizon, follow=(one_step_greedy, policy))
        rows.append(frozen_row(labels | {"variant": label}, settings, policy, job.episodes))
    return rows


def unaveraged(agent: Agent) -> Agent:
    """Return an agent that is evaluated with its last weights instead of their average."""
    agent = copy.copy(agent)
    agent.evaluation_policy = agent.training_policy  # type: ignore[method-assign]
    return agent


def frozen_row(labels: Row, settings: Settings, policy: Policy, episodes: int) -> Row:
    """Score a policy. Every seed has traffic of its own, the same for all who are compared."""
    world = settings.world
    simulator = Simulator(world, episodes, state_of_view=None)
    if isinstance(policy, RolloutPlanner):
        policy = policy.on(simulator)
    found = score(simulator, policy, HELD_OUT + 1 + settings.run.seed)
    return {"phase": "frozen", **labels, "traffic": traffic(world), "load": world.load, **rounded(found)}


def rounded(values: dict[str, float]) -> dict[str, str]:
    """Write numbers with six digits."""
    return {name: f"{value:.6g}" for name, value in values.items()}


def main(argv: list[str]) -> int:
    """Run the job JOB of the grid GRID, and write OUTPUT."""
    parser = Parser("python -m experiments.grid.job GRID JOB OUTPUT", main.__doc__)
    for name, text in (("grid", "its name"), ("job", "as --list of the grid names it"), ("output", "a CSV, or -")):
        parser.add_argument(name, metavar=name.upper(), help=text)
    args = parser.parse(argv)
    jobs = GRIDS[args.grid].jobs() if args.grid in GRIDS else {}
    if not (job := jobs.get(args.job)):
        raise ConfigError(f"job: {args.grid} {args.job} is no job of a grid; experiments.grid NAME --list names them")
    set_up_torch(job.settings.run)
    if args.output == "-":
        end_with_parent()
    try:
        with StopSignals(stop), scratch_folder() as scratch, contextlib.redirect_stdout(sys.stderr):
            os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)  # for torch, too
            code = code_of(job)  # now: sources may change while it runs
            text = sealed(run_job(job), made_with(job), code)
    except Stop as stopped:  # a signal to this job: die of it, as a program that does not catch it
        signal.signal(stopped.args[0], signal.SIG_DFL)
        signal.raise_signal(stopped.args[0])
    if args.output == "-":
        print(text, end="")
    else:
        write_atomically(Path(args.output), text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(run_program("job", main))
