"""The two function approximators: eps_theta of Eqs. (21) and (25), and the twin critics Q_psi.

Shapes: B batch, S state, A actions, N denoising steps, H hidden.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from edgediff.diffusion import Schedule, denoise, reverse_mean

ACTIVATIONS = {"silu": nn.SiLU, "mish": nn.Mish}
TIME_DIM = 16


def mlp(inputs: int, hidden: int, outputs: int, activation: str) -> nn.Sequential:
    """Build inputs -> hidden -> hidden -> outputs."""
    act = ACTIVATIONS[activation]
    return nn.Sequential(nn.Linear(inputs, hidden), act(), nn.Linear(hidden, hidden), act(), nn.Linear(hidden, outputs))


def sinusoidal_embedding(i: Tensor, dim: int = TIME_DIM) -> Tensor:
    """Embed step numbers i (...,) as sines and cosines of geometrically spaced frequencies, (..., dim)."""
    frequency = torch.exp(torch.arange(dim // 2, device=i.device) * (-math.log(10_000) / (dim // 2 - 1)))
    angle = i[..., None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


class NoiseNetwork(nn.Module):
    """eps_theta(a_i, s, i) of Eq. (21): an MLP on the concatenation of a_i, s and an embedding of i.

    `forward` is that definition. `denoise` computes the same cheaper: the first layer is a sum of three
    projections, of which that of s is taken once per chain and that of i once per step, not once per row.
    """

    def __init__(self, state_dim: int, num_actions: int, hidden: int, steps: int, activation: str, head: str):
        super().__init__()
        act = ACTIVATIONS[activation]
        self.sizes = [num_actions, state_dim, TIME_DIM]
        self.time = nn.Sequential(nn.Linear(TIME_DIM, 2 * TIME_DIM), act(), nn.Linear(2 * TIME_DIM, TIME_DIM))
        self.first = nn.Linear(sum(self.sizes), hidden)
        self.rest = nn.Sequential(act(), nn.Linear(hidden, hidden), act(), nn.Linear(hidden, num_actions))
        if head == "tanh":
            self.rest.append(nn.Tanh())
        steps = torch.arange(1, steps + 1)
        self.register_buffer("embedding", sinusoidal_embedding(steps), persistent=False)

    def forward(self, a_i: Tensor, state: Tensor, i: Tensor) -> Tensor:
        """Predict the noise, (B, A), in a_i (B, A) at state (B, S) and step i (B,), 1 .. N."""
        return self.rest(self.first(torch.cat([a_i, state, self.time(self.embedding[i - 1])], dim=-1)))

    def denoise(
        self, state: Tensor, schedule: Schedule, variance: Tensor, noise: Tensor, mean: Callable = reverse_mean
    ) -> Tensor:
        """Run the chain of Eq. (19) at `state` (B, S) with `noise` (N, B, A); return the logits a_0, (B, A)."""
        of_action, of_state, of_time = self.first.weight.split(self.sizes, dim=1)
        from_state = nn.functional.linear(state, of_state, self.first.bias)  # (B, H)
        from_step = nn.functional.linear(self.time(self.embedding), of_time)  # (N, H)

        def predict_noise(a_i: Tensor, i: int) -> Tensor:
            return self.rest(torch.addmm(from_state + from_step[i - 1], a_i, of_action.T))

        return denoise(predict_noise, schedule, variance, noise, mean)


class TwinCritics(nn.Module):
    """Q_psi1 and Q_psi2 of Section 4.1, each from a state to the values of all actions at once."""

    def __init__(self, state_dim: int, num_actions: int, hidden: int, activation: str):
        super().__init__()
        self.q1 = mlp(state_dim, hidden, num_actions, activation)
        self.q2 = mlp(state_dim, hidden, num_actions, activation)

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return both estimates, (B, A) each."""
        return self.q1(state), self.q2(state)

    def minimum(self, state: Tensor) -> Tensor:
        """Return the smaller estimate of every action, (B, A): the guard against overestimation."""
        return torch.minimum(*self(state))
