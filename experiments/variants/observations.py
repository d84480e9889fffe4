"""Other scales of the state, Eq. (11), to compare with the one of `edgediff.world.state`.

Every form is a function like `observe`, for `Simulator(..., state_of_view=form)`.
"""

from dataclasses import dataclass

import numpy as np

from edgediff.config import WorldConfig
from edgediff.world import delay
from edgediff.world.decision import View
from edgediff.world.laws import bandwidth_moments, mean_data_bits, work_per_bit
from edgediff.world.state import observe, raw_state, state_scale


def unit_interval(world: WorldConfig, view: View) -> np.ndarray:
    """Scale the state to about [0, 1]: every entry divided by the largest value of its kind."""
    largest_bits = world.size_fraction * world.bandwidth_high_bps * world.deadline_high_s
    gateways = np.ones(world.num_gateways)
    of_flow = [largest_bits, largest_bits * work_per_bit(world).max(), 3, world.deadline_high_s]
    largest = [*of_flow, *2 * largest_bits * gateways, *world.capacity_high_bps * gateways, world.server_tflops]
    physical = [1.0] * 4 + [mean_data_bits(world)] * world.num_gateways + [*view.capacity_bps, 1.0]
    return (raw_state(world, view) * physical / largest).astype(np.float32)


@dataclass(frozen=True)
class Standardised:
    """The form of `observe` with another gain."""

    gain: float

    def __call__(self, world: WorldConfig, view: View) -> np.ndarray:
        centre, unit = state_scale(world)
        return (self.gain * ((raw_state(world, view) - centre) / unit)).astype(np.float32)


def one_unit(world: WorldConfig, view: View) -> np.ndarray:
    """Standardise with one unit for the bandwidth of all gateways, the mean capacity."""
    mean_bps = view.capacity_bps.mean()
    return Standardised(1.0)(world, view._replace(capacity_bps=np.full(world.num_gateways, mean_bps)))


def with_bandwidth(world: WorldConfig, view: View) -> np.ndarray:
    """Standardise, and add the required bandwidth b."""
    b = bandwidth_moments(world)
    column = ((view.flow["bandwidth_bps"] - b.mean) / b.deviation).astype(np.float32)
    return np.concatenate([Standardised(1.0)(world, view), column[:, None]], axis=1)


def with_ratios(world: WorldConfig, view: View) -> np.ndarray:
    """Add two ratios per gateway, on which the reward depends: R_avail / b, and the wait Q / R_avail over T_req.

    The levels ask for 1, 1.5 and 2 times b, so the first is cut at 3; the second at 1, where every flow is late.
    """
    b, t = view.flow["bandwidth_bps"][:, None], view.flow["deadline_s"][:, None]
    share = np.minimum(view.available_bps / b, 3.0)
    wait = np.minimum(delay.queueing_delay(view.backlog_bits, view.available_bps) / t, 1.0)
    ratios = np.concatenate([2 * share - 3, 4 * wait - 1], axis=1)
    return np.concatenate([observe(world, view), ratios.astype(np.float32)], axis=1)
