"""Algorithm 1, line 7: reserve what was granted. 15 minutes.

The paper prints

    execute a_t          (nothing else is printed)

held (E, slots) or (E, slots, G), changed in place; where: rows, or rows and gateways, each (K,); start, stop
(K,) integers; amount (K,). Adds amount[k] to slots start[k] .. stop[k] - 1. A loop over k is fine.

Question: Why is nothing ever subtracted when a flow ends?

    cp experiments/exercises/reservations.py my_reservations.py
    pytest -x -k line07 --mine my_reservations.py
"""

import numpy as np


def reserve(
    held: np.ndarray, where: tuple[np.ndarray, ...], start: np.ndarray, stop: np.ndarray, amount: np.ndarray
) -> None:
    raise NotImplementedError("Algorithm 1, line 7: reserve what was granted: yours to write")
