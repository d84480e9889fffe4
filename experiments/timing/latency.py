"""Time one decision and one update, by preset, agent, gateways and steps: `python -m experiments.timing.latency`.

One state, or one batch of the preset, on one thread. The times go to results/latency.csv, which
`experiments.analysis.gateways` draws, or to another new file.
"""

import sys
import time
from itertools import chain, count
from pathlib import Path

import numpy as np
import torch

from edgediff.config import RunConfig, preset_settings
from edgediff.errors import ConfigError
from edgediff.learner.agent import Agent
from edgediff.learner.agents import AGENTS
from edgediff.learner.replay import Replay
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program, set_up_torch
from edgediff.run.weights import new_agent
from experiments import RESULTS
from experiments.own_file import write_table
from experiments.timing.benchmark import seconds_per_call

PATH = RESULTS / "latency.csv"
COLUMNS = "preset", "agent", "gateways", "denoising_steps", "draws", "p50_ms", "p95_ms", "p99_ms", "update_ms"
BASELINES = [name for name in AGENTS if name != "d2sac"]
CASES = [  # preset, agent, gateways, denoising steps, draws
    *(("paper", "d2sac", 8, steps, 1) for steps in (1, 2, 5, 10, 20)),
    *(("paper", "d2sac", gateways, 10, 8) for gateways in (4, 8, 16, 32, 64)),
    *(("paper", agent, gateways, 0, 1) for gateways in (4, 8, 16, 32, 64) for agent in BASELINES),
    ("deploy", "d2sac", 8, 2, 8),
    *(("deploy", agent, 8, 0, 1) for agent in BASELINES),
]
WARM_UP, DECISIONS = 100, 2000


def decision_ms(agent: Agent, draws: int, decisions: int) -> list[float]:
    """Return the times of single decisions, after a warm-up."""
    states = np.random.default_rng(0).standard_normal((decisions + WARM_UP, 1, agent.state_dim), dtype=np.float32)
    times = []
    for state in states:
        start = time.perf_counter()
        agent.act(state, agent.act_stream, "mean" if draws > 1 else "argmax", draws)
        times.append(1e3 * (time.perf_counter() - start))
    return times[WARM_UP:]


def update_ms(agent: Agent) -> float:
    """Return the median time of a gradient step with its batch, on random transitions."""
    memory, generator = agent.memory(), torch.Generator().manual_seed(0)
    fill(memory, np.random.default_rng(0), agent.config.num_envs, agent)
    batches = chain.from_iterable(agent.batches(memory, generator) for _ in count())
    return 1e3 * seconds_per_call(lambda: agent.update(next(batches)))


def fill(memory: Replay, rng: np.random.Generator, envs: int, agent: Agent) -> None:
    """Store the random transitions of an epoch: a whole rollout, or a batch and more."""
    steps, no = agent.config.collect_per_epoch // envs, np.zeros(envs, bool)
    states = rng.standard_normal((1 + steps, envs, agent.state_dim), dtype=np.float32)
    for state, after in zip(states[:-1], states[1:], strict=True):
        memory.add(state, rng.integers(agent.num_actions, size=envs), rng.standard_normal(envs), after, no, no)


def main(argv: list[str]) -> int:
    """Time every case; print a table and write it to a new file."""
    parser = Parser("python -m experiments.timing.latency", main.__doc__)
    parser.add_argument("--output", metavar="FILE", default=str(PATH), help="a new CSV file [results/latency.csv]")
    path = Path(parser.parse(argv).output)
    if path.exists():
        raise ConfigError(f"output: {path} exists and is left as it is; move it away, or name another file")
    if not path.parent.is_dir():
        raise ConfigError(f"output: {path.parent} is not a folder")
    set_up_torch(RunConfig())
    rows = []
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for preset, name, gateways, steps, draws in CASES:
        rows.append((preset, name, gateways, steps or "", draws, *times(preset, name, gateways, steps or 1, draws)))
        print(f"| {' | '.join(map(str, rows[-1]))} |", flush=True)
    write_table(path, COLUMNS, rows)
    return 0


def times(preset: str, name: str, gateways: int, steps: int, draws: int) -> list[str]:
    """Return the quantiles of a decision's time, and the median time of an update, in ms."""
    learner = dict(agent=name, d2sac_denoising_steps=steps, buffer_size=10_000)
    agent = new_agent(preset_settings(preset, {"world": dict(num_gateways=gateways), "learner": learner}))
    quantiles = np.quantile(decision_ms(agent, draws, DECISIONS), [0.5, 0.95, 0.99])
    return [f"{ms:.3g}" for ms in (*quantiles, update_ms(agent))]


if __name__ == "__main__":
    sys.exit(run_program("latency", main))
