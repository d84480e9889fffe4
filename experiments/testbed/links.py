"""The links while an episode runs: background traffic takes from their rate; what they send is watched."""

import subprocess
from collections.abc import Sequence

import numpy as np

from experiments.testbed.counters import Count, Counters
from experiments.testbed.plan import BURST_S, WIRE, Link, rate_command

WINDOW = 25  # samples that a link's rate is judged over: one may be read 1 ms late
SLACK_BITS = 65_536  # beyond a burst: some five segments that the kernel has joined may overrun it


class Links:
    """All links of the network, in the namespace of this process."""

    def __init__(self, links: Sequence[Link]):
        self.devices = [link.device for link in links]
        self.counters = Counters(self.devices)
        # One `tc` for the whole episode: a process per change would take 2 ms of a core.
        self.tc = subprocess.Popen(["tc", "-batch", "-"], stdin=subprocess.PIPE, text=True)
        self.rates_bps = np.zeros(len(links))
        self.samples: list[tuple[float, np.ndarray, list[Count]]] = []  # time, rates that may hold, counts

    def set_rates(self, rates_bps: np.ndarray) -> None:
        """Give every link the rate of payload that background traffic leaves."""
        changed = np.flatnonzero(rates_bps != self.rates_bps)
        if changed.size:
            lines = [rate_command("change", self.devices[g], rates_bps[g]) for g in changed]
            self.tc.stdin.write("\n".join(lines) + "\n")
            self.tc.stdin.flush()

    def sample(self, now_s: float, rates_bps: np.ndarray) -> list[Count]:
        """Read and keep the counts; the rates are those from now on."""
        counts = self.counters.read()
        self.samples.append((now_s, np.maximum(rates_bps, self.rates_bps), counts))  # `tc` takes a moment
        self.rates_bps = rates_bps
        return counts

    def highest_share(self) -> float:
        """Return the most that a link has sent in a window, as a share of what its rate allows."""
        times, rates_bps, counts = zip(*self.samples, strict=True)
        wire_bits = 8.0 * np.array([[count.sent_bytes for count in each] for each in counts])
        steps_s = np.diff(times)[:, None]
        allowed_bits = WIRE * np.cumsum(np.array(rates_bps)[:-1] * steps_s, axis=0)
        allowed_bits = np.vstack([np.zeros_like(allowed_bits[:1]), allowed_bits])
        if len(times) <= WINDOW:
            return 0.0
        burst_bits = WIRE * BURST_S * np.max(rates_bps, axis=0) + SLACK_BITS
        sent, may = (total[WINDOW:] - total[:-WINDOW] for total in (wire_bits, allowed_bits))
        return float((sent / (may + burst_bits)).max())

    def drops(self) -> int:
        """Return how many packets found a fifo full."""
        return sum(count.drops for count in self.samples[-1][2])

    def close(self) -> bool:
        """End `tc`; return whether it took every change."""
        self.tc.stdin.close()
        return self.tc.wait() == 0
