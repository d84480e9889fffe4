"""The state that a network observes, Eq. (11), in two forms, and the scale of its entries.

`observe` is Eq. (11) as printed. `observe_gateways` is for networks that look at one gateway after another. It has what
the controller knows beyond Eq. (11): the model, Eqs. (2)-(8), tells of every action the reward and what it takes from
later flows, and the recent load tells how much that is worth. Nothing here knows the future.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import numpy as np

from edgediff.config import NUM_LEVELS, WorldConfig
from edgediff.world.decision import View, all_outcomes, taken
from edgediff.world.laws import (
    Moments,
    bandwidth_moments,
    data_moments,
    deadline_moments,
    mean_data_bits,
    mean_work_tflop,
    work_per_bit,
)

FLOW_ENTRIES = "D", "C", "p", "T_req"
# The state for shared networks: common entries; of each gateway, its own and, for each level, what the model says.
COMMON_ENTRIES = *FLOW_ENTRIES, "F_avail", "load"
OWN_ENTRIES = "Q", "R_avail", "R_max"
LEVEL_ENTRIES = "r", "c"  # the reward, then what the action takes from later flows
WIDTHS = len(COMMON_ENTRIES), len(OWN_ENTRIES), NUM_LEVELS, len(LEVEL_ENTRIES)
# Standard deviation of the entries of `observe`; of the same size as the latent a_i (1 to 5), which shares the first
# layer of the network with it.
STATE_GAIN = 2.0


def observe(world: WorldConfig, view: View) -> np.ndarray:
    """Standardise the state, Eq. (11): s = {D, C, p, T_req, Q, R_avail, F_avail}, (E, S) float32.

    Every entry gets a mean of about 0 and a deviation of about `STATE_GAIN`, by the constants of `state_scale`.
    """
    centre, unit = state_scale(world)
    return (STATE_GAIN * ((raw_state(world, view) - centre) / unit)).astype(np.float32)


def raw_state(world: WorldConfig, view: View) -> np.ndarray:
    """Return the entries of Eq. (11), (E, S): Q in units of E[D], R_avail as a share of R_max."""
    flow = [view.flow[name][:, None] for name in ("data_bits", "work_tflop", "priority", "deadline_s")]
    backlog, available = view.backlog_bits / mean_data_bits(world), view.available_bps / view.capacity_bps
    return np.concatenate([*flow, backlog, available, view.available_tflops[:, None]], axis=1)


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


def observe_gateways(world: WorldConfig, view: View) -> np.ndarray:
    """Return the state for shared networks, (E, S) float32: `COMMON_ENTRIES`, then the entries of each gateway in turn.

    Of a gateway: Q, R_avail / R_max, R_max; then for each level the reward, and how much the action crowds the gateway,
    times the recent load: the more flows come, the more of them are crowded. The load is its logarithm. Entries are of
    order 1. A gateway's numbers do not depend on its index.
    """
    centre, unit = state_scale(world)
    standard = (raw_state(world, view) - centre) / unit
    flow, backlog, available, server = (standard[:, part] for part in _parts(world.num_gateways))
    result, load = all_outcomes(world, view), view.load[:, None]
    crowding = load * taken(world, view, result).crowding_mbit / (mean_data_bits(world) / 1e6)
    common = np.column_stack([flow, server, 2 * np.log(load)])
    capacity = np.broadcast_to(np.log(view.capacity_bps / 100e6), available.shape)
    of_levels = np.stack([result.reward, crowding], axis=2)
    own = np.stack([backlog, available, capacity], axis=2)
    by_gateway = np.concatenate([own, of_levels.reshape(*available.shape, -1)], axis=2)
    return np.concatenate([common, by_gateway.reshape(len(common), -1)], axis=1).astype(np.float32)


@lru_cache
def _parts(num_gateways: int) -> list[slice]:
    """Return where the parts of Eq. (11) are: the flow, Q, R_avail, F_avail."""
    ends = np.cumsum([0, len(FLOW_ENTRIES), num_gateways, num_gateways, 1]).tolist()
    return [slice(*pair) for pair in pairwise(ends)]


def state_of(network: str) -> Callable[[WorldConfig, View], np.ndarray]:
    """Return the function that makes the state for a kind of network."""
    return observe if network == "mlp" else observe_gateways


def state_dim(world: WorldConfig, network: str) -> int:
    """Return S, the length of the state for a kind of network."""
    common, own, levels, of_level = WIDTHS
    gateways = world.num_gateways
    return world.state_dim if network == "mlp" else common + gateways * (own + levels * of_level)
