"""What d2sac and sac have in common: an actor, twin critics, and a target of each, Eq. (17)."""

import copy
from typing import Any

from torch import nn

from edgediff.learner.agent import Agent
from edgediff.learner.networks import TwinCritics


class ActorCritic(Agent):
    """An actor, twin critics and their targets. A child chooses the actor, and defines its policy and its update."""

    actor: Any  # a network of the child's choice
    target_actor: Any

    def build_around(self, actor: nn.Module, critic_lr: float) -> None:
        """Create networks and optimisers, those of the critics and of the targets after the actor that is given."""
        self.actor = actor.to(self.device)
        self.critics = TwinCritics(self.new.critic(), self.new.critic()).to(self.device)
        self.target_actor = copy.deepcopy(self.actor).requires_grad_(False)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)
        self.networks = {"actor": self.actor, "critics": self.critics}
        self.networks |= {"target_actor": self.target_actor, "target_critics": self.target_critics}
        step_actor, step_critics = self.adam(self.actor, self.config.actor_lr), self.adam(self.critics, critic_lr)
        self.optimisers = {"actor": step_actor, "critics": step_critics}
