"""One gradient step of sac and dqn, one rollout and one gradient step of ppo, written out once more from the papers.

Target networks differ from the online ones, the discount is drawn, and some rows are terminated, some truncated.
"""

import copy

import numpy as np
import pytest
import torch
from torch.distributions import Categorical

from edgediff.config import LearnerConfig
from edgediff.learner.agents import build_agent
from edgediff.run.files import to_plain

S, A, E, ROWS = 4, 5, 6, 7
SEEDS = range(3)


def build(name, seed):
    """Create an agent with drawn settings, each network shaken on its own."""
    rng, rates = np.random.default_rng(seed), ("actor_lr", "sac_critic_lr", "dqn_lr", "ppo_lr")
    drawn = {rate: rng.uniform(1e-3, 1e-2) for rate in rates}
    drawn |= {share: rng.uniform(0.3, 0.9) for share in ("gamma", "ppo_gae_lambda", "entropy_temperature", "tau")}
    drawn |= dict(ppo_clip=rng.uniform(0.1, 0.3), ppo_entropy=rng.uniform(0.1, 0.5), weight_decay=0.1)
    sizes = dict(hidden=16, num_envs=E, collect_per_epoch=ROWS * E, buffer_size=ROWS * E, batch_size=16, ppo_passes=3)
    agent = build_agent(S, A, LearnerConfig(agent=name, **sizes, **drawn), np.random.SeedSequence(seed))
    for k, network in enumerate(agent.weights()):
        shake(getattr(agent, network), k)
    return agent


def shake(network, seed):
    """Add noise to all parameters, so that no network is a copy of another one."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=g))


def collect(agent, seed):
    """Fill the agent's memory with random rows; return it and the rows, each (T, E, ...)."""
    rng, memory, rows = np.random.default_rng(seed), agent.memory(), []
    state = rng.normal(size=(E, S)).astype(np.float32)
    for _ in range(ROWS):
        following, fresh = rng.normal(size=(2, E, S)).astype(np.float32)
        reward = rng.normal(size=E).astype(np.float32)
        terminated, truncated = rng.random((2, E)) < 0.2
        rows.append((state, rng.integers(A, size=E), reward, following, terminated, truncated))
        memory.add(*rows[-1])
        state = np.where((terminated | truncated)[:, None], fresh, following)
    return memory, [torch.as_tensor(np.stack(column)) for column in zip(*rows, strict=True)]


def copies(agent):
    """Return copies of all networks by name."""
    return {name: copy.deepcopy(getattr(agent, name)) for name in agent.weights()}


def check_metrics(agent, found, expected):
    """Every logged metric has the value that its name says, and none is missing."""
    assert set(found) == set(agent.METRICS) == set(expected)
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-4, abs=1e-6), name


def check_step(before, after, loss, rate, weight_decay):
    """The gradient is that of the loss, and the step the first one of Adam; return the gradient's norm.

    Adam's first step is rate g / (|g| + 1e-8), where g is the gradient plus the weight decay.
    """
    gradients = torch.autograd.grad(loss, list(before.parameters()))
    for old, new, gradient in zip(before.parameters(), after.parameters(), gradients, strict=True):
        torch.testing.assert_close(new.grad, gradient, rtol=1e-4, atol=1e-6)
        g = new.grad + weight_decay * old
        torch.testing.assert_close(new.detach(), (old - rate * g / (g.abs() + 1e-8)).detach(), rtol=1e-5, atol=1e-6)
    return torch.cat([gradient.flatten() for gradient in gradients]).norm()


def check_follows(before, online, after, tau):
    """Eq. (17): the target network is (1 - tau) of itself and tau of the online one after its step."""
    for old, goal, new in zip(before.parameters(), online.parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(new, ((1 - tau) * old + tau * goal).detach())


def draw_batch(agent, seed):
    """Return a batch from the agent's memory that holds terminated rows and windows of several lengths."""
    memory, _ = collect(agent, seed)
    batch = next(agent.batches(memory, torch.Generator().manual_seed(seed)))
    assert (batch.discount == 0).any() and len(batch.discount.unique()) > 2
    return batch


@pytest.mark.parametrize("seed", SEEDS)
def test_sac_update_by_hand(seed):
    """Eqs. (15)-(17) with the softmax of the target actor; J from the critics after their step; no entropy in y."""
    agent = build("sac", seed)
    c, b, before, row = agent.config, draw_batch(agent, seed), copies(agent), torch.arange(16)
    found = agent.update(b)

    next_pi = Categorical(logits=before["target_actor"](b.next_state)).probs
    next_q = torch.stack(before["target_critics"](b.next_state)).amin(dim=0)
    y = (b.n_step_return + b.discount * torch.einsum("ba,ba->b", next_pi, next_q)).detach()
    loss_q = sum(((q[row, b.action] - y) ** 2).sum() / 16 for q in before["critics"](b.state))
    grad_q = check_step(before["critics"], agent.critics, loss_q, c.sac_critic_lr, c.weight_decay)

    q = torch.stack(agent.critics(b.state)).amin(dim=0).detach()
    pi = Categorical(logits=before["actor"](b.state))
    value, entropy = torch.einsum("ba,ba->b", pi.probs, q).mean(), pi.entropy().mean()
    objective = value + c.entropy_temperature * entropy
    grad_pi = check_step(before["actor"], agent.actor, -objective, c.actor_lr, c.weight_decay)

    check_follows(before["target_critics"], agent.critics, agent.target_critics, c.tau)
    check_follows(before["target_actor"], agent.actor, agent.target_actor, c.tau)
    expected = dict(loss_q=loss_q, objective=objective, entropy=entropy, q=value, target=y.mean())
    check_metrics(agent, found, expected | dict(grad_q=grad_q, grad_pi=grad_pi))


@pytest.mark.parametrize("seed", SEEDS)
def test_dqn_update_by_hand(seed):
    """Double Q-learning: y = R + discount Q'(s', argmax_a Q(s', a)), the squared error, and Eq. (17)."""
    agent = build("dqn", seed)
    c, b, before, row = agent.config, draw_batch(agent, seed), copies(agent), torch.arange(16)
    best, best_of_target = (before[name](b.next_state).argmax(dim=1) for name in ("q", "target_q"))
    assert (best != best_of_target).any()  # else this test could not tell which network chooses
    found = agent.update(b)

    y = (b.n_step_return + b.discount * before["target_q"](b.next_state)[row, best]).detach()
    q = before["q"](b.state)
    loss_q = ((q[row, b.action] - y) ** 2).sum() / 16
    grad_q = check_step(before["q"], agent.q, loss_q, c.dqn_lr, c.weight_decay)
    check_follows(before["target_q"], agent.q, agent.target_q, c.tau)
    check_metrics(agent, found, dict(loss_q=loss_q, q=q.amax(dim=1).mean(), target=y.mean(), grad_q=grad_q))


def test_dqn_explores_at_the_rate_of_its_decisions():
    """Half way to the horizon, a share of 0.2 of 40 epochs of 42 decisions, the rate is half way to its end."""
    sizes = dict(hidden=16, num_envs=E, collect_per_epoch=42, buffer_size=42, batch_size=16, epochs=40)
    config = LearnerConfig(agent="dqn", dqn_epsilon_share=0.2, dqn_epsilon_final=0.1, **sizes)
    agent = build_agent(S, A, config, np.random.SeedSequence(0))
    shake(agent.q, 1)
    agent.decisions = 168
    state = torch.randn(9, S, generator=torch.Generator().manual_seed(0))
    expected = torch.full((9, A), 0.55 / A)
    expected[torch.arange(9), agent.q(state).argmax(dim=1)] += 0.45
    torch.testing.assert_close(agent.training_policy(state, torch.Generator()), expected)


def generalised_advantages(reward, value, next_value, terminated, ended, gamma, lam):
    """Return A_t = sum_k (gamma lam)^k delta_{t+k} up to the end of the episode, term by term, (T, E)."""
    delta = reward + gamma * next_value * ~terminated - value
    result = torch.zeros_like(delta)
    for e in range(E):
        for t in range(ROWS):
            for k in range(ROWS - t):
                result[t, e] += (gamma * lam) ** k * delta[t + k, e]
                if ended[t + k, e]:
                    break
    return result


def rollout_by_hand(agent, rows):
    """Return the columns of a rollout of ppo by name, rows and environments in one axis."""
    state, action, reward, following, terminated, truncated = rows
    with torch.no_grad():
        value, next_value = agent.critic(state).squeeze(-1), agent.critic(following).squeeze(-1)
        log_pi = Categorical(logits=agent.actor(state)).log_prob(action)
    c, ended = agent.config, terminated | truncated
    a = generalised_advantages(reward, value, next_value, terminated, ended, c.gamma, c.ppo_gae_lambda)
    standard = (a - a.sum() / a.numel()) / (((a - a.mean()) ** 2).sum() / (a.numel() - 1)).sqrt()
    columns = dict(state=state, action=action, old_log_pi=log_pi, advantage=standard, value_target=a + value)
    return {name: column.flatten(0, 1) for name, column in columns.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_ppo_rollout_by_hand(seed):
    """Every pass takes the whole rollout in an order of its own, as the networks saw it before the first update."""
    agent = build("ppo", seed)
    memory, rows = collect(agent, seed)
    assert (rows[4] & ~rows[5]).any() and (rows[5] & ~rows[4]).any()  # terminated alone, truncated alone
    expected, generator, orders = rollout_by_hand(agent, rows), torch.Generator().manual_seed(seed), []
    for k, batch in enumerate(agent.batches(memory, generator)):
        place = (batch.state[:, None] == expected["state"]).all(dim=-1).int().argmax(dim=1)
        orders.append(place.tolist())
        assert len(place) == (10 if k % 3 == 2 else 16)
        for name, column in batch._asdict().items():
            torch.testing.assert_close(column, expected[name][place], rtol=1e-4, atol=1e-5, msg=f"{name}, batch {k}")
        agent.update(batch)
    assert len(orders) == 9
    passes = [sum(orders[k : k + 3], []) for k in (0, 3, 6)]
    assert all(sorted(order) == list(range(ROWS * E)) for order in passes)
    assert len({*map(tuple, passes), tuple(range(ROWS * E))}) == 4  # three orders, none of them that of collecting

    # A new epoch begins: with the networks of now, in the order that the generator gives.
    expected, batch = rollout_by_hand(agent, rows), next(agent.batches(memory, generator.manual_seed(seed)))
    torch.testing.assert_close(batch.state, expected["state"][orders[0]])
    torch.testing.assert_close(batch.value_target, expected["value_target"][orders[0]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_ppo_update_by_hand(seed):
    """A gain counts up to ratio 1 + clip, a loss from 1 - clip on; entropy is a bonus; tau averages weights."""
    agent = build("ppo", seed)
    memory, _ = collect(agent, seed)
    c, b = agent.config, next(agent.batches(memory, torch.Generator().manual_seed(seed)))
    shake(agent.actor, 9)  # as after some updates: the ratios are not 1
    before = copies(agent)
    found = agent.update(b)

    pi = Categorical(logits=before["actor"](b.state))
    ratio, gains = (pi.log_prob(b.action) - b.old_log_pi).exp(), b.advantage >= 0
    beyond = torch.where(gains, ratio > 1 + c.ppo_clip, ratio < 1 - c.ppo_clip)
    assert beyond.any() and not beyond.all()
    counted = torch.where(gains, ratio.clamp(max=1 + c.ppo_clip), ratio.clamp(min=1 - c.ppo_clip))
    entropy = pi.entropy().mean()
    objective = (counted * b.advantage).mean() + c.ppo_entropy * entropy
    grad_pi = check_step(before["actor"], agent.actor, -objective, c.ppo_lr, c.weight_decay)
    for old, new, average in zip(
        before["average_actor"].parameters(), agent.actor.parameters(), agent.average_actor.parameters(), strict=True
    ):
        torch.testing.assert_close(average, (1 - c.tau) * old + c.tau * new)
    loss_v = ((before["critic"](b.state).squeeze(1) - b.value_target) ** 2).mean()
    grad_v = check_step(before["critic"], agent.critic, loss_v, c.ppo_lr, c.weight_decay)
    expected = dict(objective=objective, loss_v=loss_v, entropy=entropy, grad_pi=grad_pi, grad_v=grad_v)
    check_metrics(agent, found, expected)


@pytest.mark.parametrize("name", ("sac", "dqn", "d2sac"))
def test_an_agent_that_takes_a_snapshot_over_leaves_the_other_alone(name):
    one, two = build(name, 0), build(name, 1)
    one.update(draw_batch(one, 0))
    before = to_plain(copy.deepcopy(one.snapshot()))
    two.load_snapshot(one.snapshot())
    two.update(draw_batch(two, 0))
    torch.testing.assert_close(one.snapshot(), before, rtol=0, atol=0)


@pytest.mark.parametrize("name", ("sac", "dqn", "d2sac"))
def test_an_agent_that_has_learned_goes_back_to_any_snapshot(name):
    """Also to one from before the first update, when Adam has no moments yet."""
    agent, ends = build(name, 0), []
    memory, _ = collect(agent, 0)
    start = to_plain(agent.snapshot())
    for _ in range(2):
        agent.load_snapshot(start)
        for k in range(3):
            agent.update(next(agent.batches(memory, torch.Generator().manual_seed(k))))
        ends.append(to_plain(agent.weights()))
    for network, tensors in ends[0].items():
        assert all(torch.equal(value, ends[1][network][key]) for key, value in tensors.items())
