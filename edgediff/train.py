"""Algorithm 1: train the agent on the simulated edge network. `python -m edgediff.train --preset quick`."""

import json
import os
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import torch

from edgediff.agents import build_agent
from edgediff.checkpoint import save_weights
from edgediff.commandline import Parser, given_fields, guard, set_up_torch
from edgediff.config import PRESETS, LearnerConfig, WorldConfig, as_dict
from edgediff.errors import ConfigError, NonFiniteError
from edgediff.evaluate import agent_policy, compare, table, traffic_label
from edgediff.learner import Learner
from edgediff.report import Report, budget, mean_of_updates
from edgediff.rules import all_rules
from edgediff.simulator import Simulator
from edgediff.workload import HELD_OUT

_AGENT, _REPLAY = 100, 101  # names of the learner's random streams, beside those of the workload


def train(world: WorldConfig, config: LearnerConfig, run: Path) -> Learner:
    """Run Algorithm 1, its lines numbered as in the paper; return the trained agent.

    One epoch collects from all environments, then takes its gradient steps. Episodes follow each other inside
    the simulator. Raises `NonFiniteError` when a number goes bad; `run/last.pt` then holds the last good weights.
    """
    simulator, held_out = Simulator(world, config.num_envs), Simulator(world, config.eval_episodes)
    agent = build_agent(world, config, np.random.SeedSequence(config.seed, spawn_key=(_AGENT,)))
    memory = agent.memory()
    seed = np.random.SeedSequence(config.seed, spawn_key=(_REPLAY,)).generate_state(1, np.uint64)[0]
    sampling = torch.Generator(config.device).manual_seed(int(seed))
    best_reward, epoch, transitions, steps = -np.inf, 0, 0, 0
    save_weights(run / "last.pt", agent, world, epoch)

    with Report(run, config.epochs, agent.METRICS) as report:
        try:
            observation = simulator.reset(config.seed)  # line 2
            for epoch in range(config.epochs + 1):  # line 1; epoch 0 only evaluates
                decisions, updates = [], []
                for _ in range(config.collect_per_epoch // config.num_envs if epoch else 0):  # line 5
                    action = agent.act(observation)  # line 6
                    next_observation, reward, terminated, truncated, info = simulator.step(action)  # line 7
                    memory.add(observation, action, reward, info["final_observation"], terminated, truncated)  # line 8
                    observation = next_observation  # line 21
                    decisions.append((reward, info["completed"], info["delay_s"]))
                transitions += len(decisions) * config.num_envs
                for batch in agent.batches(memory, sampling):  # lines 9, 10
                    updates.append(agent.update(batch))  # lines 11-19
                metrics = mean_of_updates(updates, steps + 1)
                steps += len(updates)
                agent.act(observation, "argmax", generator=torch.Generator(config.device))  # raises if it cannot act
                save_weights(run / "last.pt", agent, world, epoch)
                if epoch:
                    report.epoch(epoch, transitions, steps, decisions, metrics)
                if epoch % config.eval_every == 0 or epoch == config.epochs:  # line 23
                    (score,) = compare(held_out, agent_policy(agent)).values()
                    report.evaluation(epoch, transitions, steps, score)
                    if score["reward"] > best_reward:
                        best_reward = score["reward"]
                        save_weights(run / "best.pt", agent, world, epoch)
        except KeyboardInterrupt:
            save_weights(run / "last.pt", agent, world, epoch)
            raise
        except NonFiniteError as error:
            raise NonFiniteError(f"{error} (epoch {epoch}, after gradient step {steps})") from None
    return agent  # line 25


def create_run_folder(run: Path) -> None:
    """Make the folder of a run, which must not exist yet: nothing is ever overwritten."""
    try:
        run.parent.mkdir(parents=True, exist_ok=True)
        run.mkdir()
    except OSError as error:
        if os.path.lexists(run):
            raise ConfigError(f"run: {run} exists and is left as it is; name a folder that does not exist") from None
        raise ConfigError(f"run: {run} cannot be created ({error.strerror})") from None


def main(argv: list[str]) -> int:
    """Train the diffusion-based scheduler, and compare it with simple rules on held-out traffic."""
    parser = Parser("python -m edgediff.train", main.__doc__)
    parser.add_argument("--preset", default="paper", help=f"named settings: {', '.join(PRESETS)} [paper]")
    parser.add_argument("--run", help="folder for weights and logs, which must not exist [runs/AGENT-PRESET-TIME]")
    parser.add_fields(LearnerConfig)
    parser.add_fields(WorldConfig)
    args = parser.parse_args(argv)
    if args.preset not in PRESETS:
        raise ConfigError(f"preset: {args.preset!r} is not one of {', '.join(PRESETS)}")
    config = LearnerConfig(**PRESETS[args.preset] | given_fields(args, LearnerConfig))
    world = WorldConfig(**given_fields(args, WorldConfig))
    set_up_torch(config)
    final = Simulator(world, config.final_episodes)  # reads the trace, if any, before anything is written
    run = Path(args.run or f"runs/{config.agent}-{args.preset}-{datetime.now():%Y%m%d-%H%M%S}")
    create_run_folder(run)
    (run / "config.json").write_text(json.dumps(as_dict(world, config), indent=2))

    who = f"agent {config.agent}, preset {args.preset}, seed {config.seed}"
    print(f"edgediff, {who}, {traffic_label(world)}; run folder {run}")
    print(budget(world, config), flush=True)
    try:
        agent = train(world, config, run)
        scores = compare(final, agent_policy(agent) | all_rules(), HELD_OUT + 1)
    except KeyboardInterrupt:
        where = f"the weights are in {run / 'last.pt'}" if (run / "last.pt").exists() else "nothing learned yet"
        print(f"\ninterrupted; {where}", file=sys.stderr)
        return 130
    except NonFiniteError as error:
        print(f"stopped: {error}; the last good weights are in {run / 'last.pt'}", file=sys.stderr)
        return 1
    print(f"\n{traffic_label(world)}; {config.final_episodes} held-out episodes; last weights\n{table(scores)}")
    print(f"\nlast and best weights, CSV and TensorBoard files: {run}")
    return 0


if __name__ == "__main__":
    sys.exit(guard("edgediff.train", main))
