"""What gateways and edge server report to the controller, Section 3.1: measured, or kept in their books."""

import time

import numpy as np

from edgediff.config import WorldConfig
from experiments.testbed.links import Links
from experiments.testbed.plan import Plan


class Ledger:
    """The books of the gateways, Eqs. (4), (5), (7): grants of flows on their way, and bits still to be sent.

    Bandwidth is held until the last byte has arrived, compute until the answer.
    """

    def __init__(self, gateways: int, server_tflops: float):
        self.server_tflops, self.held_tflops, self.computing = server_tflops, 0.0, 0
        self.held_bps, self.accepted_bits, self.sent_before = np.zeros((3, gateways))
        self.on_the_way_bits, self.flows = np.zeros(gateways), np.zeros(gateways, np.int64)

    def begin(self, gateway: int, data_bits: float, rate_bps: float, tflops: float) -> None:
        """Take what a flow is granted."""
        self.held_bps[gateway] += rate_bps
        self.accepted_bits[gateway] += data_bits
        self.on_the_way_bits[gateway] += data_bits
        self.flows[gateway] += 1
        self.held_tflops, self.computing = self.held_tflops + tflops, self.computing + 1

    def arrived(self, gateway: int, data_bits: float, rate_bps: float) -> None:
        """Free the bandwidth of a flow: its last byte is at the server."""
        self.flows[gateway] -= 1
        self.held_bps[gateway] -= rate_bps
        self.on_the_way_bits[gateway] -= data_bits
        if not self.flows[gateway]:  # no rest of rounding
            self.held_bps[gateway] = self.on_the_way_bits[gateway] = 0.0

    def answered(self, tflops: float) -> None:
        """Free the compute of a flow."""
        self.computing -= 1
        self.held_tflops = self.held_tflops - tflops if self.computing else 0.0

    def available_bps(self, total_bps: np.ndarray) -> np.ndarray:
        """Return R_avail, (G,): what background traffic and grants leave of each link."""
        return np.maximum(total_bps - self.held_bps, 0.0)

    def available_tflops(self) -> float:
        """Return F_avail."""
        return max(self.server_tflops - self.held_tflops, 0.0)

    def unsent_bits(self, sent_bits: np.ndarray) -> np.ndarray:
        """Return Q, (G,): bits accepted less the payload that the kernel has counted at the link.

        It is never more than the flows on the way have. A link without a flow starts its count again, so that what was
        sent twice does not add up.
        """
        idle = self.flows == 0
        self.sent_before = np.where(idle, sent_bits - self.accepted_bits, self.sent_before)
        return np.clip(self.accepted_bits - (sent_bits - self.sent_before), 0.0, self.on_the_way_bits)


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
        return {
            "unsent_bits": self.ledger.unsent_bits(self.sent_bits),
            "fifo_bits": self.fifo_bits,
            "available_bps": self.ledger.available_bps(self.total_bps[self.slot]),
        }

    def report(self, measured: dict[str, np.ndarray]) -> dict:
        """Return what the controller is told before a decision."""
        return {
            "available_bps": measured["available_bps"].tolist(),
            "backlog_bits": measured[f"{self.queue}_bits"].tolist(),
            "available_tflops": self.ledger.available_tflops(),
        }
