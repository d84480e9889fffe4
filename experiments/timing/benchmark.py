"""How fast things are here, and what Eq. (27) leaves out: `python -m experiments.timing.benchmark [--device cuda]`."""

import resource
import sys
import time
from collections import Counter

import numpy as np
import torch

from edgediff.config import PRESETS, LearnerConfig, RunConfig, Settings, preset_settings
from edgediff.errors import ConfigError
from edgediff.learner import complexity
from edgediff.learner.agent import Agent
from edgediff.learner.agents import AGENTS
from edgediff.learner.cuda_graph import WARM_UPS
from edgediff.learner.d2sac import D2SAC
from edgediff.learner.replay import Replay
from edgediff.run import files
from edgediff.run.checkpoint import Checkpointer
from edgediff.run.commandline import Parser, given_settings
from edgediff.run.folder import KIND, Progress, checkpoints, create
from edgediff.run.process import run_program, set_up_torch
from edgediff.run.scores import agent_policy, score
from edgediff.run.weights import new_agent
from edgediff.train import build
from edgediff.world.rules import RoundRobin
from edgediff.world.simulator import Simulator
from experiments.scratch import scratch_folder


def seconds_per_call(call, seconds: float = 2.0) -> float:
    """Return the median time of a call, after a warm-up, over about `seconds`; a GPU is waited for."""
    for _ in range(2 * WARM_UPS):
        call()
    times, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        call()
        wait()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def wait() -> None:
    """Wait for a GPU in use to finish what it was given."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def simulate(settings: Settings, num_envs: int) -> float:
    """Return simulated decisions per second under round robin."""
    simulator, policy = Simulator.of(settings, num_envs), RoundRobin(1)
    simulator.reset(0)
    return num_envs / seconds_per_call(lambda: simulator.step(policy(simulator.world, simulator.view())))


def filled_replay(settings: Settings, agent: Agent) -> Replay:
    """Collect real transitions: those of an epoch or of four batches, or as many as the memory holds."""
    learner, replay = settings.learner, agent.memory()
    simulator = Simulator.of(settings, learner.num_envs)
    observation, wanted = simulator.reset(0), max(4 * learner.batch_size, learner.collect_per_epoch)
    while len(replay) < min(wanted, replay.rows * replay.num_envs):
        action = agent.explore(observation)
        following, reward, terminated, truncated, info = simulator.step(action)
        replay.add(observation, action, reward, info["successor"], terminated, truncated)
        observation = following
    return replay


def save_full_state(settings: Settings) -> tuple[float, float, float]:
    """Save and read the state of a run whose buffer is full; return MB, seconds to save and seconds to read."""
    parts = build(settings)
    memory = parts.memory
    memory.state.uniform_(), memory.next_state.uniform_(), memory.reward.normal_()
    memory.ended[:: settings.world.num_slots] = True
    memory.num_rows = memory.rows
    with (
        scratch_folder(".") as scratch,  # in memory, where many systems keep theirs, is no disk
        create(scratch / "run", unique=False) as folder,
    ):
        times = [time.perf_counter()]
        Checkpointer(folder, settings, parts, Progress(), None).save()
        times.append(time.perf_counter())
        files.read(checkpoints(folder.path)[-1], KIND)
        times.append(time.perf_counter())
        megabytes = checkpoints(folder.path)[-1].stat().st_size / 1e6
    return megabytes, times[1] - times[0], times[2] - times[1]


def update_times(settings: Settings) -> dict[str, list[float]]:
    """Return the milliseconds of an update of every agent; on a GPU also with its kernels launched one by one."""
    found = {}
    for name in AGENTS:
        given = settings.changed({"world": {}, "learner": {"agent": name}, "run": {}})
        agent = build(given).agent
        batch = next(agent.batches(filled_replay(given, agent), torch.Generator(given.run.device).manual_seed(0)))
        calls = [lambda: agent.update(batch)]  # noqa: B023
        if given.run.device == "cuda":
            calls.append(lambda: type(agent).update(agent, batch))  # noqa: B023
        found[name] = [1e3 * seconds_per_call(call) for call in calls]
    return found


def shares(settings: Settings, epochs: int = 5) -> dict[str, float]:
    """Return the seconds that an epoch of training spends in each of its parts, once the memory holds a batch."""
    simulator, agent, memory, sampling = build(settings)
    observation, spent = simulator.observation(), Counter()

    def timed(part, call, *arguments):
        start = time.perf_counter()
        result = call(*arguments)
        wait()
        spent[part] += time.perf_counter() - start
        return result

    for epoch in range(epochs + 2):
        if epoch == 2:
            spent.clear()
        for _ in range(settings.learner.collect_per_epoch // settings.learner.num_envs):
            action = timed("acting", agent.explore, observation)
            following, reward, terminated, truncated, info = timed("simulator", simulator.step, action)
            step = observation, action, reward, info["successor"], terminated, truncated
            timed("storing", memory.add, *step)
            observation = following
        batches = agent.batches(memory, sampling)
        while batch := timed("sampling", next, batches, None):
            timed("updates", agent.update, batch)
    held_out = Simulator.of(settings, settings.run.eval_episodes)
    timed("evaluation", score, held_out, agent_policy(agent, settings.run)[1])
    return {part: s if part == "evaluation" else s / epochs for part, s in spent.items()}


def main(argv: list[str]) -> int:
    """Measure simulator, acting, updating and saving, and count what they compute."""
    parser = Parser("python -m experiments.timing.benchmark", main.__doc__)
    parser.add_argument("--preset", metavar="X", default="paper", help=f"named settings: {', '.join(PRESETS)} [paper]")
    parser.add_settings(LearnerConfig, RunConfig)
    args = parser.parse(argv)
    settings = preset_settings(args.preset, given_settings(args))
    world, config, run = settings
    if config.agent != "d2sac":
        raise ConfigError(f"agent: {config.agent} is not d2sac; the benchmark times every agent")
    set_up_torch(run)
    agent = new_agent(settings)
    where = torch.cuda.get_device_name() if run.device == "cuda" else f"{run.threads} thread"
    print(f"preset {args.preset}, {where}, matrix products at precision {run.matmul_precision}\n")

    for num_envs in (1, 100, 1000):
        print(f"simulator, E = {num_envs:<5}{simulate(settings, num_envs):>12,.0f} decisions/s under round robin")
    for batch in (1, 16, 100, 256, 4096):
        observation = np.random.default_rng(0).random((batch, agent.state_dim), dtype=np.float32)
        rate = batch / seconds_per_call(lambda: agent.act(observation, agent.act_stream, draws=1))  # noqa: B023
        print(f"acting, batch {batch:<6}{rate:>12,.0f} decisions/s")

    for name, (recorded_ms, *plain_ms) in update_times(settings).items():
        plain = "".join(f"; {ms:.2f} ms with its kernels launched one by one" for ms in plain_ms)
        print(f"update of {name:<9}{recorded_ms:>12.2f} ms{plain}")
    parts_s = shares(settings)
    print("an epoch: " + ", ".join(f"{part} {s:.3f} s" for part, s in parts_s.items()))
    megabytes, save_s, read_s = save_full_state(settings)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    print(f"state of a run with {config.buffer_size:,} transitions: {megabytes:.0f} MB, saved in {save_s:.2f} s")
    print(f"and read in {read_s:.2f} s; peak memory so far {peak_gb:.2f} GB\n")
    print("\n".join(counts(agent)))
    return 0


def counts(agent: D2SAC) -> list[str]:
    """Return lines on what Eq. (27) counts and what it leaves out: batch, target chain and backward pass."""
    steps, batch = agent.config.d2sac_denoising_steps, agent.config.batch_size
    p_d, p_c = complexity.parameter_count(agent.actor), complexity.parameter_count(agent.critics)
    lines = [f"parameters: actor {p_d:,}, critics {p_c:,}"]
    try:
        decision, update = complexity.chain_cost(agent.actor, steps), complexity.update_cost(agent.actor, steps, batch)
    except ConfigError as error:  # of a shared network
        return [*lines, str(error)]
    printed = complexity.printed_cost(steps, p_d, p_d, p_c)
    lines.append(f"multiply-adds of a decision: {decision:,} (paper: K P_d = {steps * p_d:,})")
    return [*lines, f"multiply-adds of an update: {update:,}, {update // batch:,} a sample (Eq. 27: {printed:,})"]


if __name__ == "__main__":
    sys.exit(run_program("benchmark", main))
