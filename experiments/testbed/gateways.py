"""What gateways and edge server report to the controller, Section 3.1: measured, or kept in their books."""

import time

import numpy as np

from edgediff.config import WorldConfig
from experiments.testbed.ledger import Ledger
from experiments.testbed.links import Links
from experiments.testbed.plan import Plan


class Gateways:
    """The links with the grants on them. `queue` says what is reported as Q."""

    def __init__(self, plan: Plan, world: WorldConfig, total_bps: np.ndarray, queue: str):
        self.total_bps, self.queue, self.slot = total_bps, queue, 0
        self.links, self.ledger = Links(plan.links), Ledger(len(plan.links), world.server_tflops)
        self.overgranted: list[float] = []  # of every slot: share of the links that have granted more than they have

    def begin_slot(self, slot: int) -> None:
        """Let background traffic change the rates, and read the kernel's counters."""
        self.slot, rates_bps = slot, self.total_bps[slot]
        self.links.set_rates(rates_bps)
        counts = self.links.sample(time.monotonic(), rates_bps)
        self.fifo_bits = np.array([8.0 * count.backlog_bytes for count in counts])
        self.sent_bits = np.array([count.payload_bits for count in counts], float)
        self.overgranted.append(float((self.ledger.held_bps > rates_bps).mean()))

    def measured(self) -> dict[str, np.ndarray]:
        """Return all that the gateways have accepted and not sent, what waits in their fifos, and R_avail, (G,)."""
        return {"unsent_bits": self.ledger.unsent_bits(self.sent_bits), "fifo_bits": self.fifo_bits,
                "available_bps": self.ledger.available_bps(self.total_bps[self.slot])}  # fmt: skip

    def report(self, measured: dict[str, np.ndarray]) -> dict:
        """Return what the controller is told before a decision."""
        return {"available_bps": measured["available_bps"].tolist(),
                "backlog_bits": measured[f"{self.queue}_bits"].tolist(),
                "available_tflops": self.ledger.available_tflops()}  # fmt: skip
