"""Eqs. (14), (15), value and target. 20 minutes.

The paper prints

    y_i = r_i + gamma min_{k=1,2} Q_{psi_k}(s'_i, pi_theta(s'_i))

pi and q (B, A) -> value (B,). `n_step_return`, `discount` and `next_value` (B,) -> y (B,). `q` is min_k Q'_k
already; `discount` is gamma^m, and 0 where the episode truly ended.

Question: pi_theta(s') is a distribution over 24 actions. Is Q(s', pi(s')) the largest value, or the expected one?

    cp experiments/exercises/eq15.py my_eq15.py
    pytest -x -k eq15 --mine my_eq15.py
"""

import torch
from torch import Tensor


def state_value(pi: Tensor, q: Tensor) -> Tensor:
    raise NotImplementedError("Eqs. (14), (15), value and target: yours to write")


def td_target(n_step_return: Tensor, discount: Tensor, next_value: Tensor) -> Tensor:
    raise NotImplementedError("Eqs. (14), (15), value and target: yours to write")
