"""A GPU computes what the CPU does, and a graph what its function does, to the bit."""

import numpy as np
import pytest
import torch

from edgediff.config import LearnerConfig
from edgediff.learner.agents import AGENTS
from edgediff.learner.cuda_graph import WARM_UPS
from experiments.timing.latency import fill

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
S, A, B = 21, 24, 512
MANY = WARM_UPS + 4  # updates, of which the last five are launched from a graph


def agent(name, device="cuda", seed=0, **settings):
    return AGENTS[name](S, A, LearnerConfig(agent=name, **settings), np.random.SeedSequence(seed), device)


def batch(name, seed=0, device="cuda", size=B):
    """Draw a batch from the memory of another agent, on the CPU."""
    other = agent(name, "cpu", 1000 + seed, batch_size=size, buffer_size=1000)
    memory = other.memory()
    fill(memory, np.random.default_rng(seed), other.config.num_envs, other)
    given = next(other.batches(memory, torch.Generator().manual_seed(seed)))
    return type(given)(*(column.to(device) for column in given))


def all_values(agent):
    moments = [x for each in agent.snapshot()["moments"].values() for p in each for x in p.values()]
    return [x.cpu() for network in agent.weights().values() for x in network.values()] + [x.cpu() for x in moments]


def assert_equal(one, two):
    assert all(torch.equal(a, b) for a, b in zip(all_values(one), all_values(two), strict=True))


@pytest.fixture
def noise_of_the_cpu(monkeypatch):
    """Let both devices draw the same random numbers."""
    for name in ("randn", "randint"):
        source, right = torch.Generator(), getattr(torch, name)

        def drawn(*shape, generator, device="cpu", right=right, source=source):
            source.manual_seed(sum(shape[-1]) if isinstance(shape[-1], tuple) else 0)
            return right(*shape, generator=source).to(device)

        monkeypatch.setattr(torch, name, drawn)


@pytest.mark.parametrize("name", AGENTS)
def test_one_update_is_that_of_the_cpu(name, noise_of_the_cpu):
    here, there = agent(name, "cpu"), agent(name)
    one, two = here.update(batch(name, device="cpu")), there.update(batch(name))
    assert list(one) == list(two)
    for metric in one:
        torch.testing.assert_close(two[metric].cpu(), one[metric], rtol=1e-4, atol=1e-4, msg=metric)
    for a, b in zip(all_values(here), all_values(there), strict=True):
        torch.testing.assert_close(b, a, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", AGENTS)
def test_a_captured_update_is_the_update(name):
    one, two = agent(name), agent(name)
    for k in range(MANY):
        a, b = one.update(batch(name, k)), type(two).update(two, batch(name, k))
        assert list(a) == list(b) and all(torch.equal(a[metric], b[metric]) for metric in a), k
    assert_equal(one, two)


def test_what_an_update_returned_stays_when_the_next_one_is_launched():
    one = agent("sac")
    metrics = [one.update(batch("sac", k)) for k in range(MANY)]
    assert len({m["loss_q"].item() for m in metrics}) == MANY


def test_a_batch_of_another_size_is_captured_for_itself():
    one, two = agent("ppo"), agent("ppo")
    for k in range(2 * MANY):
        given = batch("ppo", k, size=B if k % 2 else 488)
        one.update(given), type(two).update(two, given)
    assert_equal(one, two)


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("before", (1, MANY))
def test_a_snapshot_goes_on_with_the_same_bits(name, before):
    """Also in an agent that has captured its update already: it captures it anew."""
    one, fresh, used = agent(name), agent(name, seed=1), agent(name, seed=2)
    for k in range(before):
        one.update(batch(name, k))
    for k in range(MANY):
        used.update(batch(name, 50 + k))
    saved = {key: value for key, value in one.snapshot().items()}
    saved = torch.load(_file(saved), weights_only=True)
    fresh.load_snapshot(saved), used.load_snapshot(saved)
    for k in range(before, before + MANY):
        for each in (one, fresh, used):
            each.update(batch(name, k))
    assert_equal(one, fresh)
    assert_equal(one, used)
    observation = np.random.default_rng(0).random((40, S), dtype=np.float32)
    for _ in range(MANY):
        actions = [each.explore(observation) for each in (one, fresh, used)]
        assert np.array_equal(actions[0], actions[1]) and np.array_equal(actions[0], actions[2])


def _file(content):
    import io

    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    return file


def test_a_captured_policy_is_the_policy_and_follows_the_weights():
    one = agent("d2sac")
    observation = np.random.default_rng(0).random((40, S), dtype=np.float32)
    state = one.checked_state(observation)

    def plain():
        noise = one.draw_noise(state, torch.Generator("cuda").manual_seed(3))
        return one.log_policy(one.target_actor, state, noise).exp().detach().cpu().numpy()

    def act():
        return one.act_with_probabilities(observation, torch.Generator("cuda").manual_seed(3), "argmax")[1]

    for _ in range(MANY):
        assert np.array_equal(act(), plain())
    before = act()
    one.load_weights(agent("d2sac", seed=5).weights())
    assert np.array_equal(act(), plain()) and not np.array_equal(act(), before)
