"""One episode per environment, every flow counted once."""

import numpy as np
import pytest

from edgediff.config import RunConfig, WorldConfig
from edgediff.world.rollout import rollout, summarise
from edgediff.world.rules import RoundRobin
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT, draw_traffic

WORLD = WorldConfig(num_slots=150)


@pytest.mark.line(20, 21, 22, 23, 24, 25)
def test_counts_the_flows_of_episode_zero_of_every_environment():
    """Line 23: an evaluation decides every flow of episode 0 of each environment, once."""
    flows = rollout(Simulator(WORLD, 5), RoundRobin(0), HELD_OUT)
    expected = [draw_traffic(WORLD, HELD_OUT, env, 0).flows["priority"][:-1] for env in range(5)]
    assert flows["priority"].size == sum(map(len, expected))
    assert np.array_equal(np.sort(flows["priority"]), np.sort(np.concatenate(expected)))


def test_a_rollout_starts_afresh():
    simulator = Simulator(WORLD, 3)
    one = summarise(rollout(simulator, RoundRobin(0)))
    assert one == summarise(rollout(simulator, RoundRobin(0)))


def test_held_out_traffic_cannot_be_training_traffic():
    """Training seeds end below HELD_OUT."""
    assert RunConfig(seed=HELD_OUT - 1).seed < HELD_OUT
    with pytest.raises(ValueError, match="seed"):
        RunConfig(seed=HELD_OUT)


@pytest.mark.line(20, 21, 22, 23, 24, 25)
def test_summary_by_hand():
    """Line 23: of four flows two are completed, one is dropped; (0.1 + 0.2 + 0.9 + 2) / 4 = 0.8 s, reward -4 / 4."""
    flows = dict(
        completed=np.array([True, True, False, False]),
        delay_s=np.array([0.1, 0.2, 0.9, 2.0]),
        dropped=np.array([False, False, False, True]),
        imbalance=np.array([0.1, 0.2, 0.3, 0.4]),
        reward=np.array([1.0, 0.0, -1.0, -4.0]),
        priority=np.array([1, 2, 2, 1]),
    )
    score = summarise(flows)
    assert (score["completion"], score["dropped"], score["reward"]) == (0.5, 0.25, -1.0)
    assert score["latency_s"] == pytest.approx(0.8) and score["imbalance"] == pytest.approx(0.25)
    assert score["latency_p95_s"] == pytest.approx(0.9 + 0.85 * 1.1)  # position 0.95 * 3 = 2.85
    assert (score["completion_p1"], score["completion_p2"]) == (0.5, 0.5) and np.isnan(score["completion_p3"])
