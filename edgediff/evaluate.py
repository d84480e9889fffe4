"""One rollout-and-summarise for everything that schedules, on held-out traffic."""

from typing import Callable

import numpy as np

from edgediff.simulator import Simulator
from edgediff.workload import HELD_OUT

METRICS = ("completion", "latency_s", "latency_p95_s", "dropped", "imbalance", "reward",
           "completion_p1", "completion_p2", "completion_p3")  # fmt: skip


def rollout(simulator: Simulator, policy: Callable, seed: int = HELD_OUT) -> dict[str, np.ndarray]:
    """Play episode 0 of every environment to its end; return what became of each flow, as arrays (F,).

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
    """Average over flows: the METRICS. A dropped flow counts as late, with the drop limit as its latency."""
    completed, priority = flows["completed"], flows["priority"]
    return {
        "completion": float(completed.mean()),
        "latency_s": float(flows["delay_s"].mean()),
        "latency_p95_s": float(np.quantile(flows["delay_s"], 0.95)),
        "dropped": float(flows["dropped"].mean()),
        "imbalance": float(flows["imbalance"].mean()),
        "reward": float(flows["reward"].mean()),
    } | {f"completion_p{p}": float(completed[priority == p].mean()) if (priority == p).any() else float("nan") for p in (1, 2, 3)}  # fmt: skip
