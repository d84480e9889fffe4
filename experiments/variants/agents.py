"""Variants of agents that only ablations need, each a small child of its agent, and the equations behind them."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from edgediff.learner.d2sac import D2SAC
from edgediff.learner.diffusion import Schedule, log_policy, reverse_mean, reverse_step
from edgediff.learner.sac import SAC


def reverse_mean_printed(a_i: Tensor, eps_theta: Tensor, alpha_i) -> Tensor:
    """Remove the predicted noise as Eq. (21) is printed: with alpha_i where alpha_bar_i belongs.

    For N = 10 it subtracts 1.16 to 1.41 times as much at every i >= 2.
    """
    return (a_i - (1 - alpha_i) / (1 - alpha_i) ** 0.5 * eps_theta) / alpha_i**0.5


def reverse_step_expanded_printed(a_i: Tensor, eps_theta: Tensor, alpha_i, z: Tensor) -> Tensor:
    """Take the reverse step as Eq. (24) is printed: beta_i / alpha_i * sqrt(alpha_i) before eps_theta.

    It agrees with Eq. (21) in neither reading, and leaves noise in a_0.
    """
    beta_i = 1 - alpha_i
    return a_i / alpha_i**0.5 - beta_i / alpha_i * alpha_i**0.5 * eps_theta + beta_i**0.5 * z


def posterior_variance(schedule: Schedule) -> Tensor:
    """Return the variance of a_{i-1} given a_i and a_0, the other usual choice in Eq. (20), (N,).

    beta_i (1 - alpha_bar_{i-1}) / (1 - alpha_bar_i): zero at i = 1, below beta_i everywhere.
    """
    before = torch.cat([torch.ones(1, dtype=torch.float64), schedule.alpha_bar[:-1]])
    return schedule.beta * (1 - before) / (1 - schedule.alpha_bar)


def clean_latent_of_values(q: Tensor, scale: float = 0.1, limit: float = 5.0) -> Tensor:
    """Choose the clean latent a_0 of Eq. (25) from all values: clip((Q - mean_a Q) / scale, -limit, limit), (B, A)."""
    return ((q - q.mean(dim=1, keepdim=True)) / scale).clamp(-limit, limit)


def clean_latent_of_maximiser(q: Tensor, temperature: float, confidence: float = 0.9) -> Tensor:
    """Choose the clean latent a_0 of Eq. (25) as the policy that maximises J, with a limit, (B, A).

    The maximiser is softmax(Q / temperature). Its logits (Q - max_a Q) / temperature are cut off at -c, then centred:
    their mean over actions is 0. c = ln(confidence (A - 1) / (1 - confidence)) is that of `losses.clean_latent`, 5.33
    for A = 24. As the temperature falls to 0, the result becomes `losses.clean_latent`.
    """
    c = math.log(confidence * (q.shape[1] - 1) / (1 - confidence))
    logits = ((q - q.amax(dim=1, keepdim=True)) / temperature).clamp(min=-c)
    return logits - logits.mean(dim=1, keepdim=True)


def ablation_sampler(
    predict_noise: Callable,
    schedule: Schedule,
    noise: Tensor,
    mean: Callable = reverse_mean,
    variance: Tensor | None = None,
) -> Tensor:
    """Run the reverse chain, Eq. (19), as `diffusion.denoise` does, with another Eq. (21) or another variance, (N,)."""
    spread, a = schedule.beta if variance is None else variance, noise[0]
    for k, z in enumerate([*noise[1:], None], start=1):
        i = len(noise) + 1 - k
        a = mean(a, predict_noise(a, i), schedule.alpha[i - 1].item(), schedule.alpha_bar[i - 1].item())
        a = a if z is None else reverse_step(a, spread[i - 1].item(), z)
    return a


class OtherChain(D2SAC):
    """d2sac whose policy samples by `ablation_sampler`, with what a child changes."""

    mean = staticmethod(reverse_mean)
    variance: Tensor | None = None

    def log_policy(self, actor, state: Tensor, noise: Tensor) -> Tensor:
        """Return log pi(. | s), Eq. (26), given the noise of the chain, (B, A)."""
        return log_policy(ablation_sampler(actor.predictor(state), self.schedule, noise, self.mean, self.variance))


class PrintedEq21(OtherChain):
    """Eq. (21) as printed."""

    mean = staticmethod(lambda a_i, eps, alpha_i, _: reverse_mean_printed(a_i, eps, alpha_i))


class PrintedEq24(OtherChain):
    """Eq. (24) as printed; the sampler adds the noise, none at i = 1, as everywhere here."""

    mean = staticmethod(lambda a_i, eps, alpha_i, _: reverse_step_expanded_printed(a_i, eps, alpha_i, 0 * a_i))


class PosteriorVariance(OtherChain):
    """Eq. (20) with the posterior variance in place of beta_i."""

    def build(self) -> None:
        """Build d2sac, then choose the variance of its reverse steps."""
        super().build()
        self.variance = posterior_variance(self.schedule)


class LatentOfValues(D2SAC):
    """L_d with a clean latent made of all values."""

    @staticmethod
    def clean_latent(q: Tensor, confidence: float) -> Tensor:
        """Return a_0 of Eq. (25), (B, A)."""
        return clean_latent_of_values(q)


class LatentOfMaximiser(D2SAC):
    """L_d with the clean latent of the policy that maximises J."""

    def clean_latent(self, q: Tensor, confidence: float) -> Tensor:
        """Return a_0 of Eq. (25), (B, A)."""
        return clean_latent_of_maximiser(q, self.config.entropy_temperature, confidence)


class Mish(D2SAC):
    """Mish in place of every SiLU, in actor, critics and targets."""

    def build(self) -> None:
        """Build d2sac, then replace the activations, which have no parameters."""
        super().build()
        for network in self.networks.values():
            for module in list(network.modules()):
                for name, child in module.named_children():
                    if isinstance(child, nn.SiLU):
                        setattr(module, name, nn.Mish())


class BoundedHead(D2SAC):
    """tanh on the output of the noise network."""

    def build(self) -> None:
        """Build d2sac, then append tanh, which has no parameters, to actor and target."""
        super().build()
        for network in (self.actor, self.target_actor):
            network.rest.append(nn.Tanh())


class MeanOfCritics(D2SAC):
    """The mean of both critics in place of the smaller one, in the target and in J: no pessimism."""

    def build(self) -> None:
        """Build d2sac, then replace the minimum of critics and target critics."""
        super().build()
        for critics in (self.critics, self.target_critics):
            critics.minimum = lambda state, critics=critics: sum(critics(state)) / 2


class PublicActor(PosteriorVariance, Mish, BoundedHead):
    """The actor of the public code from which Table 1 descends: tanh, Mish, posterior variance, and no L_d."""

    def build(self) -> None:
        """Build it with all that its parents change, and L_d weighted 0."""
        self.config = replace(self.config, d2sac_diffusion_weight=0.0)
        super().build()


class WithoutActor(SAC):
    """sac with softmax(min_k Q_k / temperature), the maximiser of J for given values, in place of its actor."""

    def build(self) -> None:
        """Build sac, then let both actors, whose weights nothing reads or changes any more, return Q / temperature."""
        super().build()
        for actor, critics in ((self.actor, self.critics), (self.target_actor, self.target_critics)):
            actor.forward = lambda state, critics=critics: critics.minimum(state) / self.config.entropy_temperature
