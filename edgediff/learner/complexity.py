"""What a decision and an update cost, Eq. (27), in multiply-adds of the matrix products."""

from torch import nn

from edgediff.errors import ConfigError
from edgediff.learner.networks import NoiseNetwork


def parameter_count(network: nn.Module) -> int:
    """Count the parameters, P_d or P_c of Eq. (27)."""
    return sum(p.numel() for p in network.parameters())


def printed_cost(steps: int, p_d: int, p_a: int, p_c: int) -> int:
    """Add up the cost of an update as Eq. (27) prints it: K P_d + P_a + P_c.

    It counts no batch, no target chain and no backward pass; and P_a is no network of its own, since the
    diffusion model is the actor. Compare `update_cost`.
    """
    return steps * p_d + p_a + p_c


def chain_cost(actor: NoiseNetwork, steps: int) -> int:
    """Count one run of the chain for one state, what Eq. (27) calls O(K P_d): the cost of one decision.

    The state is projected once, not at every step; the step embedding, shared by a whole batch, is left out.
    Raises `ConfigError` for a shared network.
    """
    if not isinstance(actor, NoiseNetwork):
        raise ConfigError("network: the products of Eq. (27) are counted for mlp, not for shared")
    num_actions, state_dim, _ = actor.sizes
    hidden = actor.first.out_features
    return steps * (num_actions * hidden + hidden * hidden + hidden * num_actions) + state_dim * hidden


def update_cost(actor: NoiseNetwork, steps: int, batch: int) -> int:
    """Count one gradient step, what Eq. (27) leaves out included.

    A backward pass costs two forward ones. Chain: once forward for the target, once forward and backward for J.
    L_d: one prediction forward and backward. Critics: target values, loss forward and backward, values for J.
    """
    chain, hidden = chain_cost(actor, steps), actor.first.out_features
    num_actions, state_dim, time_dim = actor.sizes
    prediction = (num_actions + state_dim + time_dim) * hidden + hidden * hidden + hidden * num_actions
    critic = 2 * (state_dim * hidden + hidden * hidden + hidden * num_actions)
    return batch * (chain + 3 * chain + 3 * prediction + critic + 3 * critic + critic)
