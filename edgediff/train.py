"""Algorithm 1: train the agent on the simulated edge network. `python -m edgediff.train --preset quick`."""

import signal
import sys
from pathlib import Path

import numpy as np
import torch

from edgediff.agents import build_agent
from edgediff.checkpoint import Parts, Progress, capture, reinstate
from edgediff.commandline import Parser, guard
from edgediff.config import PRESETS, LearnerConfig, WorldConfig
from edgediff.decision import observe
from edgediff.errors import ConfigError, NonFiniteError
from edgediff.evaluate import agent_policy, compare, contenders, table, traffic_label
from edgediff.keeper import Keeper, Stop
from edgediff.learner import Learner
from edgediff.report import Report, budget, mean_of_updates
from edgediff.runfolder import generations, remove_leftovers, save_state, write_settings
from edgediff.simulator import Simulator
from edgediff.start import begin, resume
from edgediff.weights import save_weights
from edgediff.workload import HELD_OUT

_AGENT, _REPLAY = 100, 101  # names of the learner's random streams, beside those of the workload


def build(world: WorldConfig, config: LearnerConfig) -> Parts:
    """Create simulator, agent, replay memory and the stream that samples it, all fresh from the run's seed."""
    simulator = Simulator(world, config.num_envs)
    simulator.reset(config.seed)
    agent = build_agent(world, config, np.random.SeedSequence(config.seed, spawn_key=(_AGENT,)))
    seed = np.random.SeedSequence(config.seed, spawn_key=(_REPLAY,)).generate_state(1, np.uint64)[0]
    return Parts(simulator, agent, agent.memory(), torch.Generator(config.device).manual_seed(int(seed)))


def train(world: WorldConfig, config: LearnerConfig, run: Path, saved: dict | None = None) -> Learner:
    """Run Algorithm 1, its lines numbered as in the paper; return the trained agent.

    One epoch collects from all environments, then takes its gradient steps. Episodes follow each other inside
    the simulator. `saved` is the state of a run to go on from. Raises `NonFiniteError` when a number goes bad;
    `run/last.pt` then holds the last good weights. Raises `Stop` after SIGINT or SIGTERM; all is saved then.
    """
    parts = simulator, agent, memory, sampling = build(world, config)
    held_out = Simulator(world, config.eval_episodes, trace=simulator.trace)
    at = reinstate(saved, parts) if saved else Progress()
    remove_leftovers(run)
    observation = observe(world, simulator.view())  # line 2
    report = Report(run, config, agent.METRICS, at.epoch, saved["tables"] if saved else {})
    write_settings(run, world, config, at.extended)

    def save():
        save_state(run, capture(world, config, parts, at, report.texts()))

    with report, Keeper(config.checkpoint_every_s, save) as keeper:
        try:
            if not saved:
                save_weights(run / "last.pt", agent, world, at.epoch)
            if not saved or saved["learner"] != config:
                keeper.save()
            while at.epoch <= config.epochs:  # line 1; epoch 0 only evaluates
                while at.epoch and len(at.decisions) < config.collect_per_epoch // config.num_envs:  # line 5
                    action = agent.act(observation)  # line 6
                    next_observation, reward, terminated, truncated, info = simulator.step(action)  # line 7
                    memory.add(observation, action, reward, info["final_observation"], terminated, truncated)  # line 8
                    observation = next_observation  # line 21
                    at.decisions.append(np.array([reward, info["completed"], info["delay_s"]]))
                    keeper.tick()
                while at.epoch and len(at.updates) < agent.num_updates(memory):  # line 9
                    batch = agent.batch(memory, len(at.updates), sampling)  # line 10
                    at.updates.append(agent.update(batch))  # lines 11-19
                    keeper.tick()
                metrics = mean_of_updates(at.updates, at.steps + 1)
                agent.act(observation, generator=torch.Generator(config.device))  # raises if it cannot act
                score = {}
                if at.epoch % config.eval_every == 0 or at.epoch == config.epochs:  # line 23
                    (score,) = compare(held_out, keeper.interruptible(agent_policy(agent))).values()
                save_weights(run / "last.pt", agent, world, at.epoch)
                at.transitions += len(at.decisions) * config.num_envs
                at.steps += len(at.updates)
                if at.epoch:
                    report.epoch(at, metrics)
                if score:
                    report.evaluation(at, score)
                    if score["reward"] > at.best_reward:
                        at.best_reward = score["reward"]
                        save_weights(run / "best.pt", agent, world, at.epoch)
                at.epoch, at.decisions, at.updates = at.epoch + 1, [], []  # lines 22, 24
                keeper.tick()
            keeper.save()
            report.say(keeper.cost())
        except Stop:
            keeper.save()
            raise
        except NonFiniteError as error:
            raise NonFiniteError(f"{error} (epoch {at.epoch}, after gradient step {at.steps})") from None
    return agent  # line 25


def main(argv: list[str]) -> int:
    """Train the diffusion-based scheduler, and compare it with simple rules on held-out traffic."""
    parser = Parser("python -m edgediff.train", main.__doc__)
    parser.add_argument("--preset", help=f"named settings: {', '.join(PRESETS)} [paper]")
    parser.add_argument("--run", help="folder for weights and logs, which must not exist [runs/AGENT-PRESET-TIME]")
    parser.add_argument("--resume", metavar="RUN", help="folder of a run to go on with, with the settings it has")
    parser.add_fields(LearnerConfig)
    parser.add_fields(WorldConfig)
    args = parser.parse_args(argv)
    world, config, run, saved, held = resume(args) if args.resume else begin(args)
    with held:
        print(budget(world, config), flush=True)
        try:
            agent = train(world, config, run, saved)
            final = Simulator(world, config.final_episodes)
            scores = compare(final, contenders(agent), HELD_OUT + 1)
        except (KeyboardInterrupt, Stop) as error:
            hint = f"all is saved; go on with: python -m edgediff.train --resume {run}"
            print(f"\nstopped; {hint if generations(run) else 'nothing saved yet'}", file=sys.stderr)
            return 128 + getattr(error, "number", signal.SIGINT)
        except OSError as error:
            raise ConfigError(f"run: {run} cannot be written ({error}); go on with --resume {run}") from None
        except NonFiniteError as error:
            print(f"stopped: {error}; the last good weights are in {run / 'last.pt'}", file=sys.stderr)
            return 1
    print(f"\n{traffic_label(world)}; {config.final_episodes} held-out episodes; last weights\n{table(scores)}")
    print(f"\nlast and best weights, CSV and TensorBoard files: {run}")
    return 0


if __name__ == "__main__":
    sys.exit(guard("edgediff.train", main))
