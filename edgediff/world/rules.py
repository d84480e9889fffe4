"""Schedulers that learn nothing, for comparison, each a `Policy` as `rollout` plays it.

A scheduler is a function of the world and of what is known at a decision, in physical units. The greedy rules also
compute the outcome of each action: they know the model, and look no further than one flow.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError
from edgediff.world.decision import LEVEL_FACTORS, View, all_outcomes, occupied
from edgediff.world.delay import queueing_delay
from edgediff.world.rollout import Policy


class RoundRobin:
    """Take the gateways in turn, one turn per environment, always at the same level: the paper's baseline."""

    def __init__(self, level: int):
        self.level, self.turn = level, 0

    def __call__(self, world: WorldConfig, view: View) -> np.ndarray:
        gateway = self.turn % world.num_gateways
        self.turn += 1
        return np.full(len(view.flow), gateway * len(LEVEL_FACTORS) + self.level)


class UniformRandom:
    """Draw gateway and level uniformly from the given generator."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng

    def __call__(self, world: WorldConfig, view: View) -> np.ndarray:
        return self.rng.integers(world.num_actions, size=len(view.flow))


def smallest_wait(world: WorldConfig, view: View) -> np.ndarray:
    """Choose the gateway with the smallest T_q = Q / R_avail, Eq. (5), at the highest level."""
    wait_s = queueing_delay(view.backlog_bits, view.available_bps)
    return np.argmin(wait_s, axis=1) * len(LEVEL_FACTORS) + len(LEVEL_FACTORS) - 1


def most_available(world: WorldConfig, view: View) -> np.ndarray:
    """Choose the gateway with the most available bandwidth, at the highest level."""
    return view.available_bps.argmax(axis=1) * len(LEVEL_FACTORS) + len(LEVEL_FACTORS) - 1


def one_step_greedy(world: WorldConfig, view: View) -> np.ndarray:
    """Compute the outcome of every action and take the one with the largest immediate reward, Eq. (13)."""
    return all_outcomes(world, view).reward.argmax(axis=1)


def greedy_with_admission(world: WorldConfig, view: View) -> np.ndarray:
    """Take the largest reward among the actions that are in time; without one, hold as little as possible.

    A dropped flow holds nothing, so a flow that cannot be in time is dropped wherever that is possible.
    """
    result = all_outcomes(world, view)
    held_bits, _ = occupied(result)
    least = held_bits <= held_bits.min(axis=1, keepdims=True) * (1 + 1e-9)  # without a queue all levels hold D
    allowed = np.where(result.completed.any(axis=1, keepdims=True), result.completed, least)
    return np.where(allowed, result.reward, -np.inf).argmax(axis=1)


class GreedyWithPrices:
    """Take the largest r - p_b h_b - p_c h_c: the reward of Eq. (13) less a price on what an action holds.

    What a flow holds, the flows after it miss: an opportunity cost, which the greedy rule does not see. h_b is
    bandwidth in Mbit and h_c compute in TFLOP, `decision.occupied`. With `by_load`, prices are times the recent load.
    """

    def __init__(self, per_mbit: float, per_tflop: float, by_load: bool = False):
        self.per_mbit, self.per_tflop, self.by_load = per_mbit, per_tflop, by_load

    def __call__(self, world: WorldConfig, view: View) -> np.ndarray:
        result = all_outcomes(world, view)
        held_bits, held_tflop = occupied(result)
        cost = self.per_mbit * 1e-6 * held_bits + self.per_tflop * held_tflop
        load = view.load[:, None] if self.by_load else 1.0
        return (result.reward - load * cost).argmax(axis=1)


PRICES = 0.2, 0.033  # per Mbit and per TFLOP; chosen at load 1 on seed 0 and the seeds 20 and 21
TUNED_PRICES = 0.3, 0.0083  # chosen at loads 1 to 3 on the seeds 20 to 22, from 48 pairs
GREEDY = "one-step greedy (knows the model)"
PRICED = "greedy with prices (knows the model)"
PRICED_BY_LOAD = "greedy with prices times load (knows the model)"
TUNED = "greedy with tuned prices times load (knows the model)"
ADMISSION = "greedy with admission (knows the model)"

# The names by which programs take a rule.
RULES = {
    "round-robin": "round robin, level 2",
    "random": "random",
    "smallest-wait": "smallest wait",
    "most-available": "most available",
    "greedy": GREEDY,
    "prices": PRICED,
    "prices-load": PRICED_BY_LOAD,
    "prices-tuned": TUNED,
    "admission": ADMISSION,
}


def all_rules(seed: int | np.random.SeedSequence = 0) -> dict[str, Policy]:
    """Return a fresh copy of every rule, by name."""
    return {
        **{f"round robin, level {level}": RoundRobin(level) for level in range(len(LEVEL_FACTORS))},
        "random": UniformRandom(np.random.default_rng(seed)),
        "smallest wait": smallest_wait,
        "most available": most_available,
        GREEDY: one_step_greedy,
        PRICED: GreedyWithPrices(*PRICES),
        PRICED_BY_LOAD: GreedyWithPrices(*PRICES, by_load=True),
        TUNED: GreedyWithPrices(*TUNED_PRICES, by_load=True),
        ADMISSION: greedy_with_admission,
    }


def rule_or_run(scheduler: str | Path | Policy, label: str = "") -> str | Path | Policy:
    """Return the rule of a short name, a function as it is, or what names a run; `ConfigError` at anything else."""
    if isinstance(scheduler, str) and scheduler in RULES:
        return all_rules()[RULES[scheduler]]
    if callable(scheduler) or isinstance(scheduler, (str, Path)) and os.path.exists(scheduler):
        return scheduler
    shown = scheduler if isinstance(scheduler, (str, Path)) else f"a {type(scheduler).__name__}, no function,"
    raise ConfigError(f"{label}run: {shown} is neither a folder nor one of {', '.join(RULES)}")


def refuse_of_agents(weights: str, mode: str, run: Mapping[str, Any]) -> None:
    """Raise `ConfigError` at what only an agent has, where there is none."""
    draws = run.get("eval_draws")
    for name, value, usual in (("weights", weights, "last"), ("mode", mode, ""), ("eval_draws", draws, None)):
        if value != usual:
            raise ConfigError(f"{name}: {value} is given to a rule, which has none")
