"""Networks that apply the same weights to every item: what is learned about one is known of all.

Items are gateways in the edge network, servers or queues in another problem; `Widths` says how they stand in a state. A
network sees of an item its own k numbers, the common ones, and the largest, the smallest and the mean of each of the k
over all items. So the order of the items does not matter, their number may change, and the cost grows with it linearly.
The first layer is a sum: what is common to all items is computed once.

Shapes: B batch, G items, L levels, A = G L actions, k numbers of an item, H hidden, N denoising steps.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from edgediff.errors import ConfigError
from edgediff.learner.embedding import TIME_DIM, StepEmbedding

PRICE_GAIN = 20.0  # a step of Adam has about the size of its rate, whatever it moves: a price, of order 1, needs more


class Widths(NamedTuple):
    """How a state is laid out: common numbers, then of each item in turn its own and those of each of its levels.

    The levels of an item are its actions. The first number of a level is the reward that a model predicts, the rest is
    what the action takes, which a priced critic charges for. Without a model there are none.
    """

    common: int
    own: int
    levels: int
    per_level: int = 0

    @property
    def item(self) -> int:
        """Numbers of an item, k."""
        return self.own + self.levels * self.per_level

    @property
    def seen(self) -> int:
        """What is common to all items, with the largest, the smallest and the mean of their numbers."""
        return self.common + 3 * self.item


def checked_widths(given: Any, state_dim: int, num_actions: int, critic: str = "values") -> Widths:
    """Return widths that fit a state and its actions; `ConfigError` if they do not."""
    whole = isinstance(given, tuple) and len(given) in (3, 4) and all(isinstance(n, int | np.integer) for n in given)
    widths = Widths(*given) if whole else None
    if not widths or min(widths) < 0 or not widths.levels or not widths.item:
        raise ConfigError(f"widths: {given} is not (common, own, levels, per_level), which network shared has to know")
    items, left = divmod(state_dim - widths.common, widths.item)
    if left or items < 1 or items * widths.levels != num_actions:
        shape = f"{widths.common} + {widths.item} G numbers and {widths.levels} G actions"
        raise ConfigError(f"widths: {shape} are not {state_dim} and {num_actions} for any number of items G")
    if critic == "priced" and widths.per_level < 2:
        raise ConfigError(f"widths: per_level {widths.per_level} is not at least 2: a reward, and what has a price")
    return widths


def split_state(state: Tensor, widths: Widths) -> tuple[Tensor, Tensor]:
    """Split states (..., c + G k) into what all items see, (..., c + 3 k), and the numbers of each, (..., G, k)."""
    own = state[..., widths.common :].unflatten(-1, (-1, widths.item))
    seen = torch.cat([state[..., : widths.common], own.amax(dim=-2), own.amin(dim=-2), own.mean(dim=-2)], dim=-1)
    return seen, own


def of_levels(own: Tensor, widths: Widths) -> tuple[Tensor, Tensor]:
    """Take out of (..., G, k) what the model says of each level: reward (..., G, L), what it takes (..., G, L, P)."""
    levels = own[..., widths.own :].unflatten(-1, (widths.levels, widths.per_level))
    return levels[..., 0], levels[..., 1:]


class FirstLayer(nn.Module):
    """W_c common + W_o own + b: a linear layer on the concatenation of both for every item, (B, G, H)."""

    def __init__(self, common: int, own: int, hidden: int):
        super().__init__()
        self.of_common, self.of_own = nn.Linear(common, hidden), nn.Linear(own, hidden, bias=False)

    def forward(self, common: Tensor, own: Tensor) -> Tensor:
        """Apply the layer to (B, c) and (B, G, k)."""
        return self.of_common(common)[..., None, :] + self.of_own(own)


def trunk(hidden: int, outputs: int) -> nn.Sequential:
    """Build the layers after the first."""
    return nn.Sequential(nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


class SharedNetwork(nn.Module):
    """From a state to one number for every action, (B, A): logits or values."""

    def __init__(self, widths: Widths, hidden: int):
        super().__init__()
        self.widths = widths
        self.first = FirstLayer(widths.seen, widths.item, hidden)
        self.rest = trunk(hidden, widths.levels)

    def forward(self, state: Tensor) -> Tensor:
        """Apply the same layers to every item."""
        return self.rest(self.first(*split_state(state, self.widths))).flatten(-2)


class SharedValue(nn.Module):
    """From a state to its value, (B, 1): features of every item, their mean and largest, and a layer on both."""

    def __init__(self, widths: Widths, hidden: int):
        super().__init__()
        self.widths = widths
        self.first = FirstLayer(widths.seen, widths.item, hidden)
        self.rest, self.value = trunk(hidden, hidden), nn.Sequential(nn.SiLU(), nn.Linear(2 * hidden, 1))

    def forward(self, state: Tensor) -> Tensor:
        """Apply the same layers to every item, then one to all."""
        features = self.rest(self.first(*split_state(state, self.widths)))
        return self.value(torch.cat([features.mean(dim=-2), features.amax(dim=-2)], dim=-1))


class PricedCritic(nn.Module):
    """From a state to Q(s, a) = V(s) + r(s, a) - sum_j p_j c_j(s, a), (B, A).

    The model tells of every action its reward r and what it takes from later flows, c. What is left to learn is the
    value of the state, and a price of each c. Prices are common to all actions, so errors of the value cannot change
    which action is best; and to all states, since one that depends on the state is noisy, and follows what states have
    in common with the actions that are taken in them. They start at 0, where the best action is that of greedy.
    """

    def __init__(self, widths: Widths, hidden: int):
        super().__init__()
        self.widths = widths
        self.value = SharedValue(widths, hidden)
        self.scaled_prices = nn.Parameter(torch.zeros(widths.per_level - 1))

    @property
    def prices(self) -> Tensor:
        """The price of each thing that is taken, (P,)."""
        return PRICE_GAIN * self.scaled_prices

    def forward(self, state: Tensor) -> Tensor:
        """Value every action."""
        _, own = split_state(state, self.widths)
        reward, taken = of_levels(own, self.widths)
        return self.value(state) + (reward - (self.prices * taken).sum(dim=-1)).flatten(-2)


class SharedNoiseNetwork(nn.Module):
    """eps_theta(a_i, s, i) of Eq. (21), one item after another.

    Of the latent a_i an item has one entry a level. What all of them say together is seen by the largest, the mean and
    the logsumexp of all A. `forward` is the definition; a chain calls `predictor`, which computes the same faster.
    """

    def __init__(self, widths: Widths, hidden: int, num_steps: int):
        super().__init__()
        self.widths = widths
        self.time = StepEmbedding(num_steps)
        self.of_state = FirstLayer(widths.seen, widths.item, hidden)
        self.of_latent = FirstLayer(3 + TIME_DIM, widths.levels, hidden)
        self.rest = trunk(hidden, widths.levels)

    def forward(self, a_i: Tensor, state: Tensor, i: Tensor) -> Tensor:
        """Predict the noise, (B, A), in a_i (B, A) at a state and step i (B,), 1 .. N."""
        return self._predict(self.of_state(*split_state(state, self.widths)), a_i, self.time(self.time.table[i - 1]))

    def predictor(self, state: Tensor) -> Callable[[Tensor, int], Tensor]:
        """Return the function (a_i, i) -> predicted noise, (B, A), for a batch of states."""
        from_state, time = self.of_state(*split_state(state, self.widths)), self.time(self.time.table)
        return lambda a_i, i: self._predict(from_state, a_i, time[i - 1].expand(a_i.shape[0], -1))

    def _predict(self, from_state: Tensor, a_i: Tensor, time: Tensor) -> Tensor:
        """Add what the latent (B, A) and the embedded step (B, TIME_DIM) say to what the state does."""
        common = torch.cat([latent_summary(a_i), time], dim=1)
        from_latent = self.of_latent(common, a_i.unflatten(1, (-1, self.widths.levels)))
        return self.rest(from_state + from_latent).flatten(1)


def latent_summary(a_i: Tensor) -> Tensor:
    """Return the largest, the mean and the logsumexp of a latent, (B, A) -> (B, 3)."""
    return torch.stack([a_i.amax(dim=1), a_i.mean(dim=1), a_i.logsumexp(dim=1)], dim=1)
