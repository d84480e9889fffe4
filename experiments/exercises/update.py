"""Algorithm 1, lines 11-19: one gradient step. 60 minutes.

The paper prints

    lines 11-19: targets; critics; theta <- theta + alpha_pi grad J; minimise L_d; psi' <- tau psi + (1 - tau) psi'

A method: `self` is the agent, `batch` has state, action, n_step_return, discount, next_state. At hand are

    self.actor, self.critics, self.target_actor, self.target_critics
    self.optimisers["actor"], self.optimisers["critics"]
    self.config.entropy_temperature, .tau, .d2sac_diffusion_weight (w)
    self.critics(state) -> q1, q2 (B, A);  self.critics.minimum(state) -> min_k Q_k (B, A);  targets alike
    self.draw_log_policy(actor, state, self.learn_stream) -> log pi (B, A), by a chain of that actor
    self.clean_latent(q) -> a_0 (B, A);  self.denoising_error(state, a_0) -> L_d, a scalar
    gradient_step(optimiser, loss) -> norm of the gradient;  detached(name=value, ...) -> a dict to return

and the functions of Eqs. (15)-(17) and J. Draw the noise in this order: chain of the target, chain of the
actor, denoising_error. The actor takes one joint step on w L_d - J, with q (B, A) of the critics after
their step. Return the batch means loss_q, loss_d, objective, entropy, q (under pi), target, and the norms
of the gradients, grad_q and grad_pi.

Question: There are six networks. Which loss moves which of them? What would leak without torch.no_grad()?

    cp experiments/exercises/update.py my_update.py
    pytest -x -k line11 --mine my_update.py
"""

import torch
from edgediff.learner.optimiser import gradient_step
from torch import Tensor

from edgediff.learner.agent import detached
from edgediff.learner.losses import actor_objective, critic_loss, entropy, polyak, state_value, td_target
from edgediff.learner.replay import Batch


def update(self, batch: Batch) -> dict[str, Tensor]:
    raise NotImplementedError("Algorithm 1, lines 11-19: one gradient step: yours to write")
