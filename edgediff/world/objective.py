"""The objective, the constraints and the reward, Eqs. (9), (10) and (13). Floats or arrays of any matching shape."""

from typing import TypeVar

import numpy as np

Array = TypeVar("Array", float, np.ndarray)


def delay_deviation(delay_s: Array, deadline_s: Array) -> Array:
    """Compare actual and required delay, H_d of Eq. (9): T_act - T_req, signed as printed, in seconds."""
    return delay_s - deadline_s


def utilisation(available_bps: Array, capacity_bps: Array) -> Array:
    """Return the share of a gateway that is in use, for H_r of Eq. (9): U = 1 - R_avail / R_max, in [0, 1]."""
    return 1.0 - available_bps / capacity_bps


def imbalance(utilisations: np.ndarray) -> np.ndarray:
    """Compare the most with the least used gateway, H_r of Eq. (9): max_g U_g - min_g U_g over the last axis."""
    return utilisations.max(axis=-1) - utilisations.min(axis=-1)


def objective(h_d_s: Array, h_r: Array, delay_weight: float = 1.0, balance_weight: float = 0.5) -> Array:
    """Weigh delay against imbalance, Eq. (9): O = alpha H_d + beta H_r, of the flow just decided."""
    return delay_weight * h_d_s + balance_weight * h_r


def violations(
    delay_s: Array,
    deadline_s: Array,
    requested_bps: Array,
    available_bps: Array,
    requested_tflops: Array,
    available_tflops: Array,
) -> Array:
    """Count the violated constraints of problem P0, Eq. (10): phi of Eq. (13), 0 to 3.

    (10a) the deadline is missed; (10b) the gateway cannot grant the bandwidth requested; (10c) the server cannot
    grant the compute requested. (10d) cannot be violated: a flow has one gateway, and grants are not negative.
    """
    late, short = delay_s > deadline_s, requested_bps > available_bps
    return 1 * late + 1 * short + 1 * (requested_tflops > available_tflops)


def reward(cost: Array, phi: Array, penalty: float = 1.0) -> Array:
    """Turn cost into reward, Eq. (13): r = -(alpha H_d + beta H_r + kappa phi).

    Worked example: a flow with T_req = 0.5 s takes T_act = 0.7 s, the gateways are used between 0.2 and 0.8,
    and the chosen one had less bandwidth than was requested. Then H_d = 0.2, H_r = 0.6, O = 0.2 + 0.5 * 0.6 = 0.5,
    phi = 1 (late) + 1 (short of bandwidth) = 2, and r = -(0.5 + 1 * 2) = -2.5.
    """
    return -(cost + penalty * phi)
