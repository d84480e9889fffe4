"""The regret of an action against the best immediate reward."""

import numpy as np

from edgediff.config import WorldConfig
from edgediff.world.rules import one_step_greedy
from edgediff.world.simulator import Simulator
from experiments.analysis import regret


def test_regret_by_hand():
    """Two flows, three actions. Action 1 loses 0.5 and violates one more; action 2, the best, loses nothing."""
    simulator = Simulator(WorldConfig(num_gateways=1, num_slots=20), 2)
    simulator.reset(0)
    of_actions = simulator.outcomes()._replace(
        reward=np.array([[0.3, -0.2, 0.1], [-3.0, -2.5, 0.2]]),
        violations=np.array([[0, 1, 0], [2, 3, 0]]),
        dropped=np.array([[False, False, False], [True, True, False]]),
    )
    found = regret.regret(of_actions, np.array([1, 2]))
    assert np.allclose(found["regret"], [0.5, 0.0])
    assert found["more constraints violated"].tolist() == [True, False]
    found = regret.regret(of_actions, np.array([2, 1]))
    assert np.allclose(found["regret"], [0.2, 2.7])
    assert found["more constraints violated"].tolist() == found["dropped"].tolist() == [False, True]


def test_greedy_has_none():
    simulator = Simulator(WorldConfig(num_slots=50), 4)
    simulator.reset(1)
    for _ in range(20):
        action = one_step_greedy(simulator.world, simulator.view())
        found = regret.regret(simulator.outcomes(), action)
        assert not found["regret"].any() and not found["more constraints violated"].any()
        simulator.step(action)
