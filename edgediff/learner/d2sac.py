"""D2SAC, the agent of the paper: a soft actor-critic whose actor is a denoising diffusion chain."""

import torch
from torch import Tensor

from edgediff.learner.actor_critic import ActorCritic
from edgediff.learner.agent import detached, gradient_step
from edgediff.learner.cuda_graph import Captured
from edgediff.learner.diffusion import denoise, forward_marginal, log_policy, variance_schedule
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
from edgediff.learner.networks import NoiseNetwork
from edgediff.learner.replay import Batch
from edgediff.learner.shared import SharedNoiseNetwork


class D2SAC(ActorCritic):
    """The diffusion actor, its twin critics, and their targets."""

    METRICS = "loss_q", "loss_d", "objective", "entropy", "q", "target", "grad_q", "grad_pi"
    MODES = "mean", "argmax", "sample"
    clean_latent = staticmethod(clean_latent)  # a_0 of Eq. (25), which the paper leaves open

    def build(self) -> None:
        """Create networks and optimisers around eps_theta, and the variance schedule."""
        c = self.config
        self.build_around(self.new.noise(), c.critic_lr)
        self.schedule = variance_schedule(c.d2sac_denoising_steps, c.d2sac_beta_min, c.d2sac_beta_max)
        self.alpha_bar = self.schedule.alpha_bar.float().to(self.device)

    def capture(self) -> None:
        """On a GPU, launch the kernels of an update together, and those of a decision."""
        super().capture()
        self.log_policy_to_act = Captured(self.log_policy, self.device) if self.on_gpu else self.log_policy

    def draw_noise(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the noise of the chain for states (B, S), (N, B, A)."""
        shape = self.config.d2sac_denoising_steps, len(state), self.num_actions
        return torch.randn(shape, generator=generator, device=state.device)

    def log_policy(self, actor: NoiseNetwork | SharedNoiseNetwork, state: Tensor, noise: Tensor) -> Tensor:
        """Return log pi_theta(. | s), Eq. (26), given the noise (N, B, A) of the chain, Eq. (19), (B, A)."""
        return log_policy(denoise(actor.predictor(state), self.schedule, noise))

    def training_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return pi(. | s) of the actor given one draw of the chain's noise, (B, A)."""
        return self.log_policy_to_act(self.actor, state, self.draw_noise(state, generator)).exp()

    def evaluation_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return pi(. | s) of the target actor given one draw of the chain's noise, (B, A).

        By Eq. (17) it is an average of the actor over about the last 1 / tau steps, and diffusion models are
        sampled with averaged weights (Ho et al. 2020, Appendix B).
        """
        return self.log_policy_to_act(self.target_actor, state, self.draw_noise(state, generator)).exp()

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Take one gradient step, Algorithm 1, lines 11-19."""
        c, stream, device = self.config, self.learn_stream, batch.state.device
        # Lines 11-12: target values, Eq. (15), with their own noise draw.
        with torch.no_grad():
            noise = self.draw_noise(batch.next_state, stream)
            next_pi = self.log_policy(self.target_actor, batch.next_state, noise).exp()
            next_value = state_value(next_pi, self.target_critics.minimum(batch.next_state))
            target = td_target(batch.n_step_return, batch.discount, next_value)

        # Lines 13-14: critics, Eq. (16).
        q1, q2 = self.critics(batch.state)
        loss_q = critic_loss(q1, q2, batch.action, target)
        grad_q = gradient_step(self.optimisers["critics"], loss_q)

        # Lines 15-16: J, by the values of the critics after their step.
        with torch.no_grad():
            q = self.critics.minimum(batch.state)
        log_pi = self.log_policy(self.actor, batch.state, self.draw_noise(batch.state, stream))
        objective = actor_objective(log_pi, q, c.entropy_temperature)

        # Line 17: L_d, Eq. (25), of the action that the critics prefer; per coordinate, its weight beside J is the same
        # for any A. One joint step on J and L_d, since policy and diffusion model are one network.
        a_0 = self.clean_latent(q, c.d2sac_confidence)
        i = torch.randint(1, c.d2sac_denoising_steps + 1, (len(q),), generator=stream, device=device)
        eps = torch.randn(q.shape, generator=stream, device=device)
        a_i = forward_marginal(a_0, self.alpha_bar[i - 1, None], eps)
        loss_d = diffusion_loss(eps, self.actor(a_i, batch.state, i)) / self.num_actions
        grad_pi = gradient_step(self.optimisers["actor"], c.d2sac_diffusion_weight * loss_d - objective)

        # Lines 18-19: targets, Eq. (17).
        polyak(self.target_critics.parameters(), self.critics.parameters(), c.tau)
        polyak(self.target_actor.parameters(), self.actor.parameters(), c.tau)
        return detached(
            loss_q=loss_q,
            loss_d=loss_d,
            objective=objective,
            entropy=entropy(log_pi).mean(),
            q=state_value(log_pi.exp(), q).mean(),
            target=target.mean(),
            grad_q=grad_q,
            grad_pi=grad_pi,
        )
