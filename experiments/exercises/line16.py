"""Algorithm 1, line 16, the objective J. 20 minutes.

The paper prints

    theta <- theta + alpha_pi grad J(pi_theta)          (the paper has no formula for J)

log_pi, q (B, A) -> scalar: the mean over states of sum_a pi Q + temperature H(pi), to be maximised.

Question: For given Q, which pi makes J largest? Show that the gradient is 0 there. What does that say about a chain?

    cp experiments/exercises/line16.py my_line16.py
    pytest -x -k line16 --mine my_line16.py
"""

import torch
from torch import Tensor


def actor_objective(log_pi: Tensor, q: Tensor, entropy_temperature: float) -> Tensor:
    raise NotImplementedError("Algorithm 1, line 16, the objective J: yours to write")
