"""Algorithm 1: train the agent on the simulated edge network. `python -m edgediff.train --preset quick`."""

import shlex
import signal
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from edgediff.config import PRESETS, LearnerConfig, RunConfig, Settings, WorldConfig
from edgediff.errors import ConfigError, NonFiniteError, first_line
from edgediff.learner.agent import Agent
from edgediff.run import files
from edgediff.run.checkpoint import Checkpointer, Stop, Training, restore, stop
from edgediff.run.commandline import Parser, given_settings
from edgediff.run.folder import Progress, RunFolder, checkpoints
from edgediff.run.process import StopSignals, run_program, set_up_torch
from edgediff.run.report import Report, budget, mean_metrics, mean_outcome
from edgediff.run.scores import agent_policy, score, scores_of, table
from edgediff.run.start import resume_run, start_run
from edgediff.run.weights import new_agent
from edgediff.world.log import RequestLog
from edgediff.world.rules import ADMISSION, BY_LOAD, CROWDING, GREEDY, all_rules
from edgediff.world.simulator import Simulator
from edgediff.world.state import state_of

SHOWN_RULES = "round robin, level 2", GREEDY, ADMISSION, BY_LOAD, CROWDING
_AGENT, _REPLAY = 100, 101  # names of the learner's random streams, beside those of the workload


def build(
    settings: Settings,
    log: RequestLog | None = None,
    agent_class: type[Agent] | None = None,
    state_of_view: Callable | None = None,
) -> Training:
    """Create simulator, agent, memory and the stream that samples it, from the seed of the run.

    An experiment may give another class for the agent, or another function for the state, Eq. (11).
    """
    world, config, run = settings
    state_of_view = state_of_view or state_of(config.network)
    simulator = Simulator(world, config.num_envs, log=log, state_of_view=state_of_view)
    entries = simulator.reset(run.seed).shape[1]
    agent_seed, replay_seed = (np.random.SeedSequence(run.seed, spawn_key=(name,)) for name in (_AGENT, _REPLAY))
    agent = new_agent(settings, agent_seed, agent_class, entries)
    sampling = torch.Generator(run.device).manual_seed(int(replay_seed.generate_state(1, np.uint64)[0]))
    return Training(simulator, agent, agent.memory(), sampling)


def train(
    settings: Settings,
    folder: RunFolder,
    parts: Training | None = None,
    saved: dict | None = None,
    signals: StopSignals | None = None,
) -> Agent:
    """Run Algorithm 1, its lines numbered as in the paper; return the trained agent.

    An epoch collects transitions from all environments, then takes its gradient steps; episodes follow each other
    inside the simulator. `parts` is what `build` has made; `saved` is the checkpoint of a run to go on from; `signals`
    are those that a program listens to. It changes nothing of the process, and runs in any thread.
    Raises `NonFiniteError` at a NaN or an infinity, and `Stop` after a signal; the folder then holds the last good
    checkpoint, as it does after a `KeyboardInterrupt`.
    """
    config, every = settings.learner, settings.run.eval_every
    parts = parts or build(settings)
    simulator, agent, memory, sampling = parts
    progress = restore(saved, parts) if saved else Progress()
    held_out = Simulator(settings.world, settings.run.eval_episodes, log=simulator.log, state_of_view=None)
    observation = simulator.observation()  # line 2
    with (
        Checkpointer(folder, settings, parts, progress, signals) as checkpointer,
        Report(folder.path, settings, agent.METRICS, progress) as report,
    ):
        if progress.epoch == 0:
            keep_best(held_out, parts, settings, progress, report)  # the untrained agent, for comparison
        for epoch in range(progress.epoch + 1, config.epochs + 1):  # line 1
            infos, updates = [], []
            for _ in range(config.collect_per_epoch // config.num_envs):  # line 5
                action = agent.explore(observation)  # line 6
                next_observation, reward, terminated, truncated, info = simulator.step(action)  # line 7
                memory.add(observation, action, reward, info["successor"], terminated, truncated)  # line 8
                observation = next_observation  # line 21
                infos.append(info)
            for batch in agent.batches(memory, sampling):  # lines 9-10
                updates.append(agent.update(batch))  # lines 11-19
            metrics = mean_metrics(updates, agent.METRICS, progress.gradient_steps + 1)  # raises at a NaN
            agent.check_finite(observation)
            progress.finish_epoch(config.collect_per_epoch, len(updates))
            report.epoch(mean_outcome(infos) | metrics)
            if epoch % every == 0 or epoch == config.epochs:  # line 23
                keep_best(held_out, parts, settings, progress, report)
            checkpointer.after_epoch()
    return agent  # line 25


def keep_best(held_out: Simulator, parts: Training, settings: Settings, progress: Progress, report: Report) -> None:
    """Evaluate the agent on held-out traffic, and keep its weights if they are the best so far: line 23."""
    agent, state_of_view = parts.agent, parts.simulator.state_of_view
    _, policy = agent_policy(agent, settings.run, state_of_view=state_of_view)
    found = score(held_out, policy)
    report.evaluation(found)
    if found["reward"] > progress.best["reward"]:
        progress.best = {"reward": found["reward"], "epoch": progress.epoch, "weights": files.to_plain(agent.weights())}


def final_table(settings: Settings, agent: Agent, log: RequestLog | None) -> str:
    """Compare the agent with some rules on held-out traffic that no evaluation has used, at one load or at three."""
    tables = []
    for load in shown_loads(settings.world):
        schedulers = dict([agent_policy(agent, settings.run)])
        schedulers |= {label: rule for label, rule in all_rules().items() if label in SHOWN_RULES}
        scores = scores_of(schedulers, settings.world.at_load(load), settings.run.final_episodes, log)
        tables.append(f"{scores.heading}; last weights\n{table(scores, num_columns=5)}")
    return "\n\n".join(tables)


def shown_loads(world: WorldConfig) -> list[float]:
    """Return the load of a world; if it has a range, also the largest one, and the middle of both."""
    low, high = (world.load_low, world.load_high) if world.load_high else (world.load, world.load)
    usual = min(max(world.load, low), high)
    return sorted({usual, (usual + high) / 2, high})


def next_steps(path: Path) -> str:
    """Return the commands that use a finished run."""
    run = shlex.quote(str(path))
    pictures = f"\n  python -m experiments.pictures {run}            # see what it does (extra: experiments)"
    pictures = pictures if find_spec("experiments") else ""  # they are no part of a wheel
    return f"""\
  python -m edgediff.evaluate {run} --load 2      # its score at another load
  python -m edgediff.control {run}                # decide online, one JSON line per flow{pictures}
  tensorboard --logdir {run}                      # its curves"""


def main(argv: list[str]) -> int:
    """Train the diffusion-based scheduler, and compare it with simple rules on held-out traffic."""
    parser = Parser("python -m edgediff.train", main.__doc__)
    parser.add_argument("--preset", metavar="X", help=f"named settings: {', '.join(PRESETS)} [paper]")
    parser.add_argument("--run", metavar="X", help="new folder for weights and logs [runs/AGENT-PRESET-TIME]")
    parser.add_argument("--resume", metavar="RUN", help="folder of a run to go on with, with the settings it has")
    parser.add_settings(WorldConfig, LearnerConfig, RunConfig)
    args = parser.parse(argv)
    given = given_settings(args)
    for flag in ("run", "preset"):
        if args.resume and getattr(args, flag):
            raise ConfigError(f"{flag}: {getattr(args, flag)} cannot be given together with --resume")
    text, settings, log, folder, saved = (
        resume_run(args.resume, given) if args.resume else start_run(args.preset or "paper", given, args.run or "")
    )
    path, run = folder.path, shlex.quote(str(folder.path))
    with folder, StopSignals(stop) as signals:
        try:
            set_up_torch(settings.run)
            print(f"{text}\n{budget(settings)}")
            agent = train(settings, folder, build(settings, log), saved, signals)
            print(f"\n{final_table(settings, agent, log)}")
            print(f"\nlast and best weights, tables and curves are in {path}; next:\n{next_steps(path)}")
        except (KeyboardInterrupt, Stop) as error:
            hint = f"all is saved; go on with: python -m edgediff.train --resume {run}"
            print(f"\nstopped; {hint if checkpoints(path) else 'nothing saved yet'}", file=sys.stderr)
            return 128 + (error.args[0] if isinstance(error, Stop) else signal.SIGINT)
        except OSError as error:
            advice = f"go on with --resume {run}" if path.is_dir() else "its folder is gone, start a new run"
            raise ConfigError(f"run: {path} cannot be written ({first_line(error)}); {advice}") from None
        except NonFiniteError as error:
            print(f"stopped: {error}; the last good weights are in {path / 'last.pt'}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_program("edgediff.train", main, silent=True))
