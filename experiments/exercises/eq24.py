"""Eq. (24), a whole reverse step. 10 minutes.

The paper prints

    a_{i-1} = 1 / sqrt(alpha_i) a_i - beta_i / alpha_i sqrt(alpha_i) eps_theta(a_i, s_i, i) + sqrt(beta_i) eps

a_i, eps_theta, z (B, A); alpha_i, alpha_bar_i floats -> (B, A). beta_i = 1 - alpha_i; z is the second eps.

Question: It should be Eq. (21) put into Eq. (23). Does the print agree with either reading of Eq. (21)?

    cp experiments/exercises/eq24.py my_eq24.py
    pytest -x -k eq24 --mine my_eq24.py
"""

import torch
from torch import Tensor


def reverse_step_expanded(a_i: Tensor, eps_theta: Tensor, alpha_i, alpha_bar_i, z: Tensor) -> Tensor:
    raise NotImplementedError("Eq. (24), a whole reverse step: yours to write")
