"""What `compare` and `alone` play, and the columns of what they write."""

from itertools import product
from typing import NamedTuple

from experiments.testbed.connections import WARM_UP_SEGMENTS
from experiments.testbed.episode_result import DEVIATIONS, PROCESSES, SCORES, STALLS

# Runs, each with the traffic of its turn: as files of `edgediff.export`, which decide sooner, and as they are.
AGENT, TORCH = "agent", "agent-torch"
SCHEDULERS = "round-robin", "greedy", "prices-load", "price-crowding", AGENT
LOADS, SEEDS, TRIES = (1.0, 1.5, 2.0), tuple(range(10)), 3
# What the controller is told as Q, whether grants are enforced, and the loads and seeds that are played so. What is
# played again is the noise of the kernel.
SETTINGS = {
    "fifo": ("fifo", True, LOADS, SEEDS),
    "again": ("fifo", True, (2.0,), SEEDS),
    "unsent": ("unsent", True, (2.0,), SEEDS[:3]),
    "unpaced": ("unsent", False, (2.0,), SEEDS[:3]),
}
KEYS = "setting", "scheduler", "load", "seed"
SCORED = tuple(f"{before}{name}" for before in ("", "simulated_", "without_wait_") for name in SCORES)
FIDELITY = "late_p99_s", "late_max_s", "answer_late_max_s", "length", "link", "drops", *PROCESSES, *STALLS
COLUMNS = *KEYS, "flows", *SCORED, *DEVIATIONS, "asked_p50_ms", "asked_p99_ms", "asked_max_ms", *FIDELITY
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
    """Return all runs in the order that they are played in: one seed after the other, all schedulers in turn.

    Agents with torch play the usual setting at load 2 alone.
    """
    return [
        Case(setting, scheduler, load, seed)
        for seed, (setting, (_, _, loads, seeds)) in product(SEEDS, SETTINGS.items())
        for load, scheduler in product(loads, (*SCHEDULERS, TORCH))
        if seed in seeds and (scheduler != TORCH or (setting, load) == ("fifo", 2.0))
    ]
