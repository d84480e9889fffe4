"""The agent: what flows where, what is reproducible, and that it learns what is known to be best."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from edgediff.config import LearnerConfig
from edgediff.errors import NonFiniteError
from edgediff.learner.d2sac import D2SAC
from edgediff.learner.replay import Batch

S, A, B = 5, 6, 32
CONFIG = LearnerConfig(hidden=32, batch_size=B, d2sac_denoising_steps=5)


def agent(seed=0, **changes):
    return D2SAC(S, A, replace(CONFIG, **changes), np.random.SeedSequence(seed))


def batch(seed=0):
    g = torch.Generator().manual_seed(seed)
    state, following = torch.randn(2, B, S, generator=g)
    action = torch.randint(A, (B,), generator=g)
    return Batch(state, action, torch.randn(B, generator=g), torch.full((B,), 0.9), following)


def parameters(agent):
    return torch.cat([t.flatten() for network in agent.weights().values() for t in network.values()])


def test_same_seed_same_bits():
    one, two, other = agent(0), agent(0), agent(1)
    for k in range(3):
        a, b = one.update(batch(k)), two.update(batch(k))
        assert all(torch.equal(a[name], b[name]) for name in a)
    assert torch.equal(parameters(one), parameters(two))
    assert not torch.equal(parameters(one), parameters(other))
    observation = np.random.default_rng(0).random((40, S), dtype=np.float32)
    assert np.array_equal(one.explore(observation), two.explore(observation))


def test_nothing_outside_the_agent_is_random():
    """Neither building, acting nor updating reads or moves torch's global stream."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = agent()
    one.update(batch())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.line(11, 12, 13, 14, 15, 16, 17, 18, 19)
def test_an_update_returns_its_metrics():
    """One number each: loss_q, loss_d, objective, entropy, q, target, grad_q, grad_pi; none with a gradient."""
    b = batch()
    found = agent().update(b)
    assert all(map(torch.equal, b, batch())), "the batch is changed in place; the memory still needs it"
    assert isinstance(found, dict), f"update returns a {type(found).__name__}; it returns a dict of tensors"
    missing = ", ".join(name for name in D2SAC.METRICS if name not in found)
    assert not missing, f"update returns no {missing}"
    for name, value in found.items():
        assert value.shape == (), f"{name} of shape {tuple(value.shape)} is not one number: the mean over the batch"
        assert not value.requires_grad, f"{name} carries a gradient: detached(...)"


@pytest.mark.eq(17)
@pytest.mark.line(18, 19)
def test_an_update_moves_the_networks_and_their_targets_by_tau():
    """Eq. (17), lines 18-19: each target moves by tau = 0.25 of its distance to the network after its step."""
    one = agent(tau=0.25)
    before = copy.deepcopy(one.weights())
    one.update(batch())
    after = one.weights()
    for name in ("actor", "critics"):
        for key, value in after[name].items():
            assert not torch.equal(value, before[name][key]), f"lines 13-17: {name} did not move"
            target = before[f"target_{name}"][key]
            now = after[f"target_{name}"][key]
            assert not torch.equal(now, target), f"lines 18-19: target_{name} did not move"
            words = f"lines 18-19: target_{name} did not move by tau"
            torch.testing.assert_close(now, target + 0.25 * (value - target), msg=words)


@pytest.mark.eq(17)
@pytest.mark.line(18, 19)
def test_no_gradient_reaches_the_target_networks():
    """Eq. (17): targets move by averaging alone, never by a gradient."""
    one = agent()
    one.update(batch())
    for p in [*one.target_actor.parameters(), *one.target_critics.parameters()]:
        assert not p.requires_grad, "lines 18-19: a target carries a gradient of its network: torch.no_grad()"
        assert p.grad is None, "a target has a gradient; it moves by averaging alone"


@pytest.mark.eq(15)
@pytest.mark.line(11, 12, 13, 14)
def test_the_target_uses_target_networks_only():
    """With online networks changed beyond recognition, y = R + 0.9 V' is what it was."""
    one, two = agent(), agent()
    with torch.no_grad():
        for p in [*two.actor.parameters(), *two.critics.parameters()]:
            p.add_(1.0)
    same = torch.equal(one.update(batch())["target"], two.update(batch())["target"])
    assert same, "line 12: y depends on the online networks; it takes the targets, theta' and psi'"


@pytest.mark.eq(15)
def test_without_discount_the_target_is_the_return():
    """Eq. (15): gamma^m (1 - d) = 0 leaves y = R."""
    b = batch()._replace(discount=torch.zeros(B))
    torch.testing.assert_close(agent().update(b)["target"], b.n_step_return.mean())


@pytest.mark.line(15, 16, 17)
def test_the_actor_step_leaves_the_critics_alone():
    """Q carries no gradient in J: the critics move the same whatever the weight of L_d."""
    one, two = agent(d2sac_diffusion_weight=0.0), agent(d2sac_diffusion_weight=9.0)
    one.update(batch()), two.update(batch())
    assert all(torch.equal(a, b) for a, b in zip(one.critics.parameters(), two.critics.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.actor.parameters(), two.actor.parameters(), strict=True))


@pytest.mark.slow
@pytest.mark.line(5, 6, 7, 8)
def test_modes_of_acting():
    """A single draw is random even at its argmax; the mean over many draws repeats far more often."""
    one, observation = agent(), np.random.default_rng(0).random((256, S), dtype=np.float32)

    generator = torch.Generator().manual_seed(0)

    def repeats(*mode):
        return (one.act(observation, generator, *mode) == one.act(observation, generator, *mode)).mean()

    assert (one.explore(observation) == one.explore(observation)).mean() < 0.3  # a fresh policy: about 1 / 6
    for mode in ("sample", "argmax"):
        assert repeats(mode) < 0.3
    assert repeats("mean", 1000) > 0.5
    assert np.array_equal(*(one.act(observation, torch.Generator().manual_seed(1), *m) for m in (("mean",), ("",))))
    for mode in one.MODES:
        action = one.act(observation, generator, mode, 3)
        assert action.shape == (256,) and action.min() == 0 and action.max() == A - 1


@pytest.mark.line(20, 21, 22, 23, 24, 25)
def test_training_explores_with_the_actor_and_evaluation_takes_the_target_actor():
    """Line 23: pi_theta' is evaluated, while pi_theta explores. Each network is set to prefer one action: 2 and 4."""
    one, observation = agent(), np.random.default_rng(0).random((64, S), dtype=np.float32)
    for network, action in ((one.actor, 2), (one.target_actor, 4)):
        with torch.no_grad():
            network.rest[-1].weight.zero_()
            network.rest[-1].bias.fill_(9.0)[action] = -9.0  # noise is taken out: this action stands out
    assert (one.explore(observation) == 2).all()
    for mode in one.MODES:
        assert (one.act(observation, torch.Generator(), mode, 3) == 4).all()


@pytest.mark.eq(26)
def test_a_fresh_policy_is_sure_of_each_draw_and_uniform_over_draws():
    """The chain amplifies noise 12.5 times, so that exploration comes from the noise, not from the softmax."""
    one = D2SAC(21, 24, LearnerConfig(), np.random.SeedSequence(0))
    state = torch.zeros(4000, 21)
    with torch.no_grad():
        pi = one.training_policy(state, one.act_stream)
    assert 0.85 < pi.max(dim=1).values.mean() < 0.95
    assert (pi.mean(dim=0) - 1 / 24).abs().max() < 0.03


def chain_by_hand(net, state, noise, config):
    """Eqs. (22), (21), (23) from their definitions, with the network's defining form."""
    n = config.d2sac_denoising_steps
    span = config.d2sac_beta_max - config.d2sac_beta_min
    bar = [1.0] + [math.exp(-config.d2sac_beta_min * i / n - span * i**2 / (2 * n**2)) for i in range(1, n + 1)]
    a = noise[0]
    for k, i in enumerate(range(n, 0, -1), start=1):
        alpha, beta = bar[i] / bar[i - 1], 1 - bar[i] / bar[i - 1]
        eps = net(a, state, torch.full((len(state),), i))
        a = (a - beta / math.sqrt(1 - bar[i]) * eps) / math.sqrt(alpha)
        if i > 1:
            a = a + math.sqrt(beta) * noise[k]
    return a, bar


CHANGES = [
    dict(),
    dict(entropy_temperature=0.4),
    dict(d2sac_diffusion_weight=0.5),
    dict(d2sac_confidence=0.6),
    dict(d2sac_beta_min=0.5, d2sac_beta_max=5.0),
    dict(weight_decay=0.3),
    dict(d2sac_denoising_steps=1),
]


@pytest.mark.eq(25)
@pytest.mark.line(11, 12, 13, 14, 15, 16, 17, 18, 19)
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_one_update_by_hand(change):
    """Algorithm 1, lines 11-19, written out once more from the formulas, with the same draws, and compared."""
    one, b = agent(actor_lr=1e-3, critic_lr=3e-3, **change), batch()
    c, stream = one.config, torch.Generator()
    with torch.no_grad():  # targets unlike the online networks
        for p in [*one.target_actor.parameters(), *one.target_critics.parameters()]:
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    stream.set_state(one.learn_stream.get_state())
    before = {name: copy.deepcopy(network) for name, network in one.networks.items()}
    metrics = one.update(b)

    def draw(*shape):
        return torch.randn(*shape, generator=stream)

    pi = torch.softmax(
        chain_by_hand(before["target_actor"], b.next_state, draw(c.d2sac_denoising_steps, B, A), c)[0], dim=1
    )
    q1, q2 = before["target_critics"].q1(b.next_state), before["target_critics"].q2(b.next_state)
    y = (b.n_step_return + b.discount * (pi * torch.minimum(q1, q2)).sum(1)).detach()
    taken = torch.arange(B), b.action
    critics = before["critics"]
    loss_q = sum(((q(b.state)[taken] - y) ** 2).mean() for q in (critics.q1, critics.q2))
    check(metrics, critics, loss_q, one.critics, "q", c.critic_lr, c.weight_decay)
    torch.testing.assert_close(metrics["target"], y.mean())

    q = torch.minimum(one.critics.q1(b.state), one.critics.q2(b.state)).detach()  # after their step
    a_0, bar = chain_by_hand(before["actor"], b.state, draw(c.d2sac_denoising_steps, B, A), c)
    pi = torch.softmax(a_0, dim=1)
    h = -(pi * torch.log_softmax(a_0, dim=1)).sum(1).mean()
    objective = (pi * q).sum(1).mean() + c.entropy_temperature * h
    i = torch.randint(1, c.d2sac_denoising_steps + 1, (B,), generator=stream)
    eps = draw(B, A)
    best = (q == q.max(1, keepdim=True).values).float()
    latent = math.log(c.d2sac_confidence * (A - 1) / (1 - c.d2sac_confidence)) * (best - 1 / A)
    bar_i = torch.tensor(bar)[i][:, None]
    found = before["actor"](bar_i.sqrt() * latent + (1 - bar_i).sqrt() * eps, b.state, i)
    loss_d = ((eps - found) ** 2).mean()
    loss = c.d2sac_diffusion_weight * loss_d - objective
    check(metrics, before["actor"], loss, one.actor, "pi", c.actor_lr, c.weight_decay)
    expected = dict(loss_q=loss_q, loss_d=loss_d, objective=objective, entropy=h, q=(pi * q).sum(1).mean())
    for name, value in expected.items():
        torch.testing.assert_close(
            metrics[name], value.detach(), rtol=1e-3, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}"
        )
    for name in ("actor", "critics"):
        networks = before[f"target_{name}"], one.networks[f"target_{name}"], one.networks[name]
        for old, new, own in zip(*(network.parameters() for network in networks), strict=True):
            words = f"lines 18-19: target_{name} did not move by tau"
            torch.testing.assert_close(new.data, old + c.tau * (own.data - old), msg=words)


def check(metrics, before, loss, after, name, lr, weight_decay):
    """The gradient has the logged norm, and Adam's first step is lr times the sign of gradient plus decay."""
    gradients = torch.autograd.grad(loss, list(before.parameters()))
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    words = {"q": "lines 13-14: the gradient of L_Q", "pi": "lines 15-17: the gradient of w L_d - J"}[name]
    torch.testing.assert_close(metrics[f"grad_{name}"], norm, rtol=1e-3, atol=1e-6, msg=lambda m: f"{words}: {m}")
    for old, new, g in zip(before.parameters(), after.parameters(), gradients, strict=True):
        g = g + weight_decay * old
        clear = g.abs() > 1e-3  # elsewhere rounding decides the sign
        torch.testing.assert_close((new - old)[clear], (-lr * g.sign())[clear], rtol=2e-2, atol=1e-6)


@pytest.mark.parametrize("mode", ["explore", *D2SAC.MODES])
def test_what_is_not_finite_is_named(mode):
    one, observation = agent(), np.zeros((3, S), np.float32)

    def act(observation):
        return one.explore(observation) if mode == "explore" else one.act(observation, torch.Generator(), mode)

    with pytest.raises(NonFiniteError, match="observation"):
        act(np.full((3, S), np.nan, np.float32))
    with torch.no_grad():
        (one.actor if mode == "explore" else one.target_actor).rest[-1].bias[2] = float("nan")
    with pytest.raises(NonFiniteError, match="action probabilities"):
        act(observation)


def test_finite_weights_that_overflow_cannot_act():
    one = agent()
    with torch.no_grad():
        one.actor.rest[-1].weight.fill_(3e38)
    with pytest.raises(NonFiniteError, match="action probabilities"):
        one.check_finite(np.zeros((3, S), np.float32))
