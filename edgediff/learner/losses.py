"""Targets, losses and the actor's objective, Eqs. (14)-(17), (25) and J of Algorithm 1: pure functions.

Shapes: B batch, A actions. Scalars per sample are (B,). Sums run over actions first, means over the batch last.
"""

import math

import torch
from torch import Tensor


def state_value(pi: Tensor, q: Tensor) -> Tensor:
    """Average action values under a policy: V = sum_a pi(a | s) Q(s, a), (B,), the bootstrap of Eq. (15).

    If pi puts all probability on the best action, this is max_a Q(s, a), the backup that Eq. (14) prints.
    """
    _same_shape(pi, q)
    return (pi * q).sum(dim=1)


def td_target(n_step_return: Tensor, discount: Tensor, next_value: Tensor) -> Tensor:
    """Compute the target, Eq. (15), with the terms the paper omits.

    y = R_m + gamma^m (1 - terminated) V'(s_{t+m}), (B,).

    `n_step_return` is sum_{j < m} gamma^j r_{t+j}; `discount` is gamma^m (1 - terminated), zero where the
    episode truly ended; `next_value` is sum_a pi'(a | s) min_k Q'_k(s, a) of the target networks. The paper
    prints one step, no mask, no primes, and a deterministic pi. With m = 1 and greedy pi' this is Eq. (14).
    """
    _same_shape(n_step_return, discount, next_value)
    return n_step_return + discount * next_value


def critic_loss(q1: Tensor, q2: Tensor, action: Tensor, target: Tensor) -> Tensor:
    """Compare both critics with the target, Eq. (16): sum over k of mean_B (Q_k(s, a) - y)^2.

    q1, q2 (B, A); action (B,) integers; target (B,).
    """
    _same_shape(q1, q2)
    _same_shape(action, target)
    index = action[:, None]
    error1, error2 = q1.gather(1, index)[:, 0] - target, q2.gather(1, index)[:, 0] - target
    return error1.square().mean() + error2.square().mean()


def entropy(log_pi: Tensor) -> Tensor:
    """Return H(pi) = -sum_a pi log pi, (B,), in nats, of the policy of Eq. (26) given one noise draw."""
    return -(log_pi.exp() * log_pi.clamp(min=torch.finfo(log_pi.dtype).min)).sum(dim=1)  # 0 log 0 is 0


def actor_objective(log_pi: Tensor, q: Tensor, entropy_temperature: float) -> Tensor:
    """Compute J of Algorithm 1, line 16: E_s[sum_a pi(a | s) min_k Q_k(s, a) + temperature H(pi)].

    To be maximised. `q` (B, A) carries no gradient. Its maximiser over log_pi is softmax(q / temperature).
    """
    return (state_value(log_pi.exp(), q) + entropy_temperature * entropy(log_pi)).mean()


def clean_latent(q: Tensor, confidence: float = 0.9) -> Tensor:
    """Choose the clean latent a_0 of Eq. (25): a_0 = c (onehot(argmax_a Q(s, a)) - 1/A), (B, A).

    c = ln(confidence (A - 1) / (1 - confidence)), so that softmax(a_0) gives the preferred action that
    probability: c = 5.33 for A = 24 at 0.9. The paper does not say where a_0 comes from.
    """
    num_actions = q.shape[1]
    c = math.log(confidence * (num_actions - 1) / (1 - confidence))
    return c * (torch.nn.functional.one_hot(q.argmax(dim=1), num_actions) - 1 / num_actions)


def diffusion_loss(eps: Tensor, eps_theta: Tensor) -> Tensor:
    """Compare true and predicted noise, Eq. (25): L_d = E ||eps - eps_theta||^2, (B, A) -> scalar.

    The squared norm is summed over the A coordinates as printed, and averaged over the batch.
    """
    _same_shape(eps, eps_theta)
    return (eps - eps_theta).square().sum(dim=1).mean()


@torch.no_grad()
def polyak(target, online, tau: float) -> None:
    """Move the target parameters, Eq. (17), in place: psi' <- tau psi + (1 - tau) psi'."""
    for mine, theirs in zip(target, online, strict=True):
        mine.lerp_(theirs, tau)


def _same_shape(*tensors: Tensor) -> None:
    """Refuse shapes that would broadcast: (B,) minus (B, 1) is (B, B), and its mean looks like a loss."""
    if len({tensor.shape for tensor in tensors}) != 1:
        raise ValueError(f"shapes {[tuple(tensor.shape) for tensor in tensors]} are not all the same")
