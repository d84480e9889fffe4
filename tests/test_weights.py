"""Weights on disk: what comes back is what went in, and everything else is refused in one line."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from edgediff import storage
from edgediff.agent import D2SAC
from edgediff.config import LearnerConfig, WorldConfig
from edgediff.errors import ConfigError, NonFiniteError
from edgediff.weights import WEIGHTS, load_weights, restore, save_weights

WORLD, CONFIG = WorldConfig(load=2), LearnerConfig(hidden=16, denoising_steps=2)


def agent(seed=0):
    return D2SAC(WORLD.state_dim, WORLD.num_actions, CONFIG, np.random.SeedSequence(seed))


@pytest.fixture
def saved(tmp_path):
    save_weights(tmp_path / "last.pt", agent(), WORLD, 7)
    return tmp_path / "last.pt"


def test_round_trip(saved):
    content = load_weights(saved)
    assert content["world"] == WORLD and content["learner"] == CONFIG and content["epoch"] == 7
    restored = restore(content, WORLD, CONFIG, np.random.SeedSequence(3))
    for name, tensors in agent().weights().items():
        assert all(torch.equal(value, restored.weights()[name][key]) for key, value in tensors.items())


@pytest.mark.parametrize(
    "change, reason",
    [
        (dict(epoch="soon"), "epoch soon"),
        (dict(world={"num_gateways": 8}), r"other settings.*\(world\)"),
        (dict(learner=[1, 2]), r"other settings.*\(learner\)"),
        (dict(learner=asdict(LearnerConfig()) | {"hidden": 10**9}), "not allowed: hidden: 1000000000 is not"),
    ],
)
def test_foreign_settings(saved, change, reason):
    storage.write(saved, WEIGHTS, storage.read(saved, WEIGHTS) | change)
    with pytest.raises(ConfigError, match=reason):
        load_weights(saved)


@pytest.mark.parametrize("weights", [[], {}, {"actor": {}}, "x"])
def test_weights_that_do_not_fit(saved, weights):
    content = load_weights(saved) | {"weights": weights}
    with pytest.raises(ConfigError, match="do not fit"):
        restore(content, WORLD, CONFIG, np.random.SeedSequence(0))


def test_another_world_is_refused(saved):
    with pytest.raises(ConfigError, match="num_gateways: 4 is not 8"):
        restore(load_weights(saved), WorldConfig(num_gateways=4), CONFIG, np.random.SeedSequence(0))


def test_bad_weights_never_replace_good_ones(saved):
    before, bad = saved.read_bytes(), agent()
    with torch.no_grad():
        bad.actor.first.weight[0, 0] = float("nan")
    with pytest.raises(NonFiniteError, match=r"actor\.first\.weight"):
        save_weights(saved, bad, WORLD, 8)
    assert saved.read_bytes() == before
