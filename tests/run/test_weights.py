"""Weights on disk: what comes back is what went in, and what is of no use is refused in one line."""

import numpy as np
import pytest
import torch

from edgediff.config import LearnerConfig, RunConfig, Settings, WorldConfig
from edgediff.errors import ConfigError
from edgediff.learner.agents import AGENTS, build_agent
from edgediff.run import files
from edgediff.run.weights import WEIGHTS, read_weights, restore_agent, write_weights


def settings(agent="d2sac"):
    learner = LearnerConfig(agent=agent, hidden=16, d2sac_denoising_steps=2)
    return Settings(WorldConfig(load=2), learner, RunConfig(seed=3))


def untrained(given):
    return build_agent(given.world.state_dim, given.world.num_actions, given.learner, np.random.SeedSequence(5))


@pytest.fixture
def saved(tmp_path):
    write_weights(tmp_path / "last.pt", settings(), 7, untrained(settings()).weights())
    return tmp_path / "last.pt"


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_comes_back_with_its_settings_and_its_epoch(tmp_path, agent):
    given = settings(agent)
    write_weights(tmp_path / "last.pt", given, 7, untrained(given).weights())
    found, epoch, weights = read_weights(tmp_path / "last.pt")
    assert found == given and epoch == 7
    restored = restore_agent(weights, found).weights()
    for name, tensors in untrained(given).weights().items():
        assert tensors and all(torch.equal(value, restored[name][key]) for key, value in tensors.items())


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"world": {"num_gateways": 8}}, r"other settings.*\(world\)"),
        ({"run": settings().as_dict()["run"] | {"more": 1}}, r"other settings.*\(run\)"),
        ({"learner": settings().as_dict()["learner"] | {"hidden": 10**9}}, "not allowed: hidden: 1000000000 is not"),
    ],
)
def test_foreign_settings_are_refused(saved, change, reason):
    files.write(saved, WEIGHTS, files.read(saved, WEIGHTS) | change)
    with pytest.raises(ConfigError, match=reason):
        read_weights(saved)


@pytest.mark.parametrize("weights", [[], {}, {"actor": {}}, "x"], ids=repr)
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ConfigError, match="the weights are of no use"):
        restore_agent(weights, settings())


def test_weights_of_another_agent_are_refused():
    with pytest.raises(ConfigError, match="the weights are of no use"):
        restore_agent(untrained(settings("dqn")).weights(), settings("d2sac"))


def test_weights_that_are_not_finite_are_refused(saved):
    _, _, weights = read_weights(saved)
    weights["actor"]["first.bias"][0] = float("nan")
    with pytest.raises(ConfigError, match=r"of no use \(weights of actor.first.bias: not finite\)"):
        restore_agent(weights, settings())
