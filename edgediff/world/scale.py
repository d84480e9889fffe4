"""How large the entries of the state are: means and deviations in closed form from the configuration."""

from functools import lru_cache
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


@lru_cache
def state_scale(world: WorldConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return centre and unit of every entry of the state, Eq. (11), (S,) each, in closed form from the configuration.

    Flows: mean and standard deviation of their laws. Q: E[D]. R_avail: assuming reservations take a uniformly
    distributed share of what background traffic leaves. F_avail: assuming a Poisson number of flows at load 1, each
    holding its level-0 compute until its deadline. The load of the world does not enter, so that a policy can be tried
    at any load. The arrays are shared by all callers and cannot be written to.
    """
    b, t, work = bandwidth_moments(world), deadline_moments(world), work_per_bit(world)
    data = data_moments(world)
    tflop = Moments(mean_work_tflop(world), (work**2).mean() * data.square)
    left = 1 - np.array([world.quiet_load, world.busy_load])
    share = Moments(left.mean() / 2, (left**2).mean() / 3)
    flows_per_s = world.arrival_rate * world.num_workshops / world.slot_s
    held = flows_per_s * tflop.mean / world.compute_fraction
    held_variance = (
        flows_per_s * (work**2).mean() * world.size_fraction**2 * b.square * t.mean / world.compute_fraction**2
    )
    ones = np.ones(world.num_gateways)
    flow = [data.mean, tflop.mean, 2.0, t.mean]
    flow_unit = [data.deviation, tflop.deviation, np.sqrt(2 / 3), t.deviation]
    centre = np.array([*flow, *0 * ones, *share.mean * ones, world.server_tflops - held])
    unit = np.array([*flow_unit, *ones, *share.deviation * ones, np.sqrt(held_variance)])
    unit[unit == 0] = 1.0  # a constant has deviation 0
    for shared in (centre, unit):
        shared.setflags(write=False)
    return centre, unit
