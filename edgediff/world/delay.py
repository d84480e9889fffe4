"""The delay of a flow, Eqs. (2)-(8). Floats or arrays of any matching shape; seconds, bits, bit/s."""

from typing import TypeVar

import numpy as np

Array = TypeVar("Array", float, np.ndarray)


def total_delay(transmission_s: Array, queueing_s: Array, processing_s: Array, propagation_s: Array) -> Array:
    """Add up the end-to-end delay, Eq. (2): T_act = T_tx + T_q + T_proc + T_prop, in seconds."""
    return transmission_s + queueing_s + processing_s + propagation_s


def transmission_delay(data_bits: Array, rate_bps: Array) -> Array:
    """Divide size by allocated bandwidth, Eq. (3): T_tx = D / r, in seconds; infinite at r = 0."""
    return _time_at_rate(data_bits, rate_bps)


def allocate(requested: Array, available: Array) -> Array:
    """Grant the request up to what is available, Eq. (4) and Eq. (7), so that grants never exceed a capacity.

    The paper writes Eq. (4) as a sum over f in f_w(t), a tuple; the sum runs over the flows on the gateway.
    """
    return np.minimum(requested, available)


def queueing_delay(backlog_bits: Array, available_bps: Array) -> Array:
    """Wait until the backlog is sent, Eq. (5): T_q = Q / R_avail, in seconds; infinite at R_avail = 0."""
    return _time_at_rate(backlog_bits, available_bps)


def processing_delay(work_tflop: Array, compute_tflops: Array) -> Array:
    """Divide workload by allocated compute, Eq. (6): T_proc = C / c, in seconds; infinite at c = 0.

    The paper swaps the symbols against Eq. (1): f_w / c_w, with c_w the allocation here and the demand there.
    """
    return _time_at_rate(work_tflop, compute_tflops)


def meets_deadline(delay_s: Array, deadline_s: Array) -> Array:
    """Compare the whole delay with the requirement, Eq. (8): T_act <= T_req.

    The paper drops T_prop here; it is kept: at most 0.71 microseconds, against deadlines of 0.1 s or more.
    """
    return delay_s <= deadline_s


def drain_backlog(backlog_bits: Array, served_bits: Array) -> Array:
    """Serve the queue of a gateway, Lindley's recursion behind Q_g(t) of Eq. (5): Q <- max(Q - served, 0).

    Over slots without arrivals the recursion telescopes: `served_bits` may then be the sum of R_total * slot_s.
    """
    return np.maximum(backlog_bits - served_bits, 0.0)


def _time_at_rate(amount: Array, rate: Array) -> Array:
    """Return amount / rate; infinity where the rate is 0, also for an amount of 0."""
    infinite = np.full(np.broadcast_shapes(np.shape(amount), np.shape(rate)), np.inf)
    return np.divide(amount, rate, out=infinite, where=np.greater(rate, 0))[()]
