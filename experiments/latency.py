"""Print how long one decision takes, by denoising steps: `python experiments/latency.py`. One state, one thread."""

import time

import numpy as np

from edgediff.agents import build_agent
from edgediff.commandline import set_up_torch
from edgediff.config import LearnerConfig, WorldConfig


def main() -> None:
    """Time single decisions of d2sac for several N, and of sac, whose actor is a plain MLP."""
    world = WorldConfig()
    print("| agent | p50 ms | p95 ms | p99 ms |\n|---|---|---|---|")
    for agent, steps in (("sac", 1), *(("d2sac", n) for n in (1, 2, 5, 10, 20))):
        config = LearnerConfig(agent=agent, denoising_steps=steps)
        set_up_torch(config)
        learner = build_agent(world, config, np.random.SeedSequence(0))
        states, times = np.random.default_rng(0).random((2100, 1, world.state_dim), dtype=np.float32), []
        for state in states:
            start = time.perf_counter()
            learner.act(state)
            times.append(1e3 * (time.perf_counter() - start))
        p50, p95, p99 = np.quantile(times[100:], [0.5, 0.95, 0.99])
        name = f"d2sac, N = {steps}" if agent == "d2sac" else agent
        print(f"| {name} | {p50:.2f} | {p95:.2f} | {p99:.2f} |")


if __name__ == "__main__":
    main()
