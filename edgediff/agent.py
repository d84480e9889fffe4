"""D2SAC, the paper's agent: a soft actor-critic whose actor is a denoising diffusion chain."""

import copy

import torch
from torch import Tensor

from edgediff.diffusion import REVERSE_MEANS, forward_marginal, policy, posterior_variance, variance_schedule
from edgediff.learner import Learner, descend
from edgediff.losses import (
    actor_objective,
    clean_latent,
    clean_latent_of_values,
    critic_loss,
    diffusion_loss,
    entropy,
    polyak,
    state_value,
    td_target,
)
from edgediff.networks import NoiseNetwork, TwinCritics
from edgediff.replay import Batch


class D2SAC(Learner):
    """The diffusion actor, its twin critics, and their targets."""

    NETWORKS = "actor", "critics", "target_actor", "target_critics"
    OPTIMISERS = "actor_optimiser", "critic_optimiser"
    METRICS = "loss_q", "loss_d", "objective", "entropy", "q", "target", "grad_q", "grad_pi"
    MODES = "mean", "argmax", "sample"

    def build(self) -> None:
        """Create networks, optimisers and the variance schedule."""
        c, sizes = self.config, (self.state_dim, self.num_actions, self.config.hidden)
        self.actor = NoiseNetwork(*sizes, c.denoising_steps, c.activation, c.noise_head).to(c.device)
        self.critics = TwinCritics(*sizes, c.activation).to(c.device)
        self.target_actor = copy.deepcopy(self.actor).requires_grad_(False)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)
        self.actor_optimiser = self.adam(self.actor, c.actor_lr)
        self.critic_optimiser = self.adam(self.critics, c.critic_lr)
        self.schedule = variance_schedule(c.denoising_steps, c.beta_min, c.beta_max)
        posterior = c.reverse_variance == "posterior"
        self.variance = posterior_variance(self.schedule) if posterior else self.schedule.beta
        self.alpha_bar = self.schedule.alpha_bar.float().to(c.device)

    def log_policy(self, actor: NoiseNetwork, state: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the chain's noise and return log pi(. | s, noise), Eq. (26), (B, A)."""
        shape = self.config.denoising_steps, len(state), self.num_actions
        noise = torch.randn(shape, generator=generator, device=state.device)
        return policy(
            actor.denoise(state, self.schedule, self.variance, noise, REVERSE_MEANS[self.config.reverse_mean])
        )

    def probabilities(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return pi(. | s) given one draw of the chain's noise, Eq. (26), (B, A)."""
        return self.log_policy(self.actor, state, generator).exp()

    def deployed(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return pi(. | s) of the target actor, (B, A).

        Eq. (17) makes it the average of the actor over the last 1 / tau steps or so, and an average of weights is
        what diffusion models are sampled with (Ho et al. 2020, Appendix B). Measured: 0.02 to 0.08 more reward.
        """
        return self.log_policy(self.target_actor, state, generator).exp()

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Take one gradient step, Algorithm 1, lines 11-19."""
        config = self.config
        # Lines 11-12: target values, Eq. (15), with a noise draw of their own.
        with torch.no_grad():
            next_pi = self.log_policy(self.target_actor, batch.next_state, self.learn_stream).exp()
            next_value = state_value(next_pi, self.target_critics.minimum(batch.next_state))
            target = td_target(batch.n_step_return, batch.discount, next_value)

        # Lines 13-14: critics, Eq. (16).
        loss_q = critic_loss(*self.critics(batch.state), batch.action, target)
        grad_q = descend(self.critic_optimiser, loss_q)

        # Lines 15-17: one joint step on J and L_d, Eq. (25), since policy and diffusion model are one network.
        with torch.no_grad():
            q = self.critics.minimum(batch.state)
        log_pi = self.log_policy(self.actor, batch.state, self.learn_stream)
        objective = actor_objective(log_pi, q, config.entropy_temperature)
        values = config.latent == "values"
        a_0 = clean_latent_of_values(q) if values else clean_latent(q, config.confidence)
        loss_d = self.denoising_error(batch.state, a_0)
        loss = config.diffusion_weight * loss_d - config.objective_weight * objective
        grad_pi = descend(self.actor_optimiser, loss)

        # Lines 18-19: targets, Eq. (17).
        polyak(self.target_critics.parameters(), self.critics.parameters(), config.tau)
        polyak(self.target_actor.parameters(), self.actor.parameters(), config.tau)
        value = state_value(log_pi.exp(), q).mean()
        return self.logged(loss_q, loss_d, objective, entropy(log_pi).mean(), value, target.mean(), grad_q, grad_pi)

    def denoising_error(self, state: Tensor, a_0: Tensor) -> Tensor:
        """Noise a clean latent (B, A) to a random step and let the actor find the noise, Eq. (25).

        Taken per coordinate, so that its weight beside J means the same for any number of actions.
        """
        options = dict(generator=self.learn_stream, device=state.device)
        i = torch.randint(1, self.config.denoising_steps + 1, (len(state),), **options)
        eps = torch.randn(a_0.shape, **options)
        a_i = forward_marginal(a_0, self.alpha_bar[i - 1, None], eps)
        return diffusion_loss(eps, self.actor(a_i, state, i)) / self.num_actions
