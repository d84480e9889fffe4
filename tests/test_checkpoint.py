"""Weights on disk: what comes back is what went in, and everything else is refused in one line."""

import os
from dataclasses import asdict

import numpy as np
import pytest
import torch

from edgediff.agent import D2SAC
from edgediff.checkpoint import load_weights, restore, save_weights
from edgediff.config import LearnerConfig, WorldConfig
from edgediff.errors import ConfigError, NonFiniteError

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
    assert os.listdir(saved.parent) == ["last.pt"]  # nothing is left beside it


def refused(path):
    with pytest.raises(ConfigError) as error:
        load_weights(path)
    message = str(error.value)
    assert message.startswith("run: ") and "\n" not in message
    return message


def test_missing(tmp_path):
    assert "does not exist" in refused(tmp_path / "none.pt")
    assert refused(tmp_path)  # a folder


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated(saved, share):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * share)])
    assert "not a readable weights file" in refused(saved)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x80\x04N."])
def test_foreign_bytes(tmp_path, content):
    path = tmp_path / "last.pt"
    path.write_bytes(content)
    refused(path)


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_code_in_a_file_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"format": "edgediff weights", "weights": Evil()}, "last.pt")
    refused(tmp_path / "last.pt")
    assert os.listdir(tmp_path) == ["last.pt"]


@pytest.mark.parametrize(
    "change, reason",
    [
        (dict(format="other"), "holds no weights of edgediff"),
        (dict(version=99), "version 99"),
        (dict(version=torch.ones(2)), "version tensor"),
        (dict(epoch=None), "epoch None"),
        (dict(world={"num_gateways": 8}), "other settings"),
        (dict(learner=[1, 2]), "other settings"),
        (dict(learner=asdict(LearnerConfig()) | {"hidden": 10**9}), "hidden"),
    ],
)
def test_foreign_content(saved, change, reason):
    content = torch.load(saved, weights_only=True) | change
    torch.save(content, saved)
    with pytest.raises(ConfigError, match=reason):
        load_weights(saved)
    torch.save([1, 2], saved)
    assert "holds no weights" in refused(saved)


@pytest.mark.parametrize("weights", [None, {}, {"actor": {}}, "x"])
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
