"""Eq. (16), critic loss. 10 minutes.

The paper prints

    L_Q = 1/B sum_i (Q_{psi_k}(s_i, a_i) - y_i)^2

q1, q2 (B, A); action (B,), integers; target (B,) -> scalar, the sum of both critics' losses.

Question: `q1.gather(1, action[:, None])` is (B, 1). What is its difference to a target (B,), and why does nothing fail?

    cp experiments/exercises/eq16.py my_eq16.py
    pytest -x -k eq16 --mine my_eq16.py
"""

import torch
from torch import Tensor


def critic_loss(q1: Tensor, q2: Tensor, action: Tensor, target: Tensor) -> Tensor:
    raise NotImplementedError("Eq. (16), critic loss: yours to write")
