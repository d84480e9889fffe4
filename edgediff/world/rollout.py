"""Play held-out episodes with any scheduler and average the result: the same score for all."""

from collections.abc import Callable

import numpy as np

from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT

PRIORITIES = 1, 2, 3
SCORES = ("completion", "latency_s", "latency_p95_s", "dropped", "imbalance", "reward",
          *(f"completion_p{p}" for p in PRIORITIES))  # fmt: skip


def rollout(simulator: Simulator, policy: Callable, seed: int = HELD_OUT) -> dict[str, np.ndarray]:
    """Play episode 0 of every environment to its end; return the outcome of each flow, as arrays (F,).

    Environments that finish early go on into their next episode, and those flows are not counted.
    """
    observation = simulator.reset(seed)
    playing = np.ones(simulator.num_envs, bool)
    kept = []
    names = ("completed", "delay_s", "dropped", "imbalance", "reward", "priority")
    while playing.any():
        observation, _, _, truncated, info = simulator.step(policy(observation, simulator))
        kept.append([info[name][playing] for name in names])
        playing &= ~truncated
    return {name: np.concatenate(parts) for name, parts in zip(names, zip(*kept))}


def summarise(flows: dict[str, np.ndarray]) -> dict[str, float]:
    """Average over flows (F,). A dropped flow counts as late, with the drop limit as its latency."""
    completed, priority = flows["completed"], flows["priority"]
    by_priority = [completed[priority == p] for p in PRIORITIES]
    delay_s = flows["delay_s"]
    values = (completed.mean(), delay_s.mean(), np.quantile(delay_s, 0.95), flows["dropped"].mean(),
              flows["imbalance"].mean(), flows["reward"].mean(),
              *(part.mean() if part.size else np.nan for part in by_priority))  # fmt: skip
    return {name: float(value) for name, value in zip(SCORES, values)}
