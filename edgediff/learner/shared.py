"""Networks that apply the same weights to every gateway: what is learned about one is known of all.

The state is that of `world.state.observe_gateways`: c common numbers, then k numbers of each gateway in turn. A
network sees of a gateway its own k numbers, the common ones, and the largest, the smallest and the mean of each of
the k over all gateways. So the order of the gateways does not matter, their number may change, and the cost grows
with it linearly. The first layer is a sum: what is common to all gateways is computed once.

Shapes: B batch, G gateways, A = 3 G actions, H hidden, N denoising steps.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from edgediff.config import COMMON_INPUTS, GATEWAY_INPUTS, LEVEL_INPUTS, NUM_LEVELS, OWN_INPUTS
from edgediff.learner.networks import TIME_DIM, sinusoidal_embedding


def split_state(state: Tensor) -> tuple[Tensor, Tensor]:
    """Split states (..., c + G k) into what is common, summaries included, (..., c + 3 k), and (..., G, k)."""
    own = state[..., COMMON_INPUTS:].unflatten(-1, (-1, GATEWAY_INPUTS))
    return torch.cat([state[..., :COMMON_INPUTS], summaries(own)], dim=-1), own


def of_levels(own: Tensor) -> tuple[Tensor, Tensor]:
    """Take out of (..., G, k) what the model says of each level: reward (..., G, 3), what it holds (..., G, 3, 2)."""
    levels = own[..., OWN_INPUTS:].unflatten(-1, (NUM_LEVELS, LEVEL_INPUTS))
    return levels[..., 0], levels[..., 1:]


def summaries(own: Tensor) -> Tensor:
    """Return the largest, the smallest and the mean number over gateways, (..., G, k) -> (..., 3 k)."""
    return torch.cat([own.amax(dim=-2), own.amin(dim=-2), own.mean(dim=-2)], dim=-1)


class FirstLayer(nn.Module):
    """W_c common + W_o own + b: a linear layer on the concatenation of both for every gateway, (B, G, H)."""

    def __init__(self, common: int, own: int, hidden: int):
        super().__init__()
        self.of_common, self.of_own = nn.Linear(common, hidden), nn.Linear(own, hidden, bias=False)

    def forward(self, common: Tensor, own: Tensor) -> Tensor:
        """Apply the layer to (B, c) and (B, G, k)."""
        return self.of_common(common)[..., None, :] + self.of_own(own)


def rest(hidden: int, outputs: int) -> nn.Sequential:
    """Build the layers after the first."""
    return nn.Sequential(nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


class SharedNetwork(nn.Module):
    """From a state to one number for every action, (B, A): logits or values."""

    def __init__(self, hidden: int):
        super().__init__()
        self.first = FirstLayer(COMMON_INPUTS + 3 * GATEWAY_INPUTS, GATEWAY_INPUTS, hidden)
        self.rest = rest(hidden, NUM_LEVELS)

    def forward(self, state: Tensor) -> Tensor:
        """Apply the same layers to every gateway."""
        return self.rest(self.first(*split_state(state))).flatten(-2)


class SharedValue(nn.Module):
    """From a state to its value, (B, 1): features of every gateway, their mean and largest, and a layer on both."""

    def __init__(self, hidden: int):
        super().__init__()
        self.first = FirstLayer(COMMON_INPUTS + 3 * GATEWAY_INPUTS, GATEWAY_INPUTS, hidden)
        self.rest, self.value = rest(hidden, hidden), nn.Sequential(nn.SiLU(), nn.Linear(2 * hidden, 1))

    def forward(self, state: Tensor) -> Tensor:
        """Apply the same layers to every gateway, then one to all."""
        features = self.rest(self.first(*split_state(state)))
        return self.value(torch.cat([features.mean(dim=-2), features.amax(dim=-2)], dim=-1))


class PricedCritic(nn.Module):
    """From a state to Q(s, a) = V(s) + r(s, a) - p_b(s) h_b(s, a) - p_c(s) h_c(s, a), (B, A).

    The model tells of every action its reward r and what it holds, h_b of bandwidth and h_c of compute, both times the
    recent load. What is left to learn is the value of the state, and two prices for what later flows miss. They are
    common to all actions, so errors of the value cannot change which action is best, and errors of the prices are means
    over many decisions. The prices start at 0, where the best action is that of the greedy rule.
    """

    def __init__(self, hidden: int):
        super().__init__()
        common = COMMON_INPUTS + 3 * GATEWAY_INPUTS
        self.value = SharedValue(hidden)
        last = nn.Linear(hidden, 2)
        nn.init.zeros_(last.weight), nn.init.zeros_(last.bias)
        self.prices = nn.Sequential(nn.Linear(common, hidden), nn.SiLU(), last)

    def forward(self, state: Tensor) -> Tensor:
        """Value every action."""
        common, own = split_state(state)
        (reward, held), price = of_levels(own), self.prices(common)[..., None, None, :]
        net = reward - (price * held).sum(dim=-1)
        return self.value(state) + net.flatten(-2)


class SharedNoiseNetwork(nn.Module):
    """eps_theta(a_i, s, i) of Eq. (21), one gateway after another.

    Of the latent a_i a gateway has three entries. What all of them say together is seen by the largest, the mean and
    the logsumexp of all A. `forward` is the definition; `predictor` computes the same faster for a whole chain.
    """

    embedding: Tensor  # (N, TIME_DIM) of all steps

    def __init__(self, hidden: int, num_steps: int):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(TIME_DIM, 2 * TIME_DIM), nn.SiLU(), nn.Linear(2 * TIME_DIM, TIME_DIM))
        self.of_state = FirstLayer(COMMON_INPUTS + 3 * GATEWAY_INPUTS, GATEWAY_INPUTS, hidden)
        self.of_latent = FirstLayer(3 + TIME_DIM, NUM_LEVELS, hidden)
        self.rest = rest(hidden, NUM_LEVELS)
        self.register_buffer("embedding", sinusoidal_embedding(torch.arange(1, num_steps + 1)), persistent=False)

    def forward(self, a_i: Tensor, state: Tensor, i: Tensor) -> Tensor:
        """Predict the noise, (B, A), in a_i (B, A) at a state and step i (B,), 1 .. N."""
        common = torch.cat([latent_summary(a_i), self.time(self.embedding[i - 1])], dim=1)
        first = self.of_state(*split_state(state)) + self.of_latent(common, a_i.unflatten(1, (-1, NUM_LEVELS)))
        return self.rest(first).flatten(1)

    def predictor(self, state: Tensor) -> Callable[[Tensor, int], Tensor]:
        """Return the function (a_i, i) -> predicted noise, (B, A), for a batch of states."""
        from_state, time = self.of_state(*split_state(state)), self.time(self.embedding)

        def predict(a_i: Tensor, i: int) -> Tensor:
            """Add what the latent says to what was computed once for all steps."""
            common = torch.cat([latent_summary(a_i), time[i - 1].expand(len(a_i), -1)], dim=1)
            return self.rest(from_state + self.of_latent(common, a_i.unflatten(1, (-1, NUM_LEVELS)))).flatten(1)

        return predict


def latent_summary(a_i: Tensor) -> Tensor:
    """Return the largest, the mean and the logsumexp of a latent, (B, A) -> (B, 3)."""
    return torch.stack([a_i.amax(dim=1), a_i.mean(dim=1), a_i.logsumexp(dim=1)], dim=1)
