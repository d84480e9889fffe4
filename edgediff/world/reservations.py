"""Reserved bandwidth and compute: a timeline over all slots to come.

A grant adds its amount to the slots that it covers, and nothing is ever subtracted. So no reservation can be lost
or overwritten at any load, and an idle network has reservations of exactly zero.
"""

import numpy as np

from edgediff.config import WorldConfig


def timeline_shape(world: WorldConfig, num_envs: int) -> tuple[int, int, int]:
    """Return (E, slots, G): an episode, the slot after it, and what the longest flow adds."""
    longest = int(np.ceil(world.max_delay_s / world.slot_s))
    return num_envs, world.num_slots + longest + 2, world.num_gateways


def slots_of(world: WorldConfig, time_s: np.ndarray) -> np.ndarray:
    """Return how many slots a time covers: a grant is freed at the first slot boundary at or after its end."""
    return np.ceil(time_s / world.slot_s - 1e-9).astype(np.int64)  # 0.07 / 0.01 is 7.000000000000001


def reserve(
    held: np.ndarray, where: tuple[np.ndarray, ...], start: np.ndarray, stop: np.ndarray, amount: np.ndarray
) -> None:
    """Add `amount[k]` to slots start[k] .. stop[k] - 1 of one timeline per k; the timelines must differ.

    `held` is (E, slots) or (E, slots, G), `where` the row, or row and gateway, of each k.
    """
    length = stop - start
    each = np.repeat(np.arange(length.size), length)
    slot = np.arange(each.size) - np.repeat(np.cumsum(length) - length - start, length)
    row, *gateway = (index[each] for index in where)
    held[(row, slot, *gateway)] += amount[each]
