"""Eqs. (18)-(24), (26), by closed forms, second routes and a perfect oracle."""

import math

import pytest
import torch
from slips import named

from edgediff.learner import diffusion as D

STEPS = 10
SCHEDULE = D.variance_schedule(STEPS)


# What slips give for a_i = 2, eps = 1, beta_i = 0.36 and alpha_bar_i = 0.19, without noise.
MEANS = {
    (2 - 0.36 / 0.6)
    / 0.8: "this is Eq. (21) as printed, the bar forgotten: sqrt(1 - alpha_i) is the noise of one step, "
    "but eps_theta predicts the noise of all i steps",
    2 / 0.8 - 0.36 / 0.64 * 0.8: "this is Eq. (24) as printed: it divides the noise by no sqrt(1 - alpha_bar_i) at all",
    (2 + 0.36 / 0.9) / 0.8: "the predicted noise is added, not subtracted",
    2 - 0.36 / 0.9: "the factor 1 / sqrt(alpha_i) is missing",
    (2 - 0.36 / 0.9) / 0.64: "divided by alpha_i, not by its square root",
    2 - 0.36 / 0.9 / 0.8: "the factor 1 / sqrt(alpha_i) multiplies both terms: a bracket is missing",
    (2 - 0.9) / 0.19**0.5: "this is the a_0 that the noise implies; the mean of a_{i-1} lies between it and a_i",
}


# The same for alpha = 0.64, a = 2 and eps = 3, forward.
NOISED = {
    0.64 * 2 + 0.36 * 3: "the square roots are forgotten: 1 - alpha_i is a variance, and a variance has alpha_i too",
    0.64 * 2 + 0.6 * 3: "the first factor is sqrt(alpha_i), not alpha_i",
    0.8 * 2 + 0.36 * 3: "1 - alpha_i is the variance of the noise; its square root is the factor",
    0.6 * 2 + 0.8 * 3: "alpha_i and 1 - alpha_i are exchanged",
    0.8 * 2 - 0.6 * 3: "the noise is subtracted",
}


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.eq(22)
def test_betas_by_hand():
    """N = 10: beta_1 = 1 - exp(-0.01 - 0.0495), beta_10 = 1 - exp(-0.01 - 0.0495 * 19).

    alpha_bar_2 = alpha_1 alpha_2 = exp(-0.0595 - 0.1585).
    """
    beta, _, alpha_bar = schedule = D.variance_schedule(STEPS, 0.1, 10.0)
    kinds = [type(each).__name__ for each in schedule if not isinstance(each, torch.Tensor)]
    assert not kinds, f"beta, alpha and alpha_bar are torch tensors, not {kinds[0]}"
    first, second = float(beta[0]), float(alpha_bar[1])
    assert first == pytest.approx(1 - math.exp(-0.0595)), named(first, {
        1 - math.exp(0.0595): "the minus in the exponent is missing",
        1 - math.exp(0.01 - 0.0495): "the sign of beta_min / N: both terms of the exponent have a minus",
        1 - math.exp(-0.01 + 0.0495): "i counts from 0: the steps are 1 .. N; or the second term has no minus",
        1 - math.exp(-0.01 - 0.495): "the last factor is divided by N, not by N^2",
        1 - math.exp(-0.01 - 0.099): "the factor 0.5 is missing",
        1 - math.exp(-0.01 - 0.05): "beta_max stands alone; the factor is beta_max - beta_min",
        math.exp(-0.0595): "this is alpha_1; beta_1 is 1 - alpha_1",
    })  # fmt: skip
    assert beta[9].item() == pytest.approx(1 - math.exp(-0.9505)) and (beta.diff() > 0).all()
    assert second == pytest.approx(math.exp(-0.218)), named(second, {
        math.exp(-0.1585): "the bar is forgotten: alpha_bar_i is the product of alpha_1 .. alpha_i",
        1 - math.exp(-0.0595) + 1 - math.exp(-0.1585): "this is the sum of beta_1 .. beta_i",
        math.exp(-0.0595) + math.exp(-0.1585): "cumsum in place of cumprod: alpha_bar_i is the product",
        (1 - math.exp(-0.0595)) * (1 - math.exp(-0.1585)): "this is the product of beta_1 .. beta_i; take the alphas",
        1 - (1 - math.exp(-0.0595) + 1 - math.exp(-0.1585)): "cumsum of beta: alpha_bar_i is the product of the alphas",
    })  # fmt: skip
    other = float(D.variance_schedule(1, 0.5, 5.0).beta[0])
    assert other == pytest.approx(1 - math.exp(-2.75)), "N = 1, from 0.5 to 5: beta_1 = 1 - exp(-0.5 - 0.5 * 4.5)"
    assert beta.dtype == torch.float64, f"the schedule is in float64, not in {beta.dtype}: give arange a dtype"


@pytest.mark.eq(22)
@pytest.mark.parametrize("steps", [1, 5, 10, 37])
def test_alpha_bar_in_closed_form(steps):
    """The betas of Eq. (22) telescope: alpha_bar_i = exp(-b_min i/N - (b_max - b_min) i^2 / (2 N^2))."""
    beta, alpha, alpha_bar = D.variance_schedule(steps, 0.1, 10.0)
    for i in range(1, steps + 1):
        closed = math.exp(-0.1 * i / steps - 9.9 * i**2 / (2 * steps**2))
        assert alpha_bar[i - 1].item() == pytest.approx(closed, rel=1e-12)
    assert alpha_bar[-1].item() == pytest.approx(math.exp(-5.05))  # the same noise at the end for every N
    assert torch.allclose(alpha, 1 - beta, rtol=1e-12) and ((0 < beta) & (beta < 1)).all()


@pytest.mark.eq(18)
def test_forward_step_by_hand():
    """alpha = 0.64: sqrt is 0.8, and sqrt(1 - 0.64) is 0.6: 0.8 * 2 + 0.6 * 3 = 3.4."""
    found = float(D.forward_step(torch.tensor(2.0), 0.64, torch.tensor(3.0)))
    assert found == pytest.approx(3.4), named(found, NOISED)


@pytest.mark.eq(18)
def test_forward_marginal_by_hand():
    """Two steps with alpha = 0.8 have alpha_bar = 0.64: 0.8 * 2 + 0.6 * 3 = 3.4."""
    found = float(D.forward_marginal(torch.tensor(2.0), 0.64, torch.tensor(3.0)))
    assert found == pytest.approx(3.4), named(found, NOISED)


@pytest.mark.eq(18)
def test_forward_marginal_has_the_law_of_many_forward_steps():
    """Step by step, the factor on a_0 is sqrt(alpha_bar_i) and the variances add up to 1 - alpha_bar_i."""
    one, zero = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    mean, variance = one, zero
    for i in range(STEPS):
        alpha = SCHEDULE.alpha[i].item()
        mean = D.forward_step(mean, alpha, zero)
        variance = D.forward_step(zero, alpha, one) ** 2 + D.forward_step(one, alpha, zero) ** 2 * variance
        alpha_bar = SCHEDULE.alpha_bar[i].item()
        assert D.forward_marginal(one, alpha_bar, zero).item() == pytest.approx(mean.item())
        assert D.forward_marginal(zero, alpha_bar, one).item() ** 2 == pytest.approx(variance.item())


def posterior_mean(a_i, a_0, i):
    """Bayes' rule for q(a_{i-1} | a_i, a_0), from the product of the two Gaussians it is made of.

    a_{i-1} | a_0 ~ N(m, v) with m = sqrt(abar_{i-1}) a_0, v = 1 - abar_{i-1}; a_i | a_{i-1} ~ N(sqrt(alpha) a, beta).
    """
    before = SCHEDULE.alpha_bar[i - 2].item() if i > 1 else 1.0
    alpha, beta = SCHEDULE.alpha[i - 1].item(), SCHEDULE.beta[i - 1].item()
    if i == 1:
        return a_0
    precision = 1 / (1 - before) + alpha / beta
    return (before**0.5 * a_0 / (1 - before) + alpha**0.5 * a_i / beta) / precision


@pytest.mark.eq(21)
def test_reverse_mean_by_hand():
    """a_i = 2, eps = 1, beta_i = 0.36, so alpha_i = 0.64; alpha_bar_i = 0.19: (2 - 0.36 / 0.9 * 1) / 0.8 = 2."""
    found = float(D.reverse_mean(torch.tensor(2.0), torch.tensor(1.0), 0.64, 0.19))
    assert found == pytest.approx(2.0), named(found, MEANS)


@pytest.mark.eq(21)
@pytest.mark.parametrize("i", range(1, STEPS + 1))
def test_mean_from_the_noise_equals_posterior_mean_from_a_0(i):
    """Eq. (21) is Bayes' rule: the mean of a_{i-1} given a_i and the a_0 that the noise implies.

    At i = 1 the printed form agrees, since alpha_bar_1 = alpha_1; from i = 2 on only the form with the bar does.
    """
    a_0, eps = normal(5, 24, seed=1), normal(5, 24, seed=2)
    alpha, alpha_bar = SCHEDULE.alpha[i - 1].item(), SCHEDULE.alpha_bar[i - 1].item()
    a_i = D.forward_marginal(a_0, alpha_bar, eps)
    expected = posterior_mean(a_i, a_0, i)
    torch.testing.assert_close(D.reverse_mean(a_i, eps, alpha, alpha_bar), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.eq(24)
def test_expanded_step_by_hand():
    """As for Eq. (21), 2 / 0.8 - 0.36 / sqrt(0.64 * 0.81) * 1 = 2; plus sqrt(0.36) * 3 = 1.8."""
    found = float(D.reverse_step_expanded(torch.tensor(2.0), torch.tensor(1.0), 0.64, 0.19, torch.tensor(3.0)))
    slips = {mean + 1.8: words for mean, words in MEANS.items()} | {2 + 0.36 * 3: "beta_i z in place of sqrt(beta_i) z"}
    assert found == pytest.approx(3.8), named(found, slips)


@pytest.mark.eq(24)
@pytest.mark.parametrize("i", [1, 4, 10])
def test_expanded_step_is_the_mean_plus_noise(i):
    """Eq. (24) is Eq. (21) put into Eq. (23), for every i."""
    a_i, eps, z = normal(3, 24, seed=3), normal(3, 24, seed=4), normal(3, 24, seed=5)
    beta, alpha, alpha_bar = (column[i - 1].item() for column in SCHEDULE)
    by_parts = D.reverse_step(D.reverse_mean(a_i, eps, alpha, alpha_bar), beta, z)
    torch.testing.assert_close(D.reverse_step_expanded(a_i, eps, alpha, alpha_bar, z), by_parts)


@pytest.mark.eq(20, 23)
def test_reverse_step_has_the_given_variance():
    """Eq. (23): mu + sqrt(variance) z = 1 + sqrt(0.25) * 3 = 2.5."""
    assert D.reverse_step(torch.tensor(1.0), 0.25, torch.tensor(3.0)).item() == 2.5  # 1 + 0.5 * 3


def oracle(a_0):
    """The noise that stands between a_0 and a_i, whatever a_i is."""

    def predict(a_i, i):
        alpha_bar = SCHEDULE.alpha_bar[i - 1]
        return (a_i - alpha_bar.sqrt() * a_0) / (1 - alpha_bar).sqrt()

    return predict


@pytest.mark.eq(19)
def test_two_steps_by_hand():
    """alpha_2 = 0.36, alpha_1 = 0.64, a_2 = 3, z = 1, eps_theta = 0: a_1 = 3 / 0.6 + 0.8 * 1 = 5.8, a_0 = 5.8 / 0.8."""
    beta = torch.tensor([0.36, 0.64], dtype=torch.float64)
    schedule = D.Schedule(beta, 1 - beta, torch.cumprod(1 - beta, 0))
    noise = torch.tensor([[[3.0]], [[1.0]]], dtype=torch.float64)
    asked = []
    try:
        found = float(D.denoise(lambda a, i: asked.append(int(i)) or torch.zeros_like(a), schedule, noise))
    except IndexError:
        where = "noise at i = 1: there is none for the last step" if asked[-1:] == [1] else "an index is out of range"
        pytest.fail(
            f"{where}; beta_i is at index i - 1, noise[0] is a_N, the z of step i is noise[N - i + 1]", pytrace=False
        )
    assert asked != [1, 2], "the steps are counted up: the chain goes from N down to 1"
    assert asked == [2, 1], f"eps_theta is asked at i = {asked}; the steps are 2, 1"
    assert found == pytest.approx(7.25), named(found, {
        7.25 + 0.6 * 1: "noise at i = 1: the last step adds none",
        7.25 + 0.6 * 3: "noise at i = 1: the last step adds none",
        3 / 0.6 / 0.8: "step 2 adds no noise",
        (5 + 0.8 * 3) / 0.8: "noise[0] is a_N; the z of step i is noise[N - i + 1]",
        (5 + 0.8 * 3) / 0.8 + 0.6: "noise[0] is a_N; the z of step i is noise[N - i + 1], and step 1 has none",
        (5 + 0.64 * 1) / 0.8: "variance_i z in place of sqrt(variance_i) z",
    })  # fmt: skip


@pytest.mark.eq(19)
def test_three_steps_by_hand():
    """Without z: sqrt(alpha_i) = 0.8, 3/4, 7/15 and sqrt(1 - alpha_bar_i) = 0.6, 0.8, 0.96 for i = 1, 2, 3.

    beta_i = 0.36, 7/16, 176/225; eps_theta = 1, 1.92, 1.08; a_3 = 2. a_2 = (2 - 0.88) * 15/7 = 2.4,
    a_1 = (2.4 - 1.05) * 4/3 = 1.8, a_0 = (1.8 - 0.6) / 0.8 = 1.5.
    """
    root = torch.tensor([0.8, 3 / 4, 7 / 15], dtype=torch.float64)
    schedule = D.Schedule(1 - root**2, root**2, torch.cumprod(root**2, 0))
    noise = torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64)[:, None, None]
    found = float(D.denoise(lambda a, i: torch.full_like(a, (1.0, 1.92, 1.08)[i - 1]), schedule, noise))

    def chain(divisors):
        a = 2.0
        for i in (3, 2, 1):
            a = (a - (1 - root[i - 1] ** 2) / divisors[i - 1] * (1.0, 1.92, 1.08)[i - 1]) / root[i - 1]
        return float(a)

    assert found == pytest.approx(1.5), named(found, {
        chain((1 - root**2).sqrt()): "alpha_i where Eq. (21) needs alpha_bar_i, the misprint of the paper",
        chain((1 - root**2).cumprod(0).sqrt()): "the bar is the product of beta_1 .. beta_i; it is that of the alphas",
        2 / 0.8 / 0.75 * 15 / 7: "eps_theta is not used",
    })  # fmt: skip


@pytest.mark.eq(19)
def test_a_chain_with_a_perfect_oracle_returns_a_0():
    """Whatever the noise: the last step lands on a_0 exactly, because none is added at i = 1."""
    a_0 = normal(6, 24, seed=6)
    found = D.denoise(oracle(a_0), SCHEDULE, normal(STEPS, 6, 24, seed=7))
    torch.testing.assert_close(found, a_0, rtol=1e-9, atol=1e-9)


@pytest.mark.eq(19, 20, 23)
def test_the_chain_uses_each_noise_once_and_in_order():
    """With no prediction the chain is linear.

    a_0 = a_N / sqrt(alpha_bar_N) + sum_{i > 1} sqrt(beta_i / alpha_bar_{i-1}) z_i.
    """
    noise = normal(STEPS, 2, 3, seed=9)
    found = D.denoise(lambda a, i: torch.zeros_like(a), SCHEDULE, noise)
    expected = noise[0] / SCHEDULE.alpha_bar[-1].sqrt()
    for k, i in enumerate(range(STEPS, 1, -1), start=1):
        expected = expected + (SCHEDULE.beta[i - 1] / SCHEDULE.alpha_bar[i - 2]).sqrt() * noise[k]
    torch.testing.assert_close(found, expected)
    assert (1 / SCHEDULE.alpha_bar[-1].sqrt()).item() == pytest.approx(12.5, abs=0.05)  # a fresh network amplifies


@pytest.mark.eq(19)
def test_gradients_reach_all_steps():
    """One weight per step: every one of them gets a gradient from a_0, and it is the numerical one."""
    weight = torch.full((STEPS,), 0.1, dtype=torch.float64, requires_grad=True)
    noise = normal(STEPS, 2, 3, seed=10)

    def run(weight):
        return D.denoise(lambda a, i: weight[i - 1] * torch.tanh(a), SCHEDULE, noise).sum()

    run(weight).backward()
    assert (weight.grad.abs() > 1e-6).all()
    assert torch.autograd.gradcheck(run, (weight,))


@pytest.mark.eq(18, 21, 24)
def test_coefficients_may_be_tensors():
    """One alpha for each sample: two samples at once are what each is by itself; the tensors stay as they are."""
    alpha, bar = (torch.tensor(values, dtype=torch.float64)[:, None] for values in ([0.64, 0.5], [0.19, 0.3]))
    a, eps, z = normal(2, 3, seed=11), normal(2, 3, seed=12), normal(2, 3, seed=13)
    forward = {D.forward_step: (a, alpha, eps), D.forward_marginal: (a, bar, eps)}
    reverse = {D.reverse_mean: (a, eps, alpha, bar), D.reverse_step_expanded: (a, eps, alpha, bar, z)}
    for function, given in (forward | reverse).items():
        found, alone = function(*given), [function(*(each[k] for each in given)) for k in range(2)]
        torch.testing.assert_close(found, torch.stack(alone))


@pytest.mark.eq(26)
def test_policy_is_a_softmax():
    """Eq. (26): logits ln 1, ln 2, ln 5 give 1/8, 2/8, 5/8; 100 more on every logit changes nothing."""
    log_pi = D.log_policy(torch.log(torch.tensor([[1.0, 2.0, 5.0]])) + 100)
    torch.testing.assert_close(log_pi.exp(), torch.tensor([[0.125, 0.25, 0.625]]))
