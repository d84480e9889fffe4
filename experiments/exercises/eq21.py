"""Eq. (21), the mean of a reverse step. 25 minutes.

The paper prints

    mu_theta(a_i, s_i, i) = 1 / sqrt(alpha_i) (a_i - beta_i / sqrt(1 - alpha_i) eps_theta(a_i, s_i, i))

a_i and eps_theta (B, A); alpha_i, alpha_bar_i floats -> (B, A). beta_i = 1 - alpha_i.

Question: Solve the closed form of Eq. (18) for a_0, and put it into Bayes' rule for a_{i-1}. Is the printed form right?

    cp experiments/exercises/eq21.py my_eq21.py
    pytest -x -k eq21 --mine my_eq21.py
"""

import torch
from torch import Tensor


def reverse_mean(a_i: Tensor, eps_theta: Tensor, alpha_i, alpha_bar_i) -> Tensor:
    raise NotImplementedError("Eq. (21), the mean of a reverse step: yours to write")
