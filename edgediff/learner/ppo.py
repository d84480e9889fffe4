"""Proximal policy optimisation with a clipped ratio, generalised advantages and vectorised rollouts.

J. Schulman et al., "Proximal policy optimization algorithms", 2017 (Eq. 7 there), with advantages from
J. Schulman et al., "High-dimensional continuous control using generalized advantage estimation", 2016 (Eq. 16).
"""

import copy
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from edgediff.config import LearnerConfig
from edgediff.learner.agent import Agent, detached, gradient_step
from edgediff.learner.losses import entropy, polyak
from edgediff.learner.replay import Replay


class RolloutBatch(NamedTuple):
    """B decisions of the last rollout."""

    state: Tensor  # (B, S)
    action: Tensor  # (B,)
    old_log_pi: Tensor  # (B,) of the action, when it was taken
    advantage: Tensor  # (B,)
    value_target: Tensor  # (B,)


def advantages(
    reward: Tensor, value: Tensor, next_value: Tensor, terminated: Tensor, ended: Tensor, gamma: float, lam: float
) -> Tensor:
    """Sum discounted temporal differences backwards: A_t = delta_t + gamma lam A_{t+1}, (T, E).

    delta_t = r_t + gamma (1 - terminated_t) V(s_{t+1}) - V(s_t), with the true next state also where an
    episode ended; the sum stops there. All arrays are (T, E).
    """
    delta = reward + gamma * torch.where(terminated, 0.0, next_value) - value
    result = torch.zeros_like(delta)
    running = torch.zeros_like(delta[0])
    for t in range(len(delta) - 1, -1, -1):
        running = delta[t] + gamma * lam * torch.where(ended[t], 0.0, running)
        result[t] = running
    return result


def clipped_objective(log_pi: Tensor, old_log_pi: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """Compute the clipped objective: mean of min(ratio A, clip(ratio, 1 - clip, 1 + clip) A); arguments (B,)."""
    ratio = (log_pi - old_log_pi).exp()
    return torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()


class PPO(Agent):
    """An actor and a state value, both trained several times over each rollout."""

    METRICS = "objective", "loss_v", "entropy", "grad_pi", "grad_v"

    def build(self) -> None:
        """Create networks and optimisers."""
        c = self.config
        self.actor, self.critic = self.new.action().to(self.device), self.new.value().to(self.device)
        self.average_actor = copy.deepcopy(self.actor).requires_grad_(False)
        self.networks = {"actor": self.actor, "critic": self.critic, "average_actor": self.average_actor}
        self.optimisers = {"actor": self.adam(self.actor, c.ppo_lr), "critic": self.adam(self.critic, c.ppo_lr)}

    def training_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return pi(. | s) = softmax of the actor's logits, (B, A)."""
        return torch.softmax(self.actor(state), dim=1)

    def evaluation_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return the policy of the averaged weights, Eq. (17), as for the other agents, (B, A)."""
        return torch.softmax(self.average_actor(state), dim=1)

    @staticmethod
    def capacity(config: LearnerConfig) -> int:
        """Return how many transitions memory holds: exactly one rollout, that of the last epoch."""
        return config.collect_per_epoch

    @staticmethod
    def gradient_steps(config: LearnerConfig) -> int:
        """Return the number of batches of a whole run; the last of a pass may be smaller."""
        return config.epochs * config.ppo_passes * math.ceil(config.collect_per_epoch / config.batch_size)

    def batches(self, memory: Replay, generator: torch.Generator) -> Iterator[RolloutBatch]:
        """Go over the rollout several times, shuffled before every pass; the advantages are computed once.

        Raises ValueError unless the memory holds exactly one rollout, its oldest step first.
        """
        if memory.num_rows < memory.rows or memory.next_row:
            filled = f"{memory.next_row} of the {memory.rows} steps of a rollout (collect_per_epoch / num_envs)"
            raise ValueError(f"memory: holds {filled}; ppo learns when it holds all")
        rollout = self.with_advantages(memory)
        for _ in range(self.config.ppo_passes):
            order = torch.randperm(len(memory), generator=generator, device=self.device)
            for index in order.split(self.config.batch_size):
                yield RolloutBatch(*(column[index] for column in rollout))

    @torch.no_grad()
    def with_advantages(self, memory: Replay) -> RolloutBatch:
        """Compute advantages and value targets with the networks that collected the rollout."""
        c = self.config
        value, next_value = self.critic(memory.state)[..., 0], self.critic(memory.next_state)[..., 0]
        flags = memory.terminated, memory.ended
        advantage = advantages(memory.reward, value, next_value, *flags, c.gamma, c.ppo_gae_lambda)
        log_pi = torch.log_softmax(self.actor(memory.state), dim=-1).gather(-1, memory.action[..., None])[..., 0]
        standard = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        columns = memory.state, memory.action, log_pi, standard, advantage + value
        return RolloutBatch(*(column.flatten(0, 1) for column in columns))

    def update(self, batch: RolloutBatch) -> dict[str, Tensor]:
        """Take one gradient step on the clipped objective with entropy, and one on the value."""
        c = self.config
        log_pi = torch.log_softmax(self.actor(batch.state), dim=1)
        h = entropy(log_pi).mean()
        taken = log_pi.gather(1, batch.action[:, None])[:, 0]
        objective = clipped_objective(taken, batch.old_log_pi, batch.advantage, c.ppo_clip) + c.ppo_entropy * h
        grad_pi = gradient_step(self.optimisers["actor"], -objective)
        polyak(self.average_actor.parameters(), self.actor.parameters(), c.tau)
        loss_v = (self.critic(batch.state)[:, 0] - batch.value_target).square().mean()
        grad_v = gradient_step(self.optimisers["critic"], loss_v)
        return detached(objective=objective, loss_v=loss_v, entropy=h, grad_pi=grad_pi, grad_v=grad_v)
