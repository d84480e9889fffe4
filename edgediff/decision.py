"""What the controller sees, Eq. (11), and what its action means for the flow at hand, Eq. (12).

Pure functions of what is known at the moment of a decision: the simulator commits their result, and a
model-based rule may try all actions first.
"""

from typing import NamedTuple

import numpy as np

from edgediff import delay, objective
from edgediff.config import WorldConfig

LEVELS = np.array([1.0, 1.5, 2.0])  # eta: what an allocation level multiplies


class View(NamedTuple):
    """What is known at a decision, in physical units; E environments, G gateways."""

    flow: np.ndarray  # (E,) of FLOW: the flow to be decided
    backlog_bits: np.ndarray  # (E, G) Q_g
    available_bps: np.ndarray  # (E, G) R_avail
    capacity_bps: np.ndarray  # (G,) R_max
    propagation_s: np.ndarray  # (E, G) from the workshop of the flow
    server_tflops: np.ndarray  # (E,) F_avail


class Outcome(NamedTuple):
    """What an action leads to, each (E, K) for K actions tried."""

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
    """Scale the state to about [0, 1], Eq. (11): s = {D, C, p, T_req, Q, R_avail, F_avail}, (E, S) float32."""
    largest_bits = world.size_fraction * world.bandwidth_high_bps * world.deadline_high_s
    most_work = max(world.text_work, world.image_work, world.scene3d_work) * 1e-6
    flow = view.flow
    columns = [
        flow["data_bits"][:, None] / largest_bits,
        flow["work_tflop"][:, None] / (largest_bits * most_work),
        flow["priority"][:, None] / 3,
        flow["deadline_s"][:, None] / world.deadline_high_s,
        view.backlog_bits / (2 * largest_bits),
        view.available_bps / world.capacity_high_bps,
        view.server_tflops[:, None] / world.server_tflops,
    ]
    return np.concatenate(columns, axis=1).astype(np.float32)


def decode_action(action):
    """Read an action, Eq. (12): k in 0 .. 3 G - 1 is (gateway k // 3, level k % 3); r and c follow from the level."""
    return np.divmod(action, len(LEVELS))


def outcome(world: WorldConfig, view: View, action: np.ndarray) -> Outcome:
    """Work out what each of `action` (E, K) would do to the flow at hand: Eqs. (2)-(9) and (13) in a row."""
    gateway, level = decode_action(action)
    of_flow = {name: view.flow[name][:, None] for name in ("data_bits", "work_tflop", "deadline_s", "bandwidth_bps")}
    data_bits, work_tflop, deadline_s, bandwidth_bps = of_flow.values()
    available_bps = np.take_along_axis(view.available_bps, gateway, axis=1)
    server_tflops = view.server_tflops[:, None]

    asked_bps = LEVELS[level] * bandwidth_bps
    asked_tflops = LEVELS[level] * work_tflop / (world.compute_fraction * deadline_s)
    rate_bps = delay.allocate(asked_bps, available_bps)
    compute_tflops = delay.allocate(asked_tflops, server_tflops)

    queueing_s = delay.queueing_delay(np.take_along_axis(view.backlog_bits, gateway, axis=1), available_bps)
    sending_s = queueing_s + delay.transmission_delay(data_bits, rate_bps)
    processing_s = delay.processing_delay(work_tflop, compute_tflops)
    propagation_s = np.take_along_axis(view.propagation_s, gateway, axis=1)
    delay_s = delay.total_delay(sending_s, 0.0, processing_s, propagation_s)

    dropped = delay_s > world.max_delay_s
    delay_s = np.where(dropped, world.max_delay_s, delay_s)
    rate_bps, compute_tflops = np.where(dropped, 0.0, rate_bps), np.where(dropped, 0.0, compute_tflops)
    balance = objective.imbalance(objective.utilisation(_left_over(view, gateway, rate_bps), view.capacity_bps))
    phi = objective.violations(delay_s, deadline_s, asked_bps, available_bps, asked_tflops, server_tflops)
    weight = np.array([world.priority1_weight, world.priority2_weight, world.priority3_weight])
    h_d = weight[view.flow["priority"] - 1][:, None] * objective.delay_deviation(delay_s, deadline_s)
    cost = objective.objective(h_d, balance, world.delay_weight, world.balance_weight)
    completed = delay.meets_deadline(delay_s, deadline_s)
    gain = objective.reward(cost, phi, world.penalty)
    return Outcome(gateway, rate_bps, compute_tflops, sending_s, delay_s, dropped, completed, balance, phi, gain)


def _left_over(view: View, gateway, rate_bps) -> np.ndarray:
    """Return R_avail of all gateways just after each action, (E, K, G)."""
    left_bps = np.repeat(view.available_bps[:, None, :], gateway.shape[1], axis=1)
    taken = np.take_along_axis(left_bps, gateway[:, :, None], axis=2) - rate_bps[:, :, None]
    np.put_along_axis(left_bps, gateway[:, :, None], taken, axis=2)
    return left_bps
