"""The laws of size, bandwidth, deadline and workload of a flow, Eq. (1): their moments in closed form."""

from typing import NamedTuple

import numpy as np

from edgediff.config import WorldConfig


def work_per_bit(world: WorldConfig) -> np.ndarray:
    """Return the workload of a bit by kind of flow, (3,), in TFLOP."""
    return np.array([world.text_work, world.image_work, world.scene3d_work]) * 1e-6


def mean_data_bits(world: WorldConfig) -> float:
    """Return E[D]."""
    return data_moments(world).mean


def mean_work_tflop(world: WorldConfig) -> float:
    """Return E[C]."""
    return float(work_per_bit(world).mean()) * mean_data_bits(world)


def mean_sending_s(world: WorldConfig) -> float:
    """Return E[D / b], the mean T_tx of Eq. (3) at the required bandwidth."""
    return world.size_fraction * deadline_moments(world).mean


class Moments(NamedTuple):
    """Mean and mean square of a random number."""

    mean: float
    square: float

    @property
    def deviation(self) -> float:
        """Return the standard deviation."""
        return float(np.sqrt(max(self.square - self.mean**2, 0.0)))


def uniform_moments(low: float, high: float) -> Moments:
    """Return the moments of the uniform law from low to high."""
    return Moments((low + high) / 2, (low**2 + low * high + high**2) / 3)


def bandwidth_moments(world: WorldConfig) -> Moments:
    """Return the moments of b."""
    return uniform_moments(world.bandwidth_low_bps, world.bandwidth_high_bps)


def deadline_moments(world: WorldConfig) -> Moments:
    """Return the moments of T_req."""
    return uniform_moments(world.deadline_low_s, world.deadline_high_s)


def data_moments(world: WorldConfig) -> Moments:
    """Return the moments of D: b and T_req are independent."""
    b, t = bandwidth_moments(world), deadline_moments(world)
    return Moments(world.size_fraction * b.mean * t.mean, world.size_fraction**2 * b.square * t.square)
