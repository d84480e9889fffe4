"""The two function approximators: eps_theta of Eqs. (21) and (25), and the twin critics Q_psi.

Shapes: B batch, S state, A actions, N denoising steps, H hidden.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

TIME_DIM = 16


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Build inputs -> hidden -> hidden -> outputs, with SiLU between them."""
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, outputs)
    )


def sinusoidal_embedding(i: Tensor, dim: int = TIME_DIM) -> Tensor:
    """Embed step numbers i (...,) as sines and cosines of geometrically spaced frequencies, (..., dim)."""
    frequency = torch.exp(torch.arange(dim // 2, device=i.device) * (-math.log(10_000) / (dim // 2 - 1)))
    angle = i[..., None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


class NoiseNetwork(nn.Module):
    """eps_theta(a_i, s, i) of Eq. (21): an MLP on the concatenation of a_i, s and an embedding of i.

    `forward` is that definition. `predictor` computes the same faster for a whole chain: the first layer is a sum of
    three projections, of which that of s is computed once per chain and that of i once per step, not once per row.
    The output is linear: standard normal noise exceeds 1 in 32 % of its coordinates, so a bounded output cannot
    predict it.
    """

    embedding: Tensor  # (N, TIME_DIM) of all steps

    def __init__(self, state_dim: int, num_actions: int, hidden: int, num_steps: int):
        super().__init__()
        self.sizes = [num_actions, state_dim, TIME_DIM]
        self.time = nn.Sequential(nn.Linear(TIME_DIM, 2 * TIME_DIM), nn.SiLU(), nn.Linear(2 * TIME_DIM, TIME_DIM))
        self.first = nn.Linear(sum(self.sizes), hidden)
        self.rest = nn.Sequential(nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, num_actions))
        embedding = sinusoidal_embedding(torch.arange(1, num_steps + 1))
        self.register_buffer("embedding", embedding, persistent=False)

    def forward(self, a_i: Tensor, state: Tensor, i: Tensor) -> Tensor:
        """Predict the noise, (B, A), in a_i (B, A) at state (B, S) and step i (B,), 1 .. N."""
        return self.rest(self.first(torch.cat([a_i, state, self.time(self.embedding[i - 1])], dim=-1)))

    def predictor(self, state: Tensor) -> Callable[[Tensor, int], Tensor]:
        """Return the function (a_i, i) -> predicted noise, (B, A), for a batch of states (B, S)."""
        of_action, of_state, of_time = self.first.weight.split(self.sizes, dim=1)
        from_state = nn.functional.linear(state, of_state, self.first.bias)  # (B, H)
        from_step = nn.functional.linear(self.time(self.embedding), of_time)  # (N, H)
        return lambda a_i, i: self.rest(torch.addmm(from_state + from_step[i - 1], a_i, of_action.T))


class TwinCritics(nn.Module):
    """Q_psi1 and Q_psi2 of Section 4.1, each from a state to the values of all actions at once."""

    def __init__(self, q1: nn.Module, q2: nn.Module):
        super().__init__()
        self.q1, self.q2 = q1, q2

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return both estimates, (B, A) each."""
        return self.q1(state), self.q2(state)

    def minimum(self, state: Tensor) -> Tensor:
        """Return the smaller estimate of every action, (B, A), which counters overestimation."""
        return torch.minimum(*self(state))
