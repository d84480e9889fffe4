"""Soft actor-critic for discrete actions with a plain MLP actor: D2SAC without diffusion.

P. Christodoulou, "Soft actor-critic for discrete action settings", 2019. Targets, critics and J are those of
D2SAC: the entropy is in the objective of the actor and not in the target (Eq. 10 of that paper has it in both). The
learning rate of the critics was tuned; with `sac_critic_lr` at 1e-4 nothing but the actor differs from D2SAC.
"""

import torch
from torch import Tensor

from edgediff.learner.actor_critic import ActorCritic
from edgediff.learner.agent import detached, gradient_step
from edgediff.learner.losses import actor_objective, critic_loss, entropy, polyak, state_value, td_target
from edgediff.learner.replay import Batch


class SAC(ActorCritic):
    """An actor from states to logits, twin critics, and their targets."""

    METRICS = "loss_q", "objective", "entropy", "q", "target", "grad_q", "grad_pi"

    def build(self) -> None:
        """Create networks and optimisers around a network from states to logits."""
        self.build_around(self.new.action(), self.config.sac_critic_lr)

    def training_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return pi(. | s) = softmax of the actor's logits, (B, A)."""
        return torch.softmax(self.actor(state), dim=1)

    def evaluation_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return the target actor's policy, (B, A), as for D2SAC."""
        return torch.softmax(self.target_actor(state), dim=1)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Take one gradient step: targets, critics, actor, soft updates, as in Algorithm 1."""
        c = self.config
        with torch.no_grad():
            next_pi = torch.softmax(self.target_actor(batch.next_state), dim=1)
            next_value = state_value(next_pi, self.target_critics.minimum(batch.next_state))
            target = td_target(batch.n_step_return, batch.discount, next_value)
        q1, q2 = self.critics(batch.state)
        loss_q = critic_loss(q1, q2, batch.action, target)
        grad_q = gradient_step(self.optimisers["critics"], loss_q)

        with torch.no_grad():
            q = self.critics.minimum(batch.state)
        log_pi = torch.log_softmax(self.actor(batch.state), dim=1)
        objective = actor_objective(log_pi, q, c.entropy_temperature)
        grad_pi = gradient_step(self.optimisers["actor"], -objective)

        polyak(self.target_critics.parameters(), self.critics.parameters(), c.tau)
        polyak(self.target_actor.parameters(), self.actor.parameters(), c.tau)
        return detached(
            loss_q=loss_q,
            objective=objective,
            entropy=entropy(log_pi).mean(),
            q=state_value(log_pi.exp(), q).mean(),
            target=target.mean(),
            grad_q=grad_q,
            grad_pi=grad_pi,
        )
