"""Play held-out episodes with any scheduler and average the result: the same score for all."""

from collections.abc import Callable

import numpy as np

from edgediff.config import WorldConfig
from edgediff.world.decision import View
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT

PRIORITIES = 1, 2, 3
AVERAGES = "dropped", "imbalance", "reward"
SCORES = "completion", "latency_s", "latency_p95_s", *AVERAGES, *(f"completion_p{p}" for p in PRIORITIES)
Policy = Callable[[WorldConfig, View], np.ndarray]  # a scheduler: from what is known to actions, (E,)


def rollout(simulator: Simulator, policy: Policy, seed: int = HELD_OUT) -> dict[str, np.ndarray]:
    """Play episode 0 of every environment to its end; return the outcome of each flow, as arrays (F,).

    Environments that finish early go on into their next episode, and those flows are not counted.
    """
    simulator.reset(seed)
    playing = np.ones(simulator.num_envs, bool)
    kept = []
    names = ("completed", "delay_s", "dropped", "imbalance", "reward", "priority")
    while playing.any():
        _, _, _, truncated, info = simulator.step(policy(simulator.world, simulator.view()))
        kept.append([info[name][playing] for name in names])
        playing &= ~truncated
    return {name: np.concatenate(parts) for name, parts in zip(names, zip(*kept, strict=True), strict=True)}


def summarise(flows: dict[str, np.ndarray]) -> dict[str, float]:
    """Average over flows (F,). A dropped flow counts as late, with the drop limit as its latency."""
    completed, delay_s, priority = flows["completed"], flows["delay_s"], flows["priority"]
    values = {
        "completion": completed.mean(),
        "latency_s": delay_s.mean(),
        "latency_p95_s": np.quantile(delay_s, 0.95),
        **{name: flows[name].mean() for name in AVERAGES},
    }
    for p in PRIORITIES:
        mine = completed[priority == p]
        values[f"completion_p{p}"] = mine.mean() if mine.size else np.nan
    return {name: float(value) for name, value in values.items()}
