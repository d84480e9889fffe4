"""The state that the controller observes, Eq. (11), and the meaning and outcome of its action, Eq. (12).

Pure functions of what is known at the moment of a decision. The simulator applies their result; a rule that
knows the model may compute the outcome of every action first.
"""

from typing import Any, NamedTuple

import numpy as np

from edgediff.config import WorldConfig
from edgediff.world import delay, objective
from edgediff.world.scale import mean_data_bits, state_scale

# Standard deviation of the entries of the state; of the same size as the latent a_i (1 to 5), which shares the first
# layer of the network with it.
STATE_GAIN = 2.0
LEVELS = np.array([1.0, 1.5, 2.0])  # eta, the factor of each level on what a flow requires


class View(NamedTuple):
    """All that is known at a decision, in physical units; E environments, G gateways."""

    flow: np.ndarray  # (E,) of FLOW: the flow to be decided
    backlog_bits: np.ndarray  # (E, G) Q_g
    available_bps: np.ndarray  # (E, G) R_avail
    capacity_bps: np.ndarray  # (G,) R_max
    propagation_s: np.ndarray  # (E, G) from the workshop of the flow
    available_tflops: np.ndarray  # (E,) F_avail
    load: np.ndarray = np.ones(1)  # (E,) or (1,): arrivals of late, 1 for lambda W a slot


class Outcome(NamedTuple):
    """The outcome of K actions on the flow at hand, each (E, K)."""

    gateway: np.ndarray
    rate_bps: np.ndarray  # r, bandwidth granted
    compute_tflops: np.ndarray  # c, compute granted
    sending_s: np.ndarray  # T_q + T_tx, until the last bit is sent
    delay_s: np.ndarray  # T_act, the drop limit if dropped
    dropped: np.ndarray
    completed: np.ndarray
    imbalance: np.ndarray  # H_r
    violations: np.ndarray  # phi
    reward: np.ndarray


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


def decode_action(action: int | np.ndarray) -> tuple[Any, Any]:
    """Decode an action, Eq. (12): k in 0 .. 3 G - 1 is (gateway k // 3, level k % 3); r and c follow from the level."""
    return np.divmod(action, len(LEVELS))


def requested_resources(world: WorldConfig, flow: np.ndarray, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a level requests, Eq. (12): eta b in bit/s and eta C / (0.25 T_req) in TFLOP/s, both (E, K)."""
    eta = LEVELS[level]
    processing_s = world.compute_fraction * flow["deadline_s"][:, None]  # what level 0 aims at
    return eta * flow["bandwidth_bps"][:, None], eta * flow["work_tflop"][:, None] / processing_s


def outcome(world: WorldConfig, view: View, action: np.ndarray) -> Outcome:
    """Compute the outcome of each action (E, K) for the flow at hand: Eqs. (2)-(9) and (13) in order."""
    gateway, level = decode_action(action)
    flow, available_tflops = view.flow, view.available_tflops[:, None]
    available_bps, backlog_bits, propagation_s = (
        np.take_along_axis(of_gateways, gateway, axis=1)
        for of_gateways in (view.available_bps, view.backlog_bits, view.propagation_s)
    )
    requested_bps, requested_tflops = requested_resources(world, flow, level)
    rate_bps = delay.allocate(requested_bps, available_bps)
    compute_tflops = delay.allocate(requested_tflops, available_tflops)

    transmission_s = delay.transmission_delay(flow["data_bits"][:, None], rate_bps)
    queueing_s = delay.queueing_delay(backlog_bits, available_bps)
    processing_s = delay.processing_delay(flow["work_tflop"][:, None], compute_tflops)
    delay_s = delay.total_delay(transmission_s, queueing_s, processing_s, propagation_s)

    deadline_s = flow["deadline_s"][:, None]
    completed = delay.meets_deadline(delay_s, deadline_s)
    phi = objective.violations(delay_s, deadline_s, requested_bps, available_bps, requested_tflops, available_tflops)
    dropped = delay_s > world.max_delay_s
    delay_s = np.minimum(delay_s, world.max_delay_s)
    rate_bps, compute_tflops = np.where(dropped, 0.0, rate_bps), np.where(dropped, 0.0, compute_tflops)

    h_r = objective.imbalance(objective.utilisation(_available_after(view, gateway, rate_bps), view.capacity_bps))
    weight = np.array([world.priority1_weight, world.priority2_weight, world.priority3_weight])
    h_d = weight[flow["priority"] - 1][:, None] * objective.delay_deviation(delay_s, deadline_s)
    cost = objective.objective(h_d, h_r, world.delay_weight, world.balance_weight)
    reward, completed = objective.reward(cost, phi, world.penalty), completed & ~dropped
    sending_s = transmission_s + queueing_s
    return Outcome(gateway, rate_bps, compute_tflops, sending_s, delay_s, dropped, completed, h_r, phi, reward)


def _available_after(view: View, gateway: np.ndarray, rate_bps: np.ndarray) -> np.ndarray:
    """Return R_avail of all gateways just after each action, (E, K, G)."""
    left_bps = np.repeat(view.available_bps[:, None, :], gateway.shape[1], axis=1)
    taken = np.take_along_axis(left_bps, gateway[:, :, None], axis=2) - rate_bps[:, :, None]
    np.put_along_axis(left_bps, gateway[:, :, None], taken, axis=2)
    return left_bps
