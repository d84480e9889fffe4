"""Eq. (2), total delay. 5 minutes.

The paper prints

    T_act = T_tx + T_q + T_proc + T_prop

Seconds; floats, or arrays of one shape.

Question: Eq. (8) drops one of the four parts. Which, and does it matter at 100 m and 5 ns/m?

    cp experiments/exercises/eq02.py my_eq02.py
    pytest -x -k eq02 --mine my_eq02.py
"""

import numpy as np

from edgediff.world.delay import Array


def total_delay(transmission_s: Array, queueing_s: Array, processing_s: Array, propagation_s: Array) -> Array:
    raise NotImplementedError("Eq. (2), total delay: yours to write")
