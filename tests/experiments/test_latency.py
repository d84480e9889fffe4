"""What `latency` and `benchmark` time: transitions that fill a batch, for every agent, and what they count."""

import numpy as np
import pytest
import torch

from edgediff.config import LearnerConfig, preset_settings
from edgediff.learner.agents import AGENTS, build_agent
from edgediff.run.weights import new_agent
from experiments.timing import benchmark
from experiments.timing.latency import fill


@pytest.mark.parametrize("name", AGENTS)
def test_fill_stores_a_thousand_transitions_that_follow_each_other(name):
    config = LearnerConfig(agent=name, hidden=8, buffer_size=10_000)
    agent = build_agent(4, 8, config, np.random.SeedSequence(0))
    memory = agent.memory()
    fill(memory, np.random.default_rng(0), config.num_envs, agent)
    assert len(memory) == 1000
    assert (memory.next_state[:9] == memory.state[1:10]).all()


@pytest.mark.parametrize("name", AGENTS)
def test_the_benchmark_finds_a_batch_for_every_agent(name):
    """Also where four batches are less than a rollout, and with the networks of `deploy`."""
    learner = dict(agent=name, batch_size=8, hidden=8, num_envs=10, collect_per_epoch=50, buffer_size=1000)
    settings = preset_settings("deploy", {"world": dict(num_slots=30), "learner": learner})
    agent = new_agent(settings)
    batch = next(agent.batches(benchmark.filled_replay(settings, agent), torch.Generator().manual_seed(0)))
    assert len(batch.state) == 8


def test_the_counts_are_those_of_eq_27_or_say_why_not():
    """One gateway: A = 3, S = 7; h = 4, N = 1. Three layers, and two for the embedding of the step, 16 -> 32 -> 16."""
    learner = dict(hidden=4, d2sac_denoising_steps=1)
    counted, shared = (preset_settings(preset, {"world": dict(num_gateways=1), "learner": learner}) for preset in
                       ("quick", "deploy"))  # fmt: skip
    lines = benchmark.counts(new_agent(counted))
    p_d = (3 + 7 + 16 + 1) * 4 + 5 * 4 + 5 * 3 + 17 * 32 + 33 * 16
    assert f"actor {p_d:,}," in lines[0] and f"K P_d = {p_d:,}" in lines[1] and len(lines) == 3
    assert "not for shared" in benchmark.counts(new_agent(shared))[1]
