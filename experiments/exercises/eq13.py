"""Eq. (13), reward. 5 minutes.

The paper prints

    r = -(alpha H_d + beta H_r + kappa phi)

Floats, or arrays of one shape. `cost` is alpha H_d + beta H_r, `phi` the number of violations, `penalty` kappa.

Question: Can the reward be positive? What does a flow look like that earns it?

    cp experiments/exercises/eq13.py my_eq13.py
    pytest -x -k eq13 --mine my_eq13.py
"""

import numpy as np

from edgediff.world.objective import Array


def reward(cost: Array, phi: Array, penalty: float = 1.0) -> Array:
    raise NotImplementedError("Eq. (13), reward: yours to write")
