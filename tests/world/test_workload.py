"""Eq. (1) and the background load: their laws, and that they depend on nothing but their seeds."""

from dataclasses import replace

import numpy as np
import pytest

from edgediff.config import WorldConfig
from edgediff.world.laws import mean_data_bits, work_per_bit
from edgediff.world.workload import draw_topology, draw_traffic

WORLD = WorldConfig()


@pytest.fixture(scope="module")
def flows():
    return np.concatenate([draw_traffic(WORLD, 3, 0, episode).flows[:-1] for episode in range(40)])


def within(sample, mean, deviations=5):
    """Is a sample mean within a few standard errors of what it should be?"""
    return abs(sample.mean() - mean) < deviations * sample.std() / np.sqrt(sample.size)


@pytest.mark.eq(1)
def test_marginal_laws_of_a_flow(flows):
    """Eq. (1): b ~ U(1, 20) Mbit/s with mean 10.5, T_req ~ U(0.1, 1) s with mean 0.55, p uniform on 1, 2, 3."""
    assert within(flows["bandwidth_bps"], 10.5e6) and within(flows["deadline_s"], 0.55)
    assert flows["bandwidth_bps"].min() >= 1e6 and flows["bandwidth_bps"].max() <= 20e6
    assert flows["deadline_s"].min() >= 0.1 and flows["deadline_s"].max() <= 1.0
    assert within(flows["priority"], 2.0) and set(flows["priority"]) == {1, 2, 3}
    assert within(flows["kind"], 1.0) and set(flows["kind"]) == {0, 1, 2}
    assert within(flows["workshop"], 499.5)


@pytest.mark.eq(1)
def test_sending_at_the_required_bandwidth_takes_half_the_deadline(flows):
    """Eq. (1): D = 0.5 b T_req, so D / b is half the deadline."""
    np.testing.assert_allclose(flows["data_bits"] / flows["bandwidth_bps"], flows["deadline_s"] / 2)


@pytest.mark.eq(1)
def test_work_follows_size_and_kind(flows):
    """Eq. (1): text, image and scene take 0.5, 1 and 2 TFLOP per Mbit."""
    per_mbit = flows["work_tflop"] / (flows["data_bits"] / 1e6)
    np.testing.assert_allclose(per_mbit, np.array([0.5, 1.0, 2.0])[flows["kind"]])


def test_means_in_closed_form(flows):
    assert mean_data_bits(WORLD) == pytest.approx(0.5 * 10.5e6 * 0.55)  # independent factors
    assert within(flows["data_bits"], mean_data_bits(WORLD))
    assert within(flows["work_tflop"], mean_data_bits(WORLD) * work_per_bit(WORLD).mean())


@pytest.mark.eq(1)
@pytest.mark.parametrize("load", [0.05, 1.0, 8.0])
def test_arrivals_are_binomial(load):
    """T * W cells, each with probability 1 - exp(-lambda * load)."""
    world = replace(WORLD, load=load)
    counts = np.array([draw_traffic(world, 1, 0, k).flows.size - 1 for k in range(200)])
    p = 1 - np.exp(-0.001 * load)
    assert within(counts, 1e6 * p)
    assert 0.7 < counts.var() / (1e6 * p * (1 - p)) < 1.4


@pytest.mark.eq(1)
def test_arrivals_come_in_order_at_most_one_per_workshop_and_slot():
    """Eq. (1): a workshop sends at most one flow per slot."""
    flows = draw_traffic(replace(WORLD, num_workshops=20, arrival_rate=0.2), 0, 0, 0).flows
    cell = flows["slot"] * 20 + flows["workshop"]
    assert (np.diff(cell) > 0).all()
    assert flows["slot"][-2] < WORLD.num_slots == flows["slot"][-1]  # the last one is only seen


def test_background_is_the_two_state_chain():
    stays, shares = [], []
    for episode in range(60):
        u = draw_traffic(WORLD, 5, 0, episode).background
        assert u.shape == (1001, 8) and set(np.unique(u)) <= {0.2, 0.7}
        shares.append((u == 0.7).mean())
        stays.append((np.diff(u, axis=0) != 0).mean())
    assert within(np.array(shares), 0.5)  # stationary from the start
    assert within(np.array(stays), 0.01)  # a mean stay of 100 slots


def test_background_starts_in_its_stationary_law():
    first = np.array([draw_traffic(WORLD, 5, 0, k).background[0] for k in range(200)])
    assert within(first == 0.7, 0.5)


@pytest.mark.eq(1)
def test_traffic_is_a_pure_function_of_seed_environment_and_episode():
    """Eq. (1): the same three numbers draw the same flows, and any other three draw others."""
    one = draw_traffic(WORLD, 3, 1, 2)
    again = draw_traffic(WORLD, 3, 1, 2)
    assert np.array_equal(one.flows, again.flows) and np.array_equal(one.background, again.background)
    for other in ((4, 1, 2), (3, 2, 2), (3, 1, 3), (3, 2, 1)):
        different = draw_traffic(WORLD, *other)
        assert not np.array_equal(one.flows["deadline_s"][:50], different.flows["deadline_s"][:50])
        assert not np.array_equal(one.background, different.background)


def test_topology_has_a_seed_of_its_own():
    even = draw_topology(WORLD)
    np.testing.assert_allclose(even.capacity_bps, np.linspace(50e6, 200e6, 8))
    assert np.array_equal(even.propagation_s, draw_topology(WORLD).propagation_s)
    other = replace(WORLD, topology_seed=1)
    assert not np.array_equal(even.propagation_s, draw_topology(other).propagation_s)
    assert np.array_equal(draw_traffic(WORLD, 3, 0, 0).flows, draw_traffic(other, 3, 0, 0).flows)
    drawn = draw_topology(replace(WORLD, topology="uniform")).capacity_bps
    assert ((50e6 <= drawn) & (drawn <= 200e6)).all() and np.ptp(np.diff(drawn)) > 1e6


def test_propagation_is_distance_over_the_speed_of_light():
    """Two uniform points in a unit square are 0.5214 apart on average; light needs 5 ns for a metre."""
    propagation_s = draw_topology(replace(WORLD, num_gateways=256)).propagation_s
    assert propagation_s.max() <= np.sqrt(2) * 100 * 5e-9
    assert propagation_s.mean() == pytest.approx(0.5214 * 100 * 5e-9, rel=0.05)


def test_a_range_of_loads_is_drawn_log_uniformly_and_again_the_same():
    """On its way from 0.5 to 3 the logarithm of the load is uniform: mean ln(1.5) / 2, deviation ln(6) / sqrt(12)."""
    world = WorldConfig(load_low=0.5, load_high=3.0, num_workshops=10_000, num_slots=100)
    counts = np.array([draw_traffic(world, 3, 1, episode).flows.size - 1 for episode in range(500)])
    logs = np.log(counts / (world.num_slots * world.num_workshops * world.arrival_rate))
    assert np.log(0.45) < logs.min() < np.log(0.53) and np.log(2.85) < logs.max() < np.log(3.3)
    assert logs.mean() == pytest.approx(np.log(1.5) / 2, abs=0.07)
    assert logs.std() == pytest.approx(np.log(6) / 12**0.5, rel=0.08)
    again = draw_traffic(world, 3, 1, 7)
    assert np.array_equal(again.flows, draw_traffic(world, 3, 1, 7).flows) and again.flows.size == counts[7] + 1


SWINGING = WorldConfig(num_workshops=10_000, arrival_rate=0.01, load_swing=0.7, load_stay_slots=50.0)


@pytest.mark.slow
@pytest.mark.eq(1)
def test_a_swinging_load_is_low_or_high_by_a_two_state_chain():
    """A slot has some 30 or 170 flows of 10,000 workshops, so that a threshold of 90 tells which."""
    counts = np.array([np.bincount(draw_traffic(SWINGING, 3, 0, k).flows["slot"][:-1], minlength=1000)
                       for k in range(60)])  # fmt: skip
    high = counts > 90
    assert within(high.mean(axis=1), 0.5) and within(high[:, 0], 0.5)  # stationary from the start
    assert within((high[:, 1:] != high[:, :-1]).mean(axis=1), 1 / 50)
    for these, load in ((counts[high], 1.7), (counts[~high], 0.3)):
        p = 1 - np.exp(-0.01 * load)
        assert within(these, 10_000 * p) and these.var() == pytest.approx(10_000 * p * (1 - p), rel=0.05)


def test_a_load_that_never_moves_is_the_low_or_the_high_one():
    """With a stay of 10^9 slots an episode is at load 2 * 0.4 or 2 * 1.6, and never between."""
    world = WorldConfig(load=2.0, load_swing=0.6, load_stay_slots=1e9)
    counts = np.array([draw_traffic(world, 1, 0, k).flows.size - 1 for k in range(100)])
    assert within(counts > 2000, 0.5)
    assert within(counts[counts < 2000], 800) and within(counts[counts > 2000], 3200)


def test_flows_of_a_swinging_load_are_like_all_others():
    flows = draw_traffic(SWINGING, 3, 0, 0).flows
    cell = flows["slot"] * 10_000 + flows["workshop"]
    assert (np.diff(cell) > 0).all() and flows["slot"][-1] == 1000
    assert within(flows["priority"], 2.0) and within(flows["deadline_s"], 0.55) and within(flows["workshop"], 4999.5)


def test_a_swing_changes_nothing_but_the_arrivals():
    """Its stream is its own: background and load range are drawn as before, and without a swing so is every flow."""
    world = WorldConfig(load_low=0.5, load_high=3.0)
    still, swinging = (draw_traffic(replace(world, load_swing=x, load_stay_slots=7.0), 3, 1, 4) for x in (0.0, 0.7))
    assert np.array_equal(still.flows, draw_traffic(world, 3, 1, 4).flows)
    assert np.array_equal(still.background, swinging.background) and not np.array_equal(still.flows, swinging.flows)


@pytest.mark.parametrize("load", [2.0, 3.0, 100.0])
def test_draw_traffic_keeps_a_drawn_load_within_its_range(load):
    """exp(log(100)) is 100.00000000000004 with most versions of NumPy, which no load may be."""
    ranged, plain = WorldConfig(load_low=load, load_high=load), WorldConfig(load=load)
    assert np.array_equal(draw_traffic(ranged, 3, 1, 7).flows, draw_traffic(plain, 3, 1, 7).flows)
