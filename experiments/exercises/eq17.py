"""Eq. (17), soft update. 5 minutes.

The paper prints

    psi'_k <- tau psi_k + (1 - tau) psi'_k

target and online: as many tensors of the same shapes. Changes those of target in place; returns nothing.

Question: With tau = 0.005, after how many updates has half of an old target gone?

    cp experiments/exercises/eq17.py my_eq17.py
    pytest -x -k eq17 --mine my_eq17.py
"""

import torch
from torch import Tensor


@torch.no_grad()
def polyak(target, online, tau: float) -> None:
    raise NotImplementedError("Eq. (17), soft update: yours to write")
