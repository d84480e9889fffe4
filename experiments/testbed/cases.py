"""What `compare` and `alone` play, and the columns of what they write."""

from itertools import product
from typing import NamedTuple

from experiments.testbed.connections import WARM_UP_SEGMENTS
from experiments.testbed.episode_result import DEVIATIONS, PROCESSES, SCORES

AGENT = "agent"  # the deployed agent of the repository
SCHEDULERS = "round-robin", "most-available", "greedy", "prices", AGENT
LOADS, SEEDS, TRIES = (0.5, 1.0, 1.5, 2.0), (0, 1, 2), 3
# What the controller is told as Q, whether grants are enforced, and the loads and seeds that are played so.
SETTINGS = {
    "fifo": ("fifo", True, LOADS, SEEDS),
    "unsent": ("unsent", True, (1.0, 2.0), SEEDS),
    "unpaced": ("unsent", False, (1.0, 2.0), SEEDS),
}
KEYS = "setting", "scheduler", "load", "seed"
SCORED = tuple(f"{before}{name}" for before in ("", "simulated_", "without_wait_") for name in SCORES)
FIDELITY = "late_p99_s", "length", "link", "drops", *PROCESSES
COLUMNS = *KEYS, "flows", *SCORED, *DEVIATIONS, "asked_p50_ms", "asked_p99_ms", *FIDELITY
DRAWN_LOAD, DRAWN = 2.0, ("round-robin", AGENT)  # flows that flows.csv keeps for the picture
FLOW_COLUMNS = "setting", "scheduler", "predicted_s", "measured_s"

ALONE_COLUMNS = "connection", "rate_bps", "data_bits", "ratio"
ALONE_BPS, ALONE_BITS = (2e6, 10e6, 40e6), (5e4, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7)
CONNECTIONS = {"used connection": WARM_UP_SEGMENTS, "new connection": 0}  # and how many segments it has sent before


class Case(NamedTuple):
    """One run."""

    setting: str
    scheduler: str
    load: float
    seed: int


def cases() -> list[Case]:
    """Return all runs in the order that they are played in."""
    return [
        Case(setting, *case)
        for setting, (_, _, loads, seeds) in SETTINGS.items()
        for case in product(SCHEDULERS, loads, seeds)
    ]
