"""The books of the gateways: what flows hold now, and what was accepted and has not left. Eqs. (4), (5), (7)."""

import numpy as np


class Ledger:
    """Grants that are held by flows on their way, and the bits that each gateway has still to send.

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

        It is never more than the flows on the way have. A link without a flow starts its count anew, so that
        what was sent twice does not add up.
        """
        idle = self.flows == 0
        self.sent_before = np.where(idle, sent_bits - self.accepted_bits, self.sent_before)
        return np.clip(self.accepted_bits - (sent_bits - self.sent_before), 0.0, self.on_the_way_bits)
