"""Algorithm 1, lines 11-19: one gradient step. 60 minutes.

The paper prints

    lines 11-19: targets; critics; theta <- theta + alpha_pi grad J; minimise L_d; psi' <- tau psi + (1 - tau) psi'

A method: `self` is the agent, `batch` has state, action, n_step_return, discount, next_state. At hand are

    self.actor, self.critics, self.target_actor, self.target_critics
    self.optimisers["actor"], self.optimisers["critics"]
    self.config.entropy_temperature, .tau, .d2sac_confidence, .d2sac_denoising_steps (N)
    self.config.d2sac_diffusion_weight (w)
    self.critics(state) -> q1, q2 (B, A);  self.critics.minimum(state) -> min_k Q_k (B, A);  targets alike
    self.draw_noise(state, self.learn_stream) -> the noise of a chain, (N, B, A)
    self.log_policy(actor, state, noise) -> log pi (B, A), by a chain of that actor
    self.alpha_bar (N,);  self.actor(a_i, state, i) -> the noise that it sees in a_i, (B, A)
    gradient_step(optimiser, loss) -> norm of the gradient;  detached(name=value, ...) -> a dict to return

and the functions of Eqs. (15)-(18), (25) and J. Draw from self.learn_stream in this order: noise of the
target's chain, noise of the actor's chain, i (B,) by randint, eps (B, A) by randn. L_d is divided
by A. The actor takes one joint step on w L_d - J, with q (B, A) of the critics after their step. Return the
batch means loss_q, loss_d, objective, entropy, q (under pi), target, and the norms of the gradients, grad_q
and grad_pi.

Question: There are six networks. Which loss moves which of them? What would leak without torch.no_grad()?

    cp experiments/exercises/update.py my_update.py
    pytest -x -k line11 --mine my_update.py
"""

import torch
from torch import Tensor

from edgediff.learner.agent import detached, gradient_step
from edgediff.learner.diffusion import forward_marginal
from edgediff.learner.losses import (
    actor_objective,
    clean_latent,
    critic_loss,
    diffusion_loss,
    entropy,
    polyak,
    state_value,
    td_target,
)
from edgediff.learner.replay import Batch


def update(self, batch: Batch) -> dict[str, Tensor]:
    raise NotImplementedError("Algorithm 1, lines 11-19: one gradient step: yours to write")
