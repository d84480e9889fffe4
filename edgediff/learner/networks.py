"""The networks: eps_theta of Eqs. (21) and (25), the twin critics Q_psi, and what an agent builds its own of.

Shapes: B batch, S state, A actions, N denoising steps, H hidden.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from edgediff.config import LearnerConfig
from edgediff.learner.embedding import TIME_DIM, StepEmbedding
from edgediff.learner.shared import (
    PricedCritic,
    SharedNetwork,
    SharedNoiseNetwork,
    SharedValue,
    Widths,
    checked_widths,
    trunk,
)


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Build inputs -> hidden -> hidden -> outputs, with SiLU between them."""
    return nn.Sequential(nn.Linear(inputs, hidden), *trunk(hidden, outputs))


class NoiseNetwork(nn.Module):
    """eps_theta(a_i, s, i) of Eq. (21): an MLP on the concatenation of a_i, s and an embedding of i.

    `forward` is that definition. A chain calls `predictor`, which computes the same faster: the first layer is a sum of
    three projections, of which that of s is computed once per chain and that of i once per step, not once per row.
    The output is linear: standard normal noise exceeds 1 in 32 % of its coordinates, so a bounded output cannot
    predict it.
    """

    def __init__(self, state_dim: int, num_actions: int, hidden: int, num_steps: int):
        super().__init__()
        self.sizes = [num_actions, state_dim, TIME_DIM]
        self.time = StepEmbedding(num_steps)
        self.first = nn.Linear(sum(self.sizes), hidden)
        self.rest = trunk(hidden, num_actions)

    def forward(self, a_i: Tensor, state: Tensor, i: Tensor) -> Tensor:
        """Predict the noise, (B, A), in a_i (B, A) at state (B, S) and step i (B,), 1 .. N."""
        return self.rest(self.first(torch.cat([a_i, state, self.time(self.time.table[i - 1])], dim=-1)))

    def predictor(self, state: Tensor) -> Callable[[Tensor, int], Tensor]:
        """Return the function (a_i, i) -> predicted noise, (B, A), for a batch of states (B, S)."""
        of_action, of_state, of_time = self.first.weight.split(self.sizes, dim=1)
        from_state = nn.functional.linear(state, of_state, self.first.bias)  # (B, H)
        from_step = nn.functional.linear(self.time(self.time.table), of_time)  # (N, H)
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


class Builders(NamedTuple):
    """The networks that agents are made of; every call builds one, with first weights of its own."""

    action: Callable[[], nn.Module]  # from states (B, S) to one number for every action, (B, A)
    value: Callable[[], nn.Module]  # from states to their values, (B, 1)
    critic: Callable[[], nn.Module]  # from states to the value of every action, (B, A)
    noise: Callable[[], NoiseNetwork | SharedNoiseNetwork]  # eps_theta


def builders(
    config: LearnerConfig, state_dim: int, num_actions: int, widths: Widths | tuple[int, ...] | None = None
) -> Builders:
    """Return the networks of the settings `network` and `critic`; `ConfigError` if the widths do not fit."""
    h, steps = config.hidden, config.d2sac_denoising_steps
    if config.network == "mlp":
        of_actions, value = partial(mlp, state_dim, h, num_actions), partial(mlp, state_dim, h, 1)
        return Builders(of_actions, value, of_actions, partial(NoiseNetwork, state_dim, num_actions, h, steps))
    widths = checked_widths(widths, state_dim, num_actions, config.critic)
    return Builders(
        action=partial(SharedNetwork, widths, h),
        value=partial(SharedValue, widths, h),
        critic=partial(PricedCritic if config.critic == "priced" else SharedNetwork, widths, h),
        noise=partial(SharedNoiseNetwork, widths, h, steps),
    )
