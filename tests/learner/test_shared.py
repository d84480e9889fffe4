"""Networks with shared weights: the order of the gateways does not matter, nor does their number."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from edgediff.config import LearnerConfig, WorldConfig
from edgediff.errors import ConfigError
from edgediff.learner.agents import AGENTS, build_agent
from edgediff.learner.shared import PricedCritic, SharedNetwork, SharedNoiseNetwork, SharedValue, Widths, latent_summary
from edgediff.world.rules import one_step_greedy
from edgediff.world.simulator import Simulator
from edgediff.world.state import WIDTHS, observe_gateways

B, H, N = 7, 16, 4
EDGE = Widths(*WIDTHS)  # 6 common numbers; of a gateway 3 own and, for each of 3 levels, a reward and one priced
PRICED, BARE = Widths(2, 1, 2, 5), Widths(1, 2, 1)  # other problems: one with four prices, one without a model
CONFIG = LearnerConfig(network="shared", hidden=H, batch_size=32, d2sac_denoising_steps=N)


def states(items, widths=EDGE, seed=0):
    size = widths.common + items * (widths.own + widths.levels * widths.per_level)
    return torch.randn(B, size, generator=torch.Generator().manual_seed(seed))


def latents(items, widths=EDGE, seed=1):
    return torch.randn(B, widths.levels * items, generator=torch.Generator().manual_seed(seed))


def with_items_in_order(values, order, each, first=0):
    """Reorder the blocks of `each` numbers that come after the `first` ones."""
    blocks = values[:, first:].unflatten(1, (-1, each))[:, order].flatten(1)
    return torch.cat([values[:, :first], blocks], dim=1)


def with_prices(critic):
    """Give prices of about 0.5; untrained they are 0."""
    nn.init.normal_(critic.scaled_prices, 0.025, 0.01)
    return critic


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("widths", [EDGE, PRICED, BARE])
def test_permuting_the_items_permutes_the_output(widths):
    order, state, a = torch.tensor([3, 0, 4, 1, 2]), states(5, widths), latents(5, widths)
    state_too = with_items_in_order(state, order, (state.shape[1] - widths.common) // 5, widths.common)
    a_too = with_items_in_order(a, order, widths.levels)
    network, noise, value = SharedNetwork(widths, H), SharedNoiseNetwork(widths, H, N), SharedValue(widths, H)
    i, pairs = torch.full((B,), 2), [(network(state), network(state_too))]
    pairs.append((noise(a, state, i), noise(a_too, state_too, i)))
    if widths.per_level:
        priced = with_prices(PricedCritic(widths, H))
        pairs.append((priced(state), priced(state_too)))
    for one, two in pairs:
        assert not torch.allclose(one, two)
        torch.testing.assert_close(with_items_in_order(one, order, widths.levels), two)
    torch.testing.assert_close(value(state), value(state_too))


@pytest.mark.parametrize("widths", [EDGE, PRICED, BARE])
def test_the_same_weights_serve_any_number_of_items(widths):
    network, noise, value = SharedNetwork(widths, H), SharedNoiseNetwork(widths, H, N), SharedValue(widths, H)
    for items in (1, 2, 8, 64, 256):
        state, a = states(items, widths), latents(items, widths)
        assert network(state).shape == noise.predictor(state)(a, 1).shape == (B, widths.levels * items)
        for output in (network(state), noise.predictor(state)(a, 1), value(state)):
            assert torch.isfinite(output).all()
        assert value(state).shape == (B, 1)


def test_every_item_goes_through_one_plain_network():
    """The split first layer is a linear layer on the concatenation of own numbers, common ones and summaries."""
    network, state = SharedNetwork(EDGE, H), states(3)
    common, own = state[:, :6], state[:, 6:].view(B, 3, 9)
    plain = nn.Linear(6 + 4 * 9, H)
    first = network.first
    plain.weight.data = torch.cat([first.of_own.weight, first.of_common.weight], dim=1)
    plain.bias.data = first.of_common.bias.data
    for g in range(3):
        seen = [own[:, g], common, own.max(1).values, own.min(1).values, own.mean(1)]
        expected = network.rest(plain(torch.cat(seen, dim=1)))
        torch.testing.assert_close(network(state)[:, 3 * g : 3 * g + 3], expected)


@pytest.mark.parametrize("widths", [EDGE, PRICED])
def test_the_priced_critic_charges_a_price_on_what_each_action_holds(widths):
    """Q = V + r - sum_j p_j c_j; the numbers of a level are r, c_1, c_2, ... in this order."""
    critic, state = with_prices(PricedCritic(widths, H)), states(2, widths)
    own = state[:, widths.common :].view(B, 2, -1)
    price, value, values = critic.prices, critic.value(state)[:, 0], critic(state)
    for k in range(2 * widths.levels):
        first = widths.own + widths.per_level * (k % widths.levels)
        reward, *held = own[:, k // widths.levels, first : first + widths.per_level].T
        expected = value + reward - sum(price[j] * h for j, h in enumerate(held))
        torch.testing.assert_close(values[:, k], expected)


def test_an_untrained_priced_critic_prefers_what_the_greedy_rule_prefers():
    simulator = Simulator(WorldConfig(load=2), 20, state_of_view=observe_gateways)
    state = simulator.reset(0)
    for _ in range(50):
        state, *_ = simulator.step(one_step_greedy(simulator.world, simulator.view()))
    preferred = PricedCritic(EDGE, H)(torch.as_tensor(state)).argmax(dim=1)
    assert (
        np.array_equal(preferred, one_step_greedy(simulator.world, simulator.view()))
        and len(set(preferred.tolist())) > 3
    )


@pytest.mark.eq(21)
def test_the_cheap_form_for_a_whole_chain_is_the_definition():
    """eps_theta of Eq. (21) for the shared network: its form for a chain gives what `forward` gives, at every i."""
    noise, state, a = SharedNoiseNetwork(EDGE, H, N), states(6), latents(6)
    predict = noise.predictor(state)
    outputs = [noise(a, state, torch.full((B,), i)) for i in range(1, N + 1)]
    for i, expected in enumerate(outputs, start=1):
        torch.testing.assert_close(predict(a, i), expected)
    assert not torch.allclose(outputs[0], outputs[1])  # the step matters


def test_the_summary_of_a_latent_is_that_of_all_its_entries():
    a = torch.tensor([[0.0, 1.0, 2.0, -1.0, 3.0, 1.0]])
    torch.testing.assert_close(latent_summary(a), torch.tensor([[3.0, 1.0, a.exp().sum().log()]]))


@pytest.mark.parametrize("critic", ("values", "priced"))
@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_with_shared_networks_acts_learns_and_is_saved(name, critic):
    config = replace(
        CONFIG, agent=name, critic=critic, collect_per_epoch=20, num_envs=5, buffer_size=100, batch_size=16
    )
    one, two = (build_agent(states(3).shape[1], 9, config, seed, widths=WIDTHS) for seed in (0, 1))
    kinds = {type(module) for network in one.networks.values() for module in network.modules()}
    assert (PricedCritic in kinds) == (critic == "priced" and "loss_q" in one.METRICS)
    memory, rng = one.memory(), np.random.default_rng(0)
    observation = rng.standard_normal((5, one.state_dim), dtype=np.float32)
    for _ in range(4):
        action, following = one.explore(observation), rng.standard_normal((5, one.state_dim), dtype=np.float32)
        assert set(action) <= set(range(9))
        memory.add(observation, action, rng.random(5), following, np.zeros(5, bool), np.zeros(5, bool))
        observation = following
    before = {key: value.clone() for key, value in next(iter(one.weights().values())).items()}
    metrics = one.update(next(one.batches(memory, torch.Generator().manual_seed(0))))
    assert list(metrics) == list(one.METRICS) and all(torch.isfinite(value) for value in metrics.values())
    assert any(not torch.equal(value, before[key]) for key, value in next(iter(one.weights().values())).items())
    two.load_snapshot(one.snapshot())
    assert np.array_equal(one.explore(observation), two.explore(observation))


def test_one_agent_runs_on_another_number_of_items():
    small, large = (build_agent(states(g).shape[1], 3 * g, CONFIG, widths=WIDTHS) for g in (3, 8))
    large.load_weights(small.weights())
    assert large.act(states(8).numpy()).max() < 24


@pytest.mark.parametrize("name", AGENTS)
def test_an_observation_of_another_width_is_one_line(name):
    agent = build_agent(states(3).shape[1], 9, replace(CONFIG, agent=name), widths=WIDTHS)
    for act in (agent.act, agent.explore):
        with pytest.raises(ValueError, match=r"^observation: shape \(7, 42\) is not \(E, 33\), .*$"):
            act(states(4).numpy())


@pytest.mark.parametrize("widths, state_dim, num_actions, critic", [
    (None, 42, 9, "values"), ((6, 3), 42, 9, "values"), ((6, 3, 3.0, 3), 42, 9, "values"), (12, 42, 9, "values"),
    ((6, 3, 0, 3), 42, 9, "values"), ((6, 0, 3), 42, 9, "values"), ((-6, 3, 3, 5), 42, 9, "values"),
    (WIDTHS, 34, 9, "values"), (WIDTHS, 33, 12, "values"), (WIDTHS, 6, 0, "values"), (WIDTHS, 2, 3, "values"),
    ((6, 12, 3), 42, 9, "priced"), ((6, 9, 3, 1), 42, 9, "priced"),
])  # fmt: skip
def test_widths_that_do_not_fit_are_one_line(widths, state_dim, num_actions, critic):
    with pytest.raises(ConfigError, match=r"^widths: .*") as error:
        build_agent(state_dim, num_actions, replace(CONFIG, critic=critic), widths=widths)
    assert "\n" not in str(error.value)
