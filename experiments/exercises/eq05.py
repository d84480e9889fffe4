"""Eq. (5), the queue. 10 minutes.

The paper prints

    T_q = Q_b / R_avail_b

Bits and bit/s; floats, or arrays that broadcast. At rate 0 the wait is infinite, also for an empty queue.
Draining is not printed: a queue serves `served_bits` until the next flow and is never negative.

Question: If an empty gateway without bandwidth had a wait of 0, which gateway would the rule "smallest wait" love?

    cp experiments/exercises/eq05.py my_eq05.py
    pytest -x -k eq05 --mine my_eq05.py
"""

import numpy as np

from edgediff.world.delay import Array


def queueing_delay(backlog_bits: Array, available_bps: Array) -> Array:
    raise NotImplementedError("Eq. (5), the queue: yours to write")


def drain_backlog(backlog_bits: Array, served_bits: Array) -> Array:
    raise NotImplementedError("Eq. (5), the queue: yours to write")
