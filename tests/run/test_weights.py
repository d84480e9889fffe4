"""Weights on disk: what comes back is what went in, and what is of no use is refused in one line."""

import copy
import os
from dataclasses import replace

import pytest
import torch

from edgediff.config import LearnerConfig, RunConfig, Settings, WorldConfig
from edgediff.errors import ConfigError
from edgediff.learner.agents import AGENTS
from edgediff.run import files
from edgediff.run.weights import WEIGHTS, new_agent, read_weights, restore_agent, write_weights


def settings(agent="d2sac"):
    learner = LearnerConfig(agent=agent, hidden=16, d2sac_denoising_steps=2)
    return Settings(WorldConfig(load=2), learner, RunConfig(seed=3))


def untrained(given):
    return new_agent(given, 5)


@pytest.fixture
def saved(tmp_path):
    write_weights(tmp_path / "last.pt", settings(), "id", 7, untrained(settings()).weights())
    return tmp_path / "last.pt"


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_comes_back_with_its_settings_and_its_epoch(tmp_path, agent):
    given = settings(agent)
    write_weights(tmp_path / "last.pt", given, "id", 7, untrained(given).weights())
    found, epoch, weights = read_weights(tmp_path / "last.pt")
    assert found == given and epoch == 7
    restored = restore_agent(weights, found).weights()
    for name, tensors in untrained(given).weights().items():
        assert tensors and all(torch.equal(value, restored[name][key]) for key, value in tensors.items())


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"world": [("num_gateways", 8)]}, r"holds no settings \(world\)"),
        ({"run": settings().as_dict()["run"] | {"more": 1}}, r"a setting that this program does not have \(more\)$"),
        ({"learner": settings().as_dict()["learner"] | {"hidden": 10**9}}, "not allowed: hidden: 1000000000 is not"),
    ],
)
def test_foreign_settings_are_refused(saved, change, reason):
    files.write(saved, WEIGHTS, files.read(saved, WEIGHTS) | change)
    with pytest.raises(ConfigError, match=reason):
        read_weights(saved)


def test_a_file_that_is_older_than_a_setting_is_read_with_its_default(saved):
    content = files.read(saved, WEIGHTS)
    del content["learner"]["critic"], content["run"]["threads"]
    files.write(saved, WEIGHTS, content)
    assert read_weights(saved)[0] == settings()


def test_a_network_that_was_called_priced_is_shared_with_priced_critics(tmp_path):
    given = settings()._replace(learner=replace(settings().learner, network="shared", critic="priced"))
    write_weights(tmp_path / "last.pt", given, "id", 7, new_agent(given, 5).weights())
    content = files.read(tmp_path / "last.pt", WEIGHTS)
    content["learner"]["network"] = "priced"
    del content["learner"]["critic"]
    files.write(tmp_path / "last.pt", WEIGHTS, content)
    found, _, weights = read_weights(tmp_path / "last.pt")
    assert found == given
    assert "scaled_prices" in {key[3:] for key in restore_agent(weights, found).weights()["critics"]}


@pytest.mark.parametrize("weights", [[], {}, {"actor": {}}, "x"], ids=repr)
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ConfigError, match="the weights are unusable"):
        restore_agent(weights, settings())


def test_weights_of_another_agent_are_refused():
    with pytest.raises(ConfigError, match="the weights are unusable"):
        restore_agent(untrained(settings("dqn")).weights(), settings("d2sac"))


def test_weights_that_are_not_finite_are_refused(saved):
    _, _, weights = read_weights(saved)
    weights["actor"]["first.bias"][0] = float("nan")
    with pytest.raises(ConfigError, match="unusable: weights of actor.first.bias: not finite"):
        restore_agent(weights, settings())


def test_weights_copied_into_the_folder_of_another_run_are_refused(saved):
    saved.with_name("lock").write_text("id")
    assert read_weights(saved)[1] == 7
    saved.with_name("lock").write_text("other")
    with pytest.raises(ConfigError, match="last.pt is of another run than the folder; move it away$"):
        read_weights(saved)


@pytest.mark.slow
def test_changed_content_under_a_right_digest_is_an_agent_or_one_line(saved):
    """Every part of the file in turn is replaced by something else; 15 of 500 such files once ended in a traceback."""
    content, rubbish, refused = files.read(saved, WEIGHTS), (None, 7, "x", [], {}, torch.zeros(2)), 0

    def places(part, path=()):
        yield path
        if isinstance(part, dict):
            for key in list(part):
                yield from places(part[key], (*path, key))

    for path in [place for place in places(content) if place]:
        for value in rubbish[1:]:
            changed = copy.deepcopy(content)
            part = changed
            for key in path[:-1]:
                part = part[key]
            part[path[-1]] = value
            files.write(saved, WEIGHTS, changed)
            try:
                given, _, weights = read_weights(saved)
                restore_agent(weights, given)
            except ConfigError as error:
                refused += "\n" not in str(error)
            else:
                defaults = value == {} and len(path) == 1  # all settings of a part may be newer than the file
                assert path[0] in ("epoch", "identity") or type(value) in (int, str) or defaults, (path, value)
    assert refused > 300


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_lock_that_is_a_pipe_is_not_waited_for(saved):
    os.mkfifo(saved.with_name("lock"))
    assert read_weights(saved)
