"""D2SAC, the agent of the paper: a soft actor-critic whose actor is a denoising diffusion chain."""

import copy

import torch
from torch import Tensor

from edgediff.learner.agent import Agent, detached
from edgediff.learner.cuda_graph import Recorded
from edgediff.learner.diffusion import denoise, forward_marginal, log_policy, reverse_mean, variance_schedule
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
from edgediff.learner.networks import NoiseNetwork, TwinCritics
from edgediff.learner.optimiser import gradient_step
from edgediff.learner.replay import Batch
from edgediff.learner.shared import SharedNoiseNetwork


class D2SAC(Agent):
    """The diffusion actor, its twin critics, and their targets."""

    METRICS = "loss_q", "loss_d", "objective", "entropy", "q", "target", "grad_q", "grad_pi"
    MODES = "mean", "argmax", "sample"
    mean = staticmethod(reverse_mean)  # of a reverse step; a variant has another one

    def build(self) -> None:
        """Create networks, optimisers and the variance schedule."""
        c = self.config
        self.actor = self.noise_network().to(self.device)
        self.critics = TwinCritics(self.critic_network(), self.critic_network()).to(self.device)
        self.target_actor = copy.deepcopy(self.actor).requires_grad_(False)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)
        self.networks = {
            "actor": self.actor,
            "critics": self.critics,
            "target_actor": self.target_actor,
            "target_critics": self.target_critics,
        }
        self.optimisers = {
            "actor": self.adam(self.actor, c.actor_lr),
            "critics": self.adam(self.critics, c.critic_lr),
        }
        self.schedule = variance_schedule(c.d2sac_denoising_steps, c.d2sac_beta_min, c.d2sac_beta_max)
        self.alpha_bar = self.schedule.alpha_bar.float().to(self.device)

    def noise_network(self) -> NoiseNetwork | SharedNoiseNetwork:
        """Create eps_theta."""
        c = self.config
        if self.shared:
            return SharedNoiseNetwork(c.hidden, c.d2sac_denoising_steps)
        return NoiseNetwork(self.state_dim, self.num_actions, c.hidden, c.d2sac_denoising_steps)

    def draw_log_policy(
        self, actor: NoiseNetwork | SharedNoiseNetwork, state: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Draw the noise of the chain and return log pi(. | s, noise), Eq. (26), (B, A)."""
        return self.log_policy(actor, state, self.draw_noise(state, generator))

    def draw_noise(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the noise of the chain for states (B, S), (N, B, A)."""
        shape = self.config.d2sac_denoising_steps, len(state), self.num_actions
        return torch.randn(shape, generator=generator, device=state.device)

    def log_policy(self, actor: NoiseNetwork | SharedNoiseNetwork, state: Tensor, noise: Tensor) -> Tensor:
        """Return log pi(. | s, noise), Eq. (26), (B, A)."""
        return log_policy(denoise(actor.predictor(state), self.schedule, noise, self.mean))

    def policy(self, actor: NoiseNetwork | SharedNoiseNetwork, state: Tensor, noise: Tensor) -> Tensor:
        """Return pi(. | s, noise), Eq. (26), (B, A), to act by."""
        return self.log_policy(actor, state, noise).exp()

    def record(self) -> None:
        """Launch the kernels of an update together, and those of a decision, on a GPU."""
        super().record()
        self.policy = Recorded(self.policy)  # type: ignore[assignment, method-assign]

    def training_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return pi(. | s) of the actor given one draw of the chain's noise, (B, A)."""
        return self.policy(self.actor, state, self.draw_noise(state, generator))

    def evaluation_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return pi(. | s) of the target actor given one draw of the chain's noise, (B, A).

        By Eq. (17) it is an average of the actor over about the last 1 / tau steps, and diffusion models are
        sampled with averaged weights (Ho et al. 2020, Appendix B).
        """
        return self.policy(self.target_actor, state, self.draw_noise(state, generator))

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Take one gradient step, Algorithm 1, lines 11-19."""
        c = self.config
        # Lines 11-12: target values, Eq. (15), with their own noise draw.
        with torch.no_grad():
            next_pi = self.draw_log_policy(self.target_actor, batch.next_state, self.learn_stream).exp()
            next_value = state_value(next_pi, self.target_critics.minimum(batch.next_state))
            target = td_target(batch.n_step_return, batch.discount, next_value)

        # Lines 13-14: critics, Eq. (16).
        q1, q2 = self.critics(batch.state)
        loss_q = critic_loss(q1, q2, batch.action, target)
        grad_q = gradient_step(self.optimisers["critics"], loss_q)

        # Lines 15-17: one joint step on J and L_d, Eq. (25), since policy and diffusion model are one network.
        with torch.no_grad():
            q = self.critics.minimum(batch.state)
        log_pi = self.draw_log_policy(self.actor, batch.state, self.learn_stream)
        objective = actor_objective(log_pi, q, c.entropy_temperature)
        loss_d = self.denoising_error(batch.state, self.clean_latent(q))
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

    def clean_latent(self, q: Tensor) -> Tensor:
        """Return the clean latent a_0 of Eq. (25), (B, A): that of the action which the critics prefer."""
        return clean_latent(q, self.config.d2sac_confidence)

    def denoising_error(self, state: Tensor, a_0: Tensor) -> Tensor:
        """Noise a clean latent (B, A) to a random step i and predict that noise, Eq. (25), per coordinate.

        Per coordinate, its weight beside J means the same for any number of actions.
        """
        num_steps, stream = self.config.d2sac_denoising_steps, self.learn_stream
        i = torch.randint(1, num_steps + 1, (len(state),), generator=stream, device=state.device)
        eps = torch.randn(a_0.shape, generator=stream, device=state.device)
        a_i = forward_marginal(a_0, self.alpha_bar[i - 1, None], eps)
        return diffusion_loss(eps, self.actor(a_i, state, i)) / self.num_actions
