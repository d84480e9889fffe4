"""The n-step return of Table 1. 15 minutes.

The paper prints

    n-step = 3, n-step TD learning          (Table 1; Eq. (15) prints r_i alone)

reward (n, B); last (n, B), true at a step behind which nothing counts -> sum_{j < m} gamma^j r_{t+j} (B,),
and the number of steps m (B,), integers from 1 to n.

Question: What does a larger n buy, and what does it pay with?

    cp experiments/exercises/nstep.py my_nstep.py
    pytest -x -k eq15 --mine my_nstep.py
"""

import torch
from torch import Tensor


def n_step_return(reward: Tensor, last: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    raise NotImplementedError("The n-step return of Table 1: yours to write")
