"""D2SAC, the paper's agent: a soft actor-critic whose actor is a denoising diffusion chain."""

import copy

import numpy as np
import torch
from torch import Tensor

from edgediff.config import LearnerConfig
from edgediff.diffusion import forward_marginal, policy, posterior_variance, variance_schedule
from edgediff.errors import NonFiniteError
from edgediff.losses import (
    actor_objective,
    clean_latent,
    critic_loss,
    diffusion_loss,
    entropy,
    polyak,
    state_value,
    td_target,
)
from edgediff.networks import NoiseNetwork, TwinCritics
from edgediff.replay import Batch

MODES = ("sample", "argmax", "mean")


class D2SAC:
    """Networks, their targets, optimisers and random streams; `act` and `update` are the whole interface."""

    METRICS = "loss_q", "loss_d", "objective", "entropy", "q", "target", "grad_q", "grad_pi"

    def __init__(self, state_dim: int, num_actions: int, config: LearnerConfig, seed: np.random.SeedSequence):
        self.config, self.num_actions = config, num_actions
        init, act, learn = (int(s) for s in seed.generate_state(3, np.uint64))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(init)
            self.actor = NoiseNetwork(
                state_dim, num_actions, config.hidden, config.denoising_steps, config.activation, config.noise_head
            ).to(config.device)
            self.critics = TwinCritics(state_dim, num_actions, config.hidden, config.activation).to(config.device)
        self.target_actor = copy.deepcopy(self.actor).requires_grad_(False)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)
        self.act_stream = torch.Generator(config.device).manual_seed(act)
        self.learn_stream = torch.Generator(config.device).manual_seed(learn)
        adam = dict(weight_decay=config.weight_decay, fused=True)
        self.actor_optimiser = torch.optim.Adam(self.actor.parameters(), config.actor_lr, **adam)
        self.critic_optimiser = torch.optim.Adam(self.critics.parameters(), config.critic_lr, **adam)
        self.schedule = variance_schedule(config.denoising_steps, config.beta_min, config.beta_max)
        posterior = config.reverse_variance == "posterior"
        self.variance = posterior_variance(self.schedule) if posterior else self.schedule.beta
        self.alpha_bar = self.schedule.alpha_bar.float().to(config.device)

    def log_policy(self, actor: NoiseNetwork, state: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the chain's noise and return log pi(. | s, noise), Eq. (26), (B, A)."""
        shape = self.config.denoising_steps, len(state), self.num_actions
        noise = torch.randn(shape, generator=generator, device=state.device)
        return policy(actor.denoise(state, self.schedule, self.variance, noise))

    @torch.inference_mode()
    def act(self, observation: np.ndarray, mode: str = "sample", draws: int = 1, generator=None) -> np.ndarray:
        """Choose actions (E,) for observations (E, S).

        `sample` draws from pi given one noise draw, as in training; `argmax` takes its most likely action;
        `mean` the most likely action of pi averaged over `draws` noise draws. Raises `NonFiniteError` if the
        observation or the probabilities are not finite.
        """
        generator = generator or self.act_stream
        draws = draws if mode == "mean" else 1
        state = torch.as_tensor(observation, device=self.config.device)
        log_pi = self.log_policy(self.actor, state.repeat(draws, 1), generator)
        pi = log_pi.exp().view(draws, len(state), -1).mean(dim=0)
        for name, value in (("observation", state), ("action probabilities", pi)):
            if not torch.isfinite(value).all():
                raise NonFiniteError(f"{name}: not finite")
        action = torch.multinomial(pi, 1, generator=generator)[:, 0] if mode == "sample" else pi.argmax(dim=1)
        return action.cpu().numpy()

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Take one gradient step, Algorithm 1, lines 11-19; return what is worth logging, as detached scalars.

        Nothing here waits for the device: no `.item()`, no shape that depends on data.
        """
        config = self.config
        # Lines 11-12: target values, Eq. (15), with a noise draw of their own.
        with torch.no_grad():
            next_pi = self.log_policy(self.target_actor, batch.next_state, self.learn_stream).exp()
            next_value = state_value(next_pi, self.target_critics.minimum(batch.next_state))
            target = td_target(batch.n_step_return, batch.discount, next_value)

        # Lines 13-14: critics, Eq. (16).
        loss_q = critic_loss(*self.critics(batch.state), batch.action, target)
        grad_q = self._descend(self.critic_optimiser, loss_q)

        # Lines 15-17: one joint step on J and L_d, Eq. (25), since policy and diffusion model are one network.
        with torch.no_grad():
            q = self.critics.minimum(batch.state)
        log_pi = self.log_policy(self.actor, batch.state, self.learn_stream)
        objective = actor_objective(log_pi, q, config.entropy_temperature)
        loss_d = self.denoising_error(batch.state, clean_latent(q, config.confidence))
        grad_pi = self._descend(self.actor_optimiser, config.diffusion_weight * loss_d - objective)

        # Lines 18-19: targets, Eq. (17).
        polyak(self.target_critics.parameters(), self.critics.parameters(), config.tau)
        polyak(self.target_actor.parameters(), self.actor.parameters(), config.tau)
        value = state_value(log_pi.exp(), q).mean()
        metrics = loss_q, loss_d, objective, entropy(log_pi).mean(), value, target.mean(), grad_q, grad_pi
        return {name: metric.detach() for name, metric in zip(self.METRICS, metrics)}

    def denoising_error(self, state: Tensor, a_0: Tensor) -> Tensor:
        """Noise a clean latent (B, A) to a random step and let the actor find the noise, Eq. (25).

        Taken per coordinate, so that its weight beside J means the same for any number of actions.
        """
        options = dict(generator=self.learn_stream, device=state.device)
        i = torch.randint(1, self.config.denoising_steps + 1, (len(state),), **options)
        eps = torch.randn(a_0.shape, **options)
        a_i = forward_marginal(a_0, self.alpha_bar[i - 1, None], eps)
        return diffusion_loss(eps, self.actor(a_i, state, i)) / self.num_actions

    def weights(self) -> dict[str, dict[str, Tensor]]:
        """Return what acting and bootstrapping need, by network."""
        names = "actor", "critics", "target_actor", "target_critics"
        return {name: getattr(self, name).state_dict() for name in names}

    def load_weights(self, weights: dict[str, dict[str, Tensor]]) -> None:
        """Put saved weights in place."""
        for name in self.weights():
            getattr(self, name).load_state_dict(weights[name])

    @staticmethod
    def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> Tensor:
        """Take one optimiser step and return the norm of the gradient."""
        optimiser.zero_grad()
        loss.backward()
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])
        optimiser.step()
        return norm
