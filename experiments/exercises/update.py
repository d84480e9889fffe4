"""Algorithm 1, lines 11-19: one gradient step. 60 minutes.

The paper prints

    lines 11-19: targets; critics; theta <- theta + alpha_pi grad J; minimise L_d; psi' <- tau psi + (1 - tau) psi'

A method, so `self` is the agent: read what it has in edgediff/learner/d2sac.py, above and below `update`. Draw
noise from self.learn_stream in this order: chain of the target, chain of the actor, denoising_error. One joint
step on d2sac_diffusion_weight * L_d - J, with q of the critics after their step.

Question: Which of the five networks' gradients flow where? What would leak without torch.no_grad()?

    cp experiments/exercises/update.py my.py
    pytest -x -k line11 --mine my.py
"""

import torch
from torch import Tensor

from edgediff.learner.agent import detached
from edgediff.learner.losses import actor_objective, critic_loss, entropy, polyak, state_value, td_target
from edgediff.learner.optimiser import gradient_step
from edgediff.learner.replay import Batch


def update(self, batch: Batch) -> dict[str, Tensor]:
    raise NotImplementedError("Algorithm 1, lines 11-19: one gradient step: yours to write")
