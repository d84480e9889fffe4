"""The planner: its copies are true copies, leave the original alone, and planning pays."""

import copy

import numpy as np
import pytest

from edgediff.config import WorldConfig
from edgediff.world.rollout import rollout, summarise
from edgediff.world.rules import RoundRobin, UniformRandom, most_available, one_step_greedy
from edgediff.world.simulator import Simulator
from experiments.variants.planning import RolloutPlanner

WORLD = WorldConfig(load=2, num_slots=100)


@pytest.fixture
def simulator():
    simulator, policy = Simulator(WORLD, 3), UniformRandom(np.random.default_rng(0))
    simulator.reset(0)
    for _ in range(70):
        simulator.step(policy(simulator.world, simulator.view()))
    return simulator


def test_a_copy_has_the_same_future(simulator):
    copies = simulator.repeat(4)
    policy, again = RoundRobin(1), RoundRobin(1)
    for _ in range(20):
        observation, reward, _, truncated, _ = simulator.step(policy(simulator.world, simulator.view()))
        copied, reward_, _, truncated_, _ = copies.step(again(copies.world, copies.view()))
        assert np.array_equal(np.repeat(observation, 4, axis=0), copied)
        assert np.array_equal(np.repeat(reward, 4), reward_) and np.array_equal(np.repeat(truncated, 4), truncated_)


def test_copies_leave_the_original_alone(simulator):
    untouched = copy.deepcopy(simulator)
    RolloutPlanner(200).returns(simulator)  # far beyond the end of the episode
    for _ in range(150):
        a, b = simulator.step(np.array([3, 7, 20])), untouched.step(np.array([3, 7, 20]))
        assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) and np.array_equal(a[3], b[3])


def test_without_looking_ahead_it_is_the_greedy_rule(simulator):
    planner = RolloutPlanner(0)
    np.testing.assert_allclose(planner.returns(simulator), simulator.outcomes().reward)
    assert np.array_equal(planner.on(simulator)(WORLD, simulator.view()), one_step_greedy(WORLD, simulator.view()))


def test_returns_equal_a_rollout_by_hand(simulator):
    returns = RolloutPlanner(3, gamma=0.5).returns(simulator)
    single = simulator.repeat(1)
    total, action = 0.0, np.array([5, 5, 5])
    for j in range(4):
        _, reward, *_ = single.step(action)
        total = total + 0.5**j * reward
        action = one_step_greedy(WORLD, single.view())
    np.testing.assert_allclose(returns[:, 5], total)


def test_the_better_of_two_policies_goes_on(simulator):
    policies = one_step_greedy, most_available
    planner = RolloutPlanner(20, follow=policies)
    each = [RolloutPlanner(20, follow=(policy,)).returns(simulator) for policy in policies]
    assert (each[1] > each[0]).any() and (each[0] > each[1]).any()
    assert np.array_equal(planner.returns(simulator), np.maximum(*each))


def test_nothing_counts_after_the_end(simulator):
    long, longer = (RolloutPlanner(h, gamma=1.0).returns(simulator) for h in (300, 320))
    assert np.array_equal(long, longer)


@pytest.mark.slow
def test_foresight_pays():
    simulator = Simulator(WorldConfig(load=2, num_slots=80), 4)
    greedy, planned = (
        summarise(rollout(simulator, p))["reward"] for p in (one_step_greedy, RolloutPlanner(10).on(simulator))
    )
    assert planned > greedy + 0.05
