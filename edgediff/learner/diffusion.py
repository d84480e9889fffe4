"""The chain of the diffusion actor, Eqs. (18)-(24) and (26), one function per equation.

Denoising steps count i = 1 .. N as in the paper; arrays hold step i at index i - 1. All noise is an argument.
Shapes: B batch, A actions, N denoising steps. Coefficients may be floats or tensors that broadcast.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Schedule(NamedTuple):
    """beta_i, alpha_i = 1 - beta_i, and alpha_bar_i = prod_{j <= i} alpha_j, each (N,) in float64."""

    beta: Tensor
    alpha: Tensor
    alpha_bar: Tensor


def variance_schedule(num_steps: int, beta_min: float = 0.1, beta_max: float = 10.0) -> Schedule:
    """Compute the variances, Eq. (22): beta_i = 1 - exp(-beta_min / N - (beta_max - beta_min)(2i - 1) / (2 N^2))."""
    i = torch.arange(1, num_steps + 1, dtype=torch.float64)
    beta = 1 - torch.exp(-beta_min / num_steps - 0.5 * (beta_max - beta_min) * (2 * i - 1) / num_steps**2)
    return Schedule(beta, 1 - beta, torch.cumprod(1 - beta, 0))


def forward_step(a_before: Tensor, alpha_i, eps: Tensor) -> Tensor:
    """Add the noise of one step, Eq. (18): a_i = sqrt(alpha_i) a_{i-1} + sqrt(1 - alpha_i) eps."""
    return alpha_i**0.5 * a_before + (1 - alpha_i) ** 0.5 * eps


def forward_marginal(a_0: Tensor, alpha_bar_i, eps: Tensor) -> Tensor:
    """Add the noise of steps 1 .. i at once, the closed form of Eq. (18) that Eq. (25) needs.

    a_i = sqrt(alpha_bar_i) a_0 + sqrt(1 - alpha_bar_i) eps. The paper prints the single step only.
    """
    return alpha_bar_i**0.5 * a_0 + (1 - alpha_bar_i) ** 0.5 * eps


def reverse_mean(a_i: Tensor, eps_theta: Tensor, alpha_i, alpha_bar_i) -> Tensor:
    """Remove the predicted noise, Eq. (21) with alpha_bar_i where the paper prints alpha_i.

    mu = (a_i - beta_i / sqrt(1 - alpha_bar_i) eps_theta) / sqrt(alpha_i) with beta_i = 1 - alpha_i, which is the
    posterior mean of a_{i-1} given a_i and the a_0 that eps_theta implies (Ho et al. 2020, Eq. 11).
    """
    return (a_i - (1 - alpha_i) / (1 - alpha_bar_i) ** 0.5 * eps_theta) / alpha_i**0.5


def reverse_step(mean: Tensor, variance_i, z: Tensor) -> Tensor:
    """Draw a_{i-1}, Eq. (20) and Eq. (23): mu + sqrt(variance_i) z, with variance beta_i.

    The paper adds noise at every step. Here the result of step i = 1 is the mean itself, without noise.
    """
    return mean + variance_i**0.5 * z


def reverse_step_expanded(a_i: Tensor, eps_theta: Tensor, alpha_i, alpha_bar_i, z: Tensor) -> Tensor:
    """Combine Eqs. (21) and (23) in one line, Eq. (24) corrected.

    a_{i-1} = a_i / sqrt(alpha_i) - beta_i / sqrt(alpha_i (1 - alpha_bar_i)) eps_theta + sqrt(beta_i) z.
    """
    beta_i = 1 - alpha_i
    return a_i / alpha_i**0.5 - beta_i / (alpha_i * (1 - alpha_bar_i)) ** 0.5 * eps_theta + beta_i**0.5 * z


def denoise(predict_noise: Callable, schedule: Schedule, noise: Tensor) -> Tensor:
    """Run the reverse chain from a_N to a_0, Eq. (19).

    `predict_noise(a_i, i)` is eps_theta for a given state, (B, A); `noise` (N, B, A) holds a_N and then the z of
    steps N .. 2. Returns the logits a_0, (B, A). Gradients flow through all N steps.
    """
    beta, alpha, alpha_bar = (column.tolist() for column in schedule)
    num_steps = len(beta)
    a = noise[0]
    for i in range(num_steps, 0, -1):
        a = reverse_mean(a, predict_noise(a, i), alpha[i - 1], alpha_bar[i - 1])
        if i > 1:
            a = reverse_step(a, beta[i - 1], noise[num_steps - i + 1])  # z of step i
    return a


def log_policy(a_0: Tensor) -> Tensor:
    """Turn logits into log-probabilities, Eq. (26): log pi(k | s) = a_0^(k) - log sum_k' exp a_0^(k'), (B, A).

    The paper omits the k on the left. This is the policy given one draw of the noise of the chain, not the
    marginal policy over noise.
    """
    return torch.log_softmax(a_0, dim=-1)
