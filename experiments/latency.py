"""Print how long one decision takes, by denoising steps: `python experiments/latency.py`. One state, one thread."""

import time

import numpy as np

from edgediff.config import LearnerConfig, RunConfig, WorldConfig
from edgediff.learner.agents import build_agent
from edgediff.run.commandline import set_up_torch


def main(decisions: int = 2000) -> None:
    """Time single decisions of d2sac, for several N and for the mean of several draws, and of sac, a plain MLP."""
    world, run = WorldConfig(), RunConfig()
    set_up_torch(run)
    print("| agent | p50 ms | p95 ms | p99 ms |\n|---|---|---|---|")
    cases = [("sac", 1, 1), *(("d2sac", steps, 1) for steps in (1, 2, 5, 10, 20)), ("d2sac", 10, run.eval_draws)]
    for agent, steps, draws in cases:
        config = LearnerConfig(agent=agent, d2sac_denoising_steps=steps)
        learner = build_agent(world.state_dim, world.num_actions, config, np.random.SeedSequence(0))
        states, times = np.random.default_rng(0).random((decisions + 100, 1, world.state_dim), dtype=np.float32), []
        for state in states:
            start = time.perf_counter()
            learner.act(state, "mean" if draws > 1 else "argmax", draws)
            times.append(1e3 * (time.perf_counter() - start))
        p50, p95, p99 = np.quantile(times[100:], [0.5, 0.95, 0.99])  # without the warm-up
        name = f"d2sac, N = {steps}, {draws} noise draw{'s' * (draws > 1)}" if agent == "d2sac" else agent
        print(f"| {name} | {p50:.2f} | {p95:.2f} | {p99:.2f} |")


if __name__ == "__main__":
    main()
