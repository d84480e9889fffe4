"""Eq. (22), variance schedule. 10 minutes.

The paper prints

    beta_i = 1 - exp(-beta_min / N - 0.5 (beta_max - beta_min) (2i - 1) / N^2)

-> Schedule(beta, alpha, alpha_bar), each (N,) in float64.

Question: alpha_bar_N does not depend on N. Why? (The exponents telescope.)

    cp experiments/exercises/eq22.py my_eq22.py
    pytest -x -k eq22 --mine my_eq22.py
"""

import torch
from torch import Tensor

from edgediff.learner.diffusion import Schedule


def variance_schedule(num_steps: int, beta_min: float = 0.1, beta_max: float = 10.0) -> Schedule:
    raise NotImplementedError("Eq. (22), variance schedule: yours to write")
