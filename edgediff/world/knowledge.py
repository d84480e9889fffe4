"""What the controller knows beyond Eq. (11): the model, Eqs. (2)-(8), and how busy the network has been of late.

The model tells of every action the reward, and what bandwidth and compute it takes from later flows. The rules with
prices decide by it; for networks that look at one gateway after another it is part of the state. Nothing here knows the
future.
"""

from collections.abc import Callable

import numpy as np

from edgediff.config import WorldConfig
from edgediff.world.decision import LEVELS, Outcome, View, observe, outcome, raw_state
from edgediff.world.scale import mean_data_bits, mean_work_tflop, state_scale

RECENT_SLOTS = 100  # how far back arrivals are counted
PRIOR_SLOTS = 10.0  # slots at load 1 that are counted with them, so that the first slots of an episode say little


def recent_load(world: WorldConfig, flows: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """Estimate the load from the flows of the last slots, the present one not counted, (E,): 1 for lambda W a slot."""
    usual = world.arrival_rate * world.num_workshops
    return (flows / usual + PRIOR_SLOTS) / (slots + PRIOR_SLOTS)


def held(result: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Return what actions take from later flows, (E, K): bandwidth times T_q + T_tx, bits; compute times T_act, TFLOP.

    A dropped flow holds nothing.
    """
    sending_s = np.where(result.dropped, 0.0, result.sending_s)
    return result.rate_bps * sending_s, result.compute_tflops * result.delay_s


def all_outcomes(world: WorldConfig, view: View) -> Outcome:
    """Return the outcome of all A actions for the present flows, each field (E, A)."""
    return outcome(world, view, np.tile(np.arange(world.num_actions), (len(view.flow), 1)))


def observe_gateways(world: WorldConfig, view: View) -> np.ndarray:
    """Return the state for shared networks, (E, S) float32: `COMMON_INPUTS` numbers, then `GATEWAY_INPUTS` per gateway.

    Common: D, C, p, T_req, F_avail, and the logarithm of the recent load. Of a gateway: Q, R_avail / R_max, R_max; then
    for each level the reward, and the bandwidth and the compute it holds, times the recent load: the more flows come,
    the more of them miss what is held. Entries are of order 1. A gateway's numbers do not depend on its index.
    """
    centre, unit = state_scale(world)
    standard, gateways = (raw_state(world, view) - centre) / unit, world.num_gateways
    result = all_outcomes(world, view)
    held_bits, held_tflop = held(result)
    missed = np.stack(
        [result.reward, view.load[:, None] * held_bits / mean_data_bits(world),
         view.load[:, None] * held_tflop / mean_work_tflop(world)], axis=2,
    )  # fmt: skip
    common = np.column_stack([standard[:, :4], standard[:, -1], 2 * np.log(view.load)])
    capacity = np.broadcast_to(np.log(view.capacity_bps / 100e6), view.available_bps.shape)
    own = np.stack([standard[:, 4 : 4 + gateways], standard[:, 4 + gateways : -1], capacity], axis=2)
    levels = missed.reshape(len(common), gateways, 3 * len(LEVELS))
    by_gateway = np.concatenate([own, levels], axis=2).reshape(len(common), -1)
    return np.concatenate([common, by_gateway], axis=1).astype(np.float32)


def state_of(network: str) -> Callable[[WorldConfig, View], np.ndarray]:
    """Return the function that makes the state for a kind of network."""
    return observe if network == "mlp" else observe_gateways
