"""Eq. (18), forward noising. 15 minutes.

The paper prints

    q(a_i | a_{i-1}) = N(a_i; sqrt(alpha_i) a_{i-1}, (1 - alpha_i) I)

a and eps (B, A), eps ~ N(0, I); alpha_i, alpha_bar_i floats, or tensors that broadcast -> a_i (B, A).
The second function takes all i steps at once; derive it. alpha_bar_i = alpha_1 alpha_2 ... alpha_i.

Question: Two steps add two independent noises. Which variance has their sum, seen from a_0?

    cp experiments/exercises/eq18.py my_eq18.py
    pytest -x -k eq18 --mine my_eq18.py
"""

import torch
from torch import Tensor


def forward_step(a_before: Tensor, alpha_i, eps: Tensor) -> Tensor:
    raise NotImplementedError("Eq. (18), forward noising: yours to write")


def forward_marginal(a_0: Tensor, alpha_bar_i, eps: Tensor) -> Tensor:
    raise NotImplementedError("Eq. (18), forward noising: yours to write")
