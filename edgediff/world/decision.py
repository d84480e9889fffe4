"""What the controller knows at a decision, and the meaning and outcome of its action, Eq. (12).

Pure functions of what is known at the moment of a decision. The simulator applies their result; a rule that
knows the model may compute the outcome of every action first.
"""

from typing import Any, NamedTuple

import numpy as np

from edgediff.config import WorldConfig
from edgediff.world import delay, objective
from edgediff.world.laws import mean_sending_s

LEVEL_FACTORS = np.array([1.0, 1.5, 2.0])  # eta, the factor of each level on what a flow requires


class View(NamedTuple):
    """All that is known at a decision, in physical units; E environments, G gateways."""

    flow: np.ndarray  # (E,) of FLOW: the flow to be decided
    backlog_bits: np.ndarray  # (E, G) Q_g
    available_bps: np.ndarray  # (E, G) R_avail
    capacity_bps: np.ndarray  # (G,) R_max
    propagation_s: np.ndarray  # (E, G) from the workshop of the flow
    available_tflops: np.ndarray  # (E,) F_avail
    load: np.ndarray = np.ones(1)  # (E,) or (1,): arrivals of late, 1 for lambda W a slot

    def read_only(self) -> "View":
        """Return the view, closed to writing: a scheduler that tries is told by a ValueError."""
        for values in self:
            values.setflags(write=False)
        return self


class Outcome(NamedTuple):
    """The outcome of K actions on the flow at hand, each (E, K)."""

    gateway: np.ndarray
    rate_bps: np.ndarray  # r, bandwidth granted
    compute_tflops: np.ndarray  # c, compute granted
    holding_s: np.ndarray  # T_q + T_tx, until the last bit is sent
    delay_s: np.ndarray  # T_act, the drop limit if dropped
    dropped: np.ndarray
    completed: np.ndarray
    imbalance: np.ndarray  # H_r
    violations: np.ndarray  # phi
    reward: np.ndarray  # of Eq. (13), times the weight of the priority


def decode_action(action: int | np.ndarray) -> tuple[Any, Any]:
    """Decode an action, Eq. (12): k in 0 .. 3 G - 1 is (gateway k // 3, level k % 3); r and c follow from the level."""
    return np.divmod(action, len(LEVEL_FACTORS))


def requested_resources(world: WorldConfig, flow: np.ndarray, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a level requests, Eq. (12): eta b in bit/s and eta C / (0.25 T_req) in TFLOP/s, both (E, K)."""
    eta = LEVEL_FACTORS[level]
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
    h_d = objective.delay_deviation(delay_s, deadline_s)
    cost = objective.objective(h_d, h_r, world.delay_weight, world.balance_weight)
    reward = priority_weight(world, flow)[:, None] * objective.reward(cost, phi, world.penalty)
    completed = completed & ~dropped
    holding_s = transmission_s + queueing_s
    return Outcome(gateway, rate_bps, compute_tflops, holding_s, delay_s, dropped, completed, h_r, phi, reward)


def priority_weight(world: WorldConfig, flow: np.ndarray) -> np.ndarray:
    """Return the factor on the reward of each flow by its priority, (E,)."""
    return np.array([world.priority1_weight, world.priority2_weight, world.priority3_weight])[flow["priority"] - 1]


def all_outcomes(world: WorldConfig, view: View) -> Outcome:
    """Return the outcome of all A actions for the present flows, each field (E, A)."""
    return outcome(world, view, np.tile(np.arange(world.num_actions), (len(view.flow), 1)))


class Taken(NamedTuple):
    """What actions take from the flows that come after, each (E, K); a dropped flow takes nothing."""

    held_mbit: np.ndarray  # h_b, bandwidth times T_q + T_tx
    held_tflop: np.ndarray  # h_c, compute times T_act
    crowding_mbit: np.ndarray  # c = U h_b + D (Q + D / 2) / (R_max tau)


def taken(world: WorldConfig, view: View, result: Outcome) -> Taken:
    """Return what actions take from later flows.

    Bandwidth that is held counts as crowding by the share U of the gateway that is in use: where all is free, nobody
    misses it. And until the queue has drained, D makes all who come wait longer, and what waits holds bandwidth, too:
    D times the mean time to drain, over tau, the mean time that sending takes at the required bandwidth.
    """
    used = objective.utilisation(view.available_bps, view.capacity_bps)
    used, backlog_mbit, capacity_mbps = (
        np.take_along_axis(np.broadcast_to(of_gateways, used.shape), result.gateway, axis=1)
        for of_gateways in (used, view.backlog_bits / 1e6, view.capacity_bps / 1e6)
    )
    held_mbit = result.rate_bps / 1e6 * np.where(result.dropped, 0.0, result.holding_s)
    sent_mbit = np.where(result.dropped, 0.0, view.flow["data_bits"][:, None] / 1e6)
    drained_s = (backlog_mbit + sent_mbit / 2) / capacity_mbps
    crowding_mbit = used * held_mbit + sent_mbit * drained_s / mean_sending_s(world)
    return Taken(held_mbit, result.compute_tflops * result.delay_s, crowding_mbit)


def _available_after(view: View, gateway: np.ndarray, rate_bps: np.ndarray) -> np.ndarray:
    """Return R_avail of all gateways just after each action, (E, K, G)."""
    left_bps = np.repeat(view.available_bps[:, None, :], gateway.shape[1], axis=1)
    taken = np.take_along_axis(left_bps, gateway[:, :, None], axis=2) - rate_bps[:, :, None]
    np.put_along_axis(left_bps, gateway[:, :, None], taken, axis=2)
    return left_bps
