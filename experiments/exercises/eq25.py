"""Eq. (25), diffusion loss. 15 minutes.

The paper prints

    L_d = E[ || eps - eps_theta(a_i, s_i, i) ||^2 ]

q (B, A) -> a_0 (B, A): c (onehot(argmax_a Q) - 1 / A), with c such that softmax(a_0) gives the best action
`confidence`. eps, eps_theta (B, A) -> scalar.

Question: An image model has pictures for a_0. The paper does not say what a_0 is here. What would you take?

    cp experiments/exercises/eq25.py my_eq25.py
    pytest -x -k eq25 --mine my_eq25.py
"""

import torch
from torch import Tensor


def clean_latent(q: Tensor, confidence: float = 0.9) -> Tensor:
    raise NotImplementedError("Eq. (25), diffusion loss: yours to write")


def diffusion_loss(eps: Tensor, eps_theta: Tensor) -> Tensor:
    raise NotImplementedError("Eq. (25), diffusion loss: yours to write")
