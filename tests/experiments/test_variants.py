"""The variants of d2sac: the printed equations against the corrected ones, and an update of each by a second route."""

import copy
import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from edgediff.config import LearnerConfig
from edgediff.learner import diffusion as D
from edgediff.learner.d2sac import D2SAC
from edgediff.learner.losses import clean_latent
from edgediff.learner.replay import Batch
from edgediff.learner.sac import SAC
from experiments.variants import agents as V

STEPS = 10
SCHEDULE = D.variance_schedule(STEPS)
ZERO, ONE = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
S, A, B = 5, 6, 32
CONFIG = LearnerConfig(hidden=32, batch_size=B, d2sac_denoising_steps=4, actor_lr=1e-3, critic_lr=1e-3)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def agent(variant, **changes):
    return variant(S, A, replace(CONFIG, **changes), np.random.SeedSequence(0))


def batch():
    g = torch.Generator().manual_seed(0)
    state, following = torch.randn(2, B, S, generator=g)
    action = torch.randint(A, (B,), generator=g)
    return Batch(state, action, torch.randn(B, generator=g), torch.full((B,), 0.9), following)


def parameters(one):
    return torch.cat([t.flatten() for network in one.weights().values() for t in network.values()])


@pytest.mark.eq(21)
def test_printed_mean_over_subtracts():
    """Eq. (21) as printed subtracts sqrt(1 - alpha_bar_i) / sqrt(1 - alpha_i) times what is right.

    For N = 10 that is 1 at i = 1 and between 1.16 and 1.41 everywhere else.
    """
    factors = []
    for alpha, bar in zip(SCHEDULE.alpha.tolist(), SCHEDULE.alpha_bar.tolist(), strict=True):
        printed, right = V.reverse_mean_printed(ZERO, ONE, alpha), D.reverse_mean(ZERO, ONE, alpha, bar)
        factors.append((printed / right).item())
        torch.testing.assert_close(V.reverse_mean_printed(ONE, ZERO, alpha), D.reverse_mean(ONE, ZERO, alpha, bar))
    assert factors[0] == pytest.approx(1.0)
    assert round(min(factors[1:]), 2) == 1.16 and round(max(factors[1:]), 2) == 1.41


@pytest.mark.eq(24)
def test_printed_expansion_agrees_with_no_reading_of_the_mean():
    """Eq. (24) as printed drops 1 / sqrt(1 - alpha_bar_i): it subtracts 0.24 to 0.997 of what is right."""
    factors = []
    for alpha, alpha_bar in zip(SCHEDULE.alpha.tolist(), SCHEDULE.alpha_bar.tolist(), strict=True):
        printed = V.reverse_step_expanded_printed(ZERO, ONE, alpha, ZERO)
        factors.append((printed / D.reverse_mean(ZERO, ONE, alpha, alpha_bar)).item())
        assert abs(printed / V.reverse_mean_printed(ZERO, ONE, alpha) - 1) > 0.2
        assert factors[-1] == pytest.approx(math.sqrt(1 - alpha_bar))
        with_noise = V.reverse_step_expanded_printed(ONE, ZERO, alpha, ONE)
        assert with_noise == pytest.approx(D.reverse_step_expanded(ONE, ZERO, alpha, alpha_bar, ONE))
    assert round(factors[0], 2) == 0.24 and round(factors[-1], 3) == 0.997


def perfect(a_0):
    """The noise that stands between a_0 and a_i, whatever a_i is."""

    def predict(a_i, i):
        alpha_bar = SCHEDULE.alpha_bar[i - 1]
        return (a_i - alpha_bar.sqrt() * a_0) / (1 - alpha_bar).sqrt()

    return predict


@pytest.mark.eq(24)
def test_the_printed_step_leaves_noise_behind_even_with_perfect_predictions():
    """Eq. (24); without the last noise, a_0 should be 0."""
    a_0, noise = torch.zeros(4000, 1, dtype=torch.float64), normal(STEPS, 4000, 1, seed=8)
    left = V.ablation_sampler(perfect(a_0), SCHEDULE, noise, V.PrintedEq24.mean)
    assert 0.35 < left.std() < 0.55


@pytest.mark.eq(19)
@pytest.mark.parametrize("variance", [None, V.posterior_variance(SCHEDULE)])
def test_a_chain_with_perfect_predictions_returns_a_0(variance):
    """Eq. (19): with the true noise for a prediction the chain ends at a_0, for either choice of the variance."""
    a_0, noise = normal(6, 24, seed=6), normal(STEPS, 6, 24, seed=7)
    found = V.ablation_sampler(perfect(a_0), SCHEDULE, noise, variance=variance)
    torch.testing.assert_close(found, a_0, rtol=1e-9, atol=1e-9)


@pytest.mark.eq(19)
@pytest.mark.parametrize("steps", [1, 2, STEPS])
def test_the_sampler_of_ablations_is_the_chain_where_nothing_is_changed(steps):
    """Eq. (19): the same bits as `denoise`, so that an ablation differs by what it changes alone."""
    given = (lambda a, i: torch.sin(a) / i), D.variance_schedule(steps), normal(steps, 6, 24).float()
    assert torch.equal(V.ablation_sampler(*given), D.denoise(*given))


@pytest.mark.eq(20, 23)
@pytest.mark.parametrize("i", range(2, STEPS + 1))
def test_posterior_variance_by_bayes(i):
    """a_{i-1} given a_0 has variance 1 - abar_{i-1}; a_i given a_{i-1} adds beta: the precisions add up."""
    before, alpha, beta = SCHEDULE.alpha_bar[i - 2].item(), SCHEDULE.alpha[i - 1].item(), SCHEDULE.beta[i - 1].item()
    variance = V.posterior_variance(SCHEDULE)
    assert variance[i - 1].item() == pytest.approx(1 / (1 / (1 - before) + alpha / beta))
    assert variance[0] == 0.0 and (variance < SCHEDULE.beta).all()


@pytest.mark.eq(25)
def test_clean_latent_of_values_by_hand():
    """Q = 1, 1.1, 1.3, 4 has mean 1.85: differences / 0.1 are -8.5, -7.5, -5.5, 21.5, clipped at 5; then 0.2 / 0.1."""
    assert V.clean_latent_of_values(torch.tensor([[1.0, 1.1, 1.3, 4.0]])).tolist() == [[-5, -5, -5, 5]]
    torch.testing.assert_close(V.clean_latent_of_values(torch.tensor([[1.2, 0.8]])), torch.tensor([[2.0, -2.0]]))


@pytest.mark.eq(25)
def test_clean_latent_of_the_maximiser():
    """Where nothing is cut off, its softmax is the policy that maximises J; for a temperature near 0, the usual a_0."""
    q = normal(7, 24, seed=3)
    wide = V.clean_latent_of_maximiser(q, temperature=2.0)
    torch.testing.assert_close(wide.softmax(dim=1), (q / 2).softmax(dim=1))
    narrow = V.clean_latent_of_maximiser(q, temperature=1e-6)
    torch.testing.assert_close(narrow, clean_latent(q).double(), rtol=1e-5, atol=1e-6)
    assert (wide.mean(dim=1).abs() < 1e-12).all() and (narrow.amax(1) - narrow.amin(1)).max() < 5.34


def test_every_variant_is_another_agent_and_can_be_saved():
    """After two updates all differ; a fresh agent with the snapshot of the first takes the same second one."""
    found = {}
    for variant in (D2SAC, V.LatentOfMaximiser, V.MeanOfCritics, *FORMS):
        one, two = agent(variant), agent(variant)
        one.update(batch())
        two.load_snapshot(copy.deepcopy(one.snapshot()))
        metrics = one.update(batch())
        assert all(torch.equal(metrics[key], value) for key, value in two.update(batch()).items())
        found[variant] = parameters(one)
        assert torch.isfinite(found[variant]).all()
    for one, other in combinations(found, 2):
        assert not torch.equal(found[one], found[other]), (one, other)


def network_by_hand(net, a, state, i, activation, bounded):
    """The noise network from its weights."""
    time, rest = net.time, net.rest
    embedded = time[2](activation(time[0](time.table[i - 1]))).expand(len(a), -1)
    hidden = activation(rest[1](activation(net.first(torch.cat([a, state, embedded], dim=1)))))
    return torch.tanh(rest[3](hidden)) if bounded else rest[3](hidden)


FORMS = {  # noise factor and variance of step i, latent, activation, bounded head, weight of L_d
    V.PrintedEq21: dict(factor=lambda beta, bar: beta**0.5),
    V.PrintedEq24: dict(factor=lambda beta, bar: beta),
    V.PosteriorVariance: dict(variance=lambda beta, bar, before: beta * (1 - before) / (1 - bar)),
    V.LatentOfValues: dict(latent=lambda q: ((q - q.mean(1, keepdim=True)) / 0.1).clamp(-5, 5)),
    V.Mish: dict(activation=F.mish),
    V.BoundedHead: dict(bounded=True),
    V.PublicActor: dict(variance=lambda beta, bar, before: beta * (1 - before) / (1 - bar), activation=F.mish,
                        bounded=True, weight=0.0),
}  # fmt: skip


@pytest.mark.eq(21, 24)
@pytest.mark.parametrize("variant", FORMS)
def test_the_actor_step_by_hand(variant):
    """J, L_d and the norm of the gradient of one update, from the formulas, with the same draws."""
    form = dict(factor=lambda beta, bar: beta / (1 - bar) ** 0.5, variance=lambda beta, bar, before: beta,
                latent=clean_latent, activation=F.silu, bounded=False, weight=3.0) | FORMS[variant]  # fmt: skip
    one, b, n = agent(variant), batch(), CONFIG.d2sac_denoising_steps
    stream = torch.Generator()
    stream.set_state(one.learn_stream.get_state())
    before = agent(variant).actor
    metrics = one.update(b)

    torch.randn(n, B, A, generator=stream)  # the target's draw
    q = torch.minimum(*(
        m[4](form["activation"](m[2](form["activation"](m[0](b.state))))) for m in (one.critics.q1, one.critics.q2)
    )).detach()  # fmt: skip
    bar = [1.0, *D.variance_schedule(n).alpha_bar.tolist()]
    noise = torch.randn(n, B, A, generator=stream)
    a = noise[0]
    for k, i in enumerate(range(n, 0, -1), start=1):
        beta = 1 - bar[i] / bar[i - 1]
        eps = network_by_hand(before, a, b.state, torch.tensor(i), form["activation"], form["bounded"])
        a = (a - form["factor"](beta, bar[i]) * eps) / math.sqrt(1 - beta)
        if i > 1:
            a = a + math.sqrt(form["variance"](beta, bar[i], bar[i - 1])) * noise[k]
    pi = a.softmax(dim=1)
    objective = ((pi * q).sum(1) - CONFIG.entropy_temperature * (pi * pi.log()).sum(1)).mean()
    i = torch.randint(1, n + 1, (B,), generator=stream)
    eps = torch.randn(B, A, generator=stream)
    bar_i = torch.tensor(bar)[i][:, None]
    noisy = bar_i.sqrt() * form["latent"](q) + (1 - bar_i).sqrt() * eps
    found = torch.cat([network_by_hand(before, noisy[k : k + 1], b.state[k : k + 1], i[k], form["activation"],
                                       form["bounded"]) for k in range(B)])  # fmt: skip
    loss_d = (eps - found).square().mean()
    loss = form["weight"] * loss_d - objective
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(before.parameters()))])
    for name, value in (("objective", objective), ("loss_d", loss_d), ("grad_pi", gradient.norm())):
        torch.testing.assert_close(metrics[name], value.detach(), rtol=1e-3, atol=1e-5)


def test_without_pessimism_both_critics_count_alike():
    """Target and J take (Q_1 + Q_2) / 2; with critics that agree it is d2sac again, bit for bit."""
    one, b = agent(V.MeanOfCritics), batch()
    for critics in (one.critics, one.target_critics):
        q1, q2 = critics(b.state)
        torch.testing.assert_close(critics.minimum(b.state), q1 + (q2 - q1) / 2)
    both = agent(V.MeanOfCritics), agent(D2SAC)
    for each in both:
        for critics in (each.critics, each.target_critics):
            critics.q2.load_state_dict(critics.q1.state_dict())
    found, usual = (each.update(b) for each in both)
    assert all(torch.equal(found[name], usual[name]) for name in usual)


def test_without_an_actor_the_policy_is_the_maximiser_of_j():
    """In behaviour, target and evaluation; nothing moves the weights of the actor that is not there."""
    one = agent(V.WithoutActor, entropy_temperature=0.05, tau=0.25)
    before = {name: {key: value.clone() for key, value in one.weights()[name].items()} for name in one.weights()}
    given = batch()
    with torch.no_grad():
        q1, q2 = one.target_critics(given.next_state)
        pi = torch.softmax(torch.minimum(q1, q2) / 0.05, dim=1)
        target = given.n_step_return + given.discount * (pi * torch.minimum(q1, q2)).sum(1)
    metrics = one.update(given)
    torch.testing.assert_close(metrics["target"], target.mean())
    assert all(torch.equal(one.weights()["actor"][key], value) for key, value in before["actor"].items())
    assert not torch.equal(one.critics.q1[0].weight, before["critics"]["q1.0.weight"])
    for policy, critics in ((one.training_policy, one.critics), (one.evaluation_policy, one.target_critics)):
        expected = torch.softmax(torch.minimum(*critics(given.state)) / 0.05, dim=1)
        torch.testing.assert_close(policy(given.state, one.act_stream), expected)
    twin = SAC(S, A, one.config, np.random.SeedSequence(0))
    twin.load_weights(before)
    assert twin.update(given)["loss_q"] != metrics["loss_q"]  # its targets are of another policy
