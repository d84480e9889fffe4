"""Networks with shared weights: the order of the gateways does not matter, nor does their number."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from edgediff.config import COMMON_INPUTS, GATEWAY_INPUTS, LearnerConfig, WorldConfig
from edgediff.learner.agents import AGENTS, build_agent
from edgediff.learner.shared import PricedCritic, SharedNetwork, SharedNoiseNetwork, SharedValue, latent_summary
from edgediff.world.rules import one_step_greedy
from edgediff.world.simulator import Simulator
from edgediff.world.state import observe_gateways

B, H, N = 7, 16, 4
CONFIG = LearnerConfig(network="shared", hidden=H, batch_size=32, d2sac_denoising_steps=N)


def states(gateways, seed=0):
    return torch.randn(B, COMMON_INPUTS + gateways * GATEWAY_INPUTS, generator=torch.Generator().manual_seed(seed))


def latents(gateways, seed=1):
    return torch.randn(B, 3 * gateways, generator=torch.Generator().manual_seed(seed))


def with_gateways_in_order(values, order, each, first=0):
    """Reorder the blocks of `each` numbers that come after the `first` ones."""
    blocks = values[:, first:].unflatten(1, (-1, each))[:, order].flatten(1)
    return torch.cat([values[:, :first], blocks], dim=1)


def with_prices(critic):
    """Give prices that depend on the state; untrained they are 0."""
    nn.init.normal_(critic.prices[-1].weight), nn.init.constant_(critic.prices[-1].bias, 0.5)
    return critic


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def test_permuting_the_gateways_permutes_the_output():
    order, state, a = torch.tensor([3, 0, 4, 1, 2]), states(5), latents(5)
    state_too, a_too = with_gateways_in_order(state, order, GATEWAY_INPUTS, COMMON_INPUTS), a.clone()
    a_too = with_gateways_in_order(a, order, 3)
    priced = with_prices(PricedCritic(H))
    network, noise, value, i = SharedNetwork(H), SharedNoiseNetwork(H, N), SharedValue(H), torch.full((B,), 2)
    for one, two in (
        (network(state), network(state_too)),
        (noise(a, state, i), noise(a_too, state_too, i)),
        (priced(state), priced(state_too)),
    ):
        assert not torch.allclose(one, two)
        torch.testing.assert_close(with_gateways_in_order(one, order, 3), two)
    torch.testing.assert_close(value(state), value(state_too))


def test_the_same_weights_serve_any_number_of_gateways():
    network, noise, value = SharedNetwork(H), SharedNoiseNetwork(H, N), SharedValue(H)
    for gateways in (1, 2, 8, 64, 256):
        state, a = states(gateways), latents(gateways)
        assert network(state).shape == noise.predictor(state)(a, 1).shape == (B, 3 * gateways)
        for output in (network(state), noise.predictor(state)(a, 1), value(state)):
            assert torch.isfinite(output).all()
        assert value(state).shape == (B, 1)


def test_every_gateway_goes_through_one_plain_network():
    """The split first layer is a linear layer on the concatenation of own numbers, common ones and summaries."""
    network, state = SharedNetwork(H), states(3)
    common, own = state[:, :COMMON_INPUTS], state[:, COMMON_INPUTS:].view(B, 3, GATEWAY_INPUTS)
    plain = nn.Linear(COMMON_INPUTS + 4 * GATEWAY_INPUTS, H)
    first = network.first
    plain.weight.data = torch.cat([first.of_own.weight, first.of_common.weight], dim=1)
    plain.bias.data = first.of_common.bias.data
    for g in range(3):
        seen = [own[:, g], common, own.max(1).values, own.min(1).values, own.mean(1)]
        expected = network.rest(plain(torch.cat(seen, dim=1)))
        torch.testing.assert_close(network(state)[:, 3 * g : 3 * g + 3], expected)


def test_the_priced_critic_charges_two_prices_on_what_each_action_holds():
    critic, state = with_prices(PricedCritic(H)), states(2)
    common = torch.cat([state[:, :COMMON_INPUTS], *(x(state[:, COMMON_INPUTS:].view(B, 2, GATEWAY_INPUTS)) for x in (
        lambda own: own.max(1).values, lambda own: own.min(1).values, lambda own: own.mean(1)))], dim=1)  # fmt: skip
    price, value = critic.prices(common), critic.value(state)[:, 0]
    for k in range(6):
        first = COMMON_INPUTS + k // 3 * GATEWAY_INPUTS + 3 + 3 * (k % 3)
        reward, bandwidth, compute = state[:, first : first + 3].T
        expected = value + reward - price[:, 0] * bandwidth - price[:, 1] * compute
        torch.testing.assert_close(critic(state)[:, k], expected)


def test_an_untrained_priced_critic_prefers_what_the_greedy_rule_prefers():
    simulator = Simulator(WorldConfig(load=2), 20, state_of_view=observe_gateways)
    state = simulator.reset(0)
    for _ in range(50):
        state, *_ = simulator.step(one_step_greedy(simulator.world, simulator.view()))
    preferred = PricedCritic(H)(torch.as_tensor(state)).argmax(dim=1)
    assert (
        np.array_equal(preferred, one_step_greedy(simulator.world, simulator.view()))
        and len(set(preferred.tolist())) > 3
    )


@pytest.mark.eq(21)
def test_the_cheap_form_for_a_whole_chain_is_the_definition():
    """eps_theta of Eq. (21) for the shared network: its form for a chain gives what `forward` gives, at every i."""
    noise, state, a = SharedNoiseNetwork(H, N), states(6), latents(6)
    predict = noise.predictor(state)
    outputs = [noise(a, state, torch.full((B,), i)) for i in range(1, N + 1)]
    for i, expected in enumerate(outputs, start=1):
        torch.testing.assert_close(predict(a, i), expected)
    assert not torch.allclose(outputs[0], outputs[1])  # the step matters


def test_the_summary_of_a_latent_is_that_of_all_its_entries():
    a = torch.tensor([[0.0, 1.0, 2.0, -1.0, 3.0, 1.0]])
    torch.testing.assert_close(latent_summary(a), torch.tensor([[3.0, 1.0, a.exp().sum().log()]]))


@pytest.mark.parametrize("network", ("shared", "priced"))
@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_with_shared_networks_acts_learns_and_is_saved(name, network):
    gateways = 3
    config = replace(
        CONFIG, agent=name, network=network, collect_per_epoch=20, num_envs=5, buffer_size=100, batch_size=16
    )
    one, two = (build_agent(states(gateways).shape[1], 9, config, np.random.SeedSequence(seed)) for seed in (0, 1))
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


def test_one_agent_runs_on_another_number_of_gateways():
    small, large = (
        build_agent(states(gateways).shape[1], 3 * gateways, CONFIG, np.random.SeedSequence(0)) for gateways in (3, 8)
    )
    large.load_weights(small.weights())
    assert large.act(states(8).numpy(), large.evaluation_stream()).max() < 24
