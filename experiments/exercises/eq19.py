"""Eq. (19), the reverse chain. 20 minutes.

The paper prints

    p_theta(a_{0:N} | s_t) = N(a_N; 0, I) prod_{i=1}^N p_theta(a_{i-1} | a_i, s_i)

noise (N, B, A): a_N, then the z of steps N .. 2. `predict_noise(a_i, i)` (B, A); `schedule` holds beta, alpha
and alpha_bar, step i at index i - 1; `reverse_mean(a_i, eps, alpha_i, alpha_bar_i)` is Eq. (21) -> logits a_0 (B, A).

Question: The paper adds noise at every step. What would noise at i = 1 do to the logits of the policy?

    cp experiments/exercises/eq19.py my_eq19.py
    pytest -x -k eq19 --mine my_eq19.py
"""

import torch
from torch import Tensor

from edgediff.learner.diffusion import Callable, Schedule, reverse_mean, reverse_step


def denoise(predict_noise: Callable, schedule: Schedule, noise: Tensor) -> Tensor:
    raise NotImplementedError("Eq. (19), the reverse chain: yours to write")
