"""What `latency` times: random transitions that fill a batch, for every agent."""

import numpy as np
import pytest

from edgediff.config import LearnerConfig
from edgediff.learner.agents import AGENTS, build_agent
from experiments.timing.latency import fill


@pytest.mark.parametrize("name", AGENTS)
def test_fill_stores_a_thousand_transitions_that_follow_each_other(name):
    config = LearnerConfig(agent=name, hidden=8, buffer_size=10_000)
    agent = build_agent(4, 8, config, np.random.SeedSequence(0))
    memory = agent.memory()
    fill(memory, np.random.default_rng(0), config.num_envs, agent)
    assert len(memory) == 1000
    assert (memory.next_state[:9] == memory.state[1:10]).all()
