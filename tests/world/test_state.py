"""What is known beyond Eq. (11): arrivals of late, what actions hold, and the state for shared networks."""

from dataclasses import replace

import numpy as np
import pytest

from edgediff.config import WorldConfig
from edgediff.world.decision import taken
from edgediff.world.rules import GreedyWithPrices, UniformRandom
from edgediff.world.simulator import Simulator
from edgediff.world.state import observe, observe_gateways, state_of
from edgediff.world.workload import PRIOR_SLOTS, RECENT_SLOTS, recent_load

COMMON, OF_GATEWAY = 6, 9  # numbers in the state for shared networks


@pytest.fixture
def simulator():
    simulator = Simulator(WorldConfig(load=2, num_gateways=5, num_slots=300), 4)
    simulator.reset(0)
    policy = UniformRandom(np.random.default_rng(0))
    for _ in range(250):
        simulator.step(policy(simulator.world, simulator.view()))
    return simulator


def test_the_recent_load_counts_the_arrivals_of_the_last_slots(simulator):
    """Counted once more from the arrivals themselves, at every decision of two episodes."""
    policy, late = UniformRandom(np.random.default_rng(0)), []
    for _ in range(700):
        view = simulator.view()
        for e in range(simulator.num_envs):
            slots = simulator.flows["slot"][e, : simulator.cursor[e]]
            now = view.flow["slot"][e]
            recent = ((slots >= now - RECENT_SLOTS) & (slots < now)).sum()
            expected = (recent + PRIOR_SLOTS) / (min(now, RECENT_SLOTS) + PRIOR_SLOTS)
            assert view.load[e] == pytest.approx(expected)
            late += [view.load[e]] if now > 150 else []
        simulator.step(policy(simulator.world, simulator.view()))
    assert np.mean(late) == pytest.approx(2, abs=0.15)


def test_the_recent_load_is_in_units_of_the_usual_arrivals():
    world = WorldConfig(num_workshops=500, arrival_rate=0.004)  # 2 flows a slot
    found = recent_load(world, np.array([0, 0, 200, 600]), np.array([0, 100, 100, 100]))
    assert found == pytest.approx([1, 10 / 110, 110 / 110, 310 / 110])


def test_a_copy_of_the_simulator_knows_the_same_load(simulator):
    assert np.array_equal(simulator.repeat(3).view().load, simulator.view().load.repeat(3))


def test_what_an_action_holds_is_what_it_reserves(simulator):
    """Bandwidth and compute by time, read off the reservations that `step` makes, to a slot."""
    world, result = simulator.world, simulator.outcomes()
    action = np.where(result.dropped.all(1), 0, (~result.dropped).argmax(1))
    amounts = taken(world, simulator.view(), result)
    bits, tflop = 1e6 * amounts.held_mbit, amounts.held_tflop
    before = simulator.reserved_bps.copy(), simulator.reserved_tflops.copy()
    simulator.step(action)
    for e in range(simulator.num_envs):
        if not result.dropped[e, action[e]]:
            for amount, now, was, rate in (
                (bits, simulator.reserved_bps, before[0], result.rate_bps),
                (tflop, simulator.reserved_tflops, before[1], result.compute_tflops),
            ):
                reserved = (now[e] - was[e]).sum() * world.slot_s
                assert amount[e, action[e]] == pytest.approx(reserved, abs=1.01 * world.slot_s * rate[e, action[e]])
                assert amount[e, action[e]] > 0
    assert (bits[result.dropped] == 0).all() and (tflop[result.dropped] == 0).all() and result.dropped.any()


def test_every_number_of_the_state_for_shared_networks(simulator):
    world, view, result = simulator.world, simulator.view(), simulator.outcomes()
    state = observe_gateways(world, view)
    assert state.shape == (4, COMMON + 5 * OF_GATEWAY) and state.dtype == np.float32
    paper, load = observe(world, view) / 2, view.load  # with a gain of 1
    assert state[:, :5] == pytest.approx(paper[:, [0, 1, 2, 3, 14]], abs=1e-6)
    assert state[:, 5] == pytest.approx(2 * np.log(load), abs=1e-6)
    for g in range(5):
        own = state[:, COMMON + g * OF_GATEWAY :][:, :OF_GATEWAY]
        assert own[:, 0] == pytest.approx(paper[:, 4 + g], abs=1e-6)
        assert own[:, 1] == pytest.approx(paper[:, 9 + g], abs=1e-6)
        assert own[:, 2] == pytest.approx(np.log(view.capacity_bps[g] / 100e6), abs=1e-6)
        for level in range(3):
            k = 3 * g + level
            kept = ~result.dropped[:, k]
            used, size = 1 - view.available_bps[:, g] / view.capacity_bps[g], view.flow["data_bits"]
            held = used * result.rate_bps[:, k] * np.where(kept, result.holding_s[:, k], 0)
            queue = size * (view.backlog_bits[:, g] + size / 2) / view.capacity_bps[g] / (0.5 * 0.55)
            crowding = load * np.where(kept, held + queue, 0) / (0.5 * 10.5e6 * 0.55)
            assert own[:, 3 + 2 * level] == pytest.approx(result.reward[:, k], rel=1e-5)
            assert own[:, 4 + 2 * level] == pytest.approx(crowding, rel=1e-5, abs=1e-6)


def test_what_is_priced_has_a_deviation_of_about_1():
    """Under a rule with a price, over loads from 0.5 to 3: what the critics multiply by a price to be learned."""
    simulator = Simulator(WorldConfig(load_low=0.5, load_high=3.0), 16, state_of_view=observe_gateways)
    state, found = simulator.reset(1), []
    for _ in range(400):
        state, *_ = simulator.step(GreedyWithPrices(crowding_mbit=0.38)(simulator.world, simulator.view()))
        found.append(state[:, COMMON:].reshape(-1, OF_GATEWAY)[:, 4::2])
    assert 0.5 < np.std(found) < 2


def test_the_state_does_not_depend_on_the_names_of_the_gateways(simulator):
    order, view = np.array([4, 2, 0, 1, 3]), simulator.view()
    swapped = view._replace(
        backlog_bits=view.backlog_bits[:, order],
        available_bps=view.available_bps[:, order],
        capacity_bps=view.capacity_bps[order],
        propagation_s=view.propagation_s[:, order],
    )
    one, two = observe_gateways(simulator.world, view), observe_gateways(simulator.world, swapped)
    blocks = one[:, COMMON:].reshape(4, 5, -1)[:, order].reshape(4, -1)
    assert two == pytest.approx(np.concatenate([one[:, :COMMON], blocks], axis=1))


def test_the_state_is_finite_also_where_nothing_is_available(simulator):
    view = simulator.view()
    nothing = view._replace(available_bps=0 * view.available_bps, available_tflops=0 * view.available_tflops)
    assert np.isfinite(observe_gateways(simulator.world, nothing)).all()


def test_each_network_has_its_state():
    assert state_of("mlp") is observe and state_of("shared") is observe_gateways
    assert replace(WorldConfig(), num_gateways=64).state_dim == 133
