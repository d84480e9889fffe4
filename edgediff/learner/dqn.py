"""Double deep Q-learning with epsilon-greedy exploration and n-step targets.

H. van Hasselt, A. Guez, D. Silver, "Deep reinforcement learning with double Q-learning", 2016. The target
network follows softly, Eq. (17), as for the other agents here.
"""

import copy

import numpy as np
import torch
from torch import Tensor

from edgediff.learner.agent import Agent, detached, gradient_step, require_finite
from edgediff.learner.losses import polyak, state_value, td_target
from edgediff.learner.replay import Batch


def epsilon(decisions: int, horizon: float, final: float) -> float:
    """Return the exploration rate: linear from 1 to `final` over `horizon` decisions, then constant."""
    return max(final, 1.0 - (1.0 - final) * decisions / horizon)


def epsilon_greedy(q: Tensor, rate: float) -> Tensor:
    """Return pi (B, A) from q (B, A): rate / A for every action, and the rest for the best one."""
    return rate / q.shape[1] + (1.0 - rate) * greedy(q)


def greedy(q: Tensor) -> Tensor:
    """Put all probability on the best action, (B, A)."""
    return torch.nn.functional.one_hot(q.argmax(dim=1), q.shape[1]).to(q.dtype)


def double_q_value(q_online: Tensor, q_target: Tensor) -> Tensor:
    """Select the action with one network, evaluate it with the other: Q'(s, argmax_a Q(s, a)), (B,).

    It is Eq. 4 of that paper. With one network for both it is the max backup, Eq. (14) here, which overestimates.
    """
    return state_value(greedy(q_online), q_target)


class DQN(Agent):
    """One Q network and its target."""

    METRICS = "loss_q", "q", "target", "grad_q"

    def build(self) -> None:
        """Create networks and the optimiser."""
        c = self.config
        self.q = self.new.critic().to(self.device)
        self.target_q = copy.deepcopy(self.q).requires_grad_(False)
        self.networks = {"q": self.q, "target_q": self.target_q}
        self.optimisers = {"q": self.adam(self.q, c.dqn_lr)}
        self.decisions, self.horizon = 0, c.dqn_epsilon_share * c.epochs * c.collect_per_epoch

    def training_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return the epsilon-greedy policy, (B, A)."""
        q = self.q(state)
        require_finite("action values", q)  # the policy made of them is finite in any case
        return epsilon_greedy(q, epsilon(self.decisions, self.horizon, self.config.dqn_epsilon_final))

    def evaluation_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return the greedy policy of the target network, (B, A), an average over time, as for D2SAC."""
        q = self.target_q(state)
        require_finite("action values", q)
        return greedy(q)

    def explore(self, observation: np.ndarray) -> np.ndarray:
        """Sample actions as every agent does, and count them: the count sets epsilon."""
        action = super().explore(observation)
        self.decisions += len(action)
        return action

    def snapshot(self) -> dict:
        """Return what every agent has, and the count behind epsilon."""
        return super().snapshot() | {"decisions": self.decisions, "horizon": self.horizon}

    def load_snapshot(self, saved: dict) -> None:
        """Restore a snapshot; the horizon stays as it was, also if epochs were added since."""
        super().load_snapshot(saved)
        self.decisions, self.horizon = saved["decisions"], saved["horizon"]

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Take one gradient step on the squared error to the double-Q target."""
        with torch.no_grad():
            next_value = double_q_value(self.q(batch.next_state), self.target_q(batch.next_state))
            target = td_target(batch.n_step_return, batch.discount, next_value)
        q = self.q(batch.state)
        loss_q = (q.gather(1, batch.action[:, None])[:, 0] - target).square().mean()
        grad_q = gradient_step(self.optimisers["q"], loss_q)
        polyak(self.target_q.parameters(), self.q.parameters(), self.config.tau)
        return detached(loss_q=loss_q, q=q.max(dim=1).values.mean(), target=target.mean(), grad_q=grad_q)
