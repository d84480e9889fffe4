"""Every field refuses what it cannot use, in one line that names it."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from edgediff.config import CONFIGS, PRESETS, LearnerConfig, RunConfig, Settings, WorldConfig, preset_settings
from edgediff.errors import ConfigError
from edgediff.learner.agents import AGENTS
from edgediff.run import start
from edgediff.run.report import budget
from edgediff.run.start import check_memory
from edgediff.world.log import RequestLog


def refused(config_class, **given):
    with pytest.raises(ConfigError) as error:
        config_class(**given)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_table_1():
    c = LearnerConfig()
    assert (c.gamma, c.entropy_temperature, c.tau, c.batch_size, c.buffer_size) == (0.95, 0.05, 0.005, 512, 10**6)
    assert (c.d2sac_denoising_steps, c.hidden) == (10, 256)
    assert (c.epochs, c.updates_per_epoch, c.collect_per_epoch) == (1000, 100, 1000)
    assert (c.actor_lr, c.critic_lr, c.n_step, c.weight_decay) == (1e-4, 1e-4, 3, 1e-4)


def test_section_5_1():
    w = WorldConfig()
    assert (w.num_gateways, w.capacity_low_bps, w.capacity_high_bps) == (8, 50e6, 200e6)
    assert (w.arrival_rate, w.num_workshops, w.num_slots, w.slot_s, w.area_m) == (0.001, 1000, 1000, 0.01, 100)
    assert (w.bandwidth_low_bps, w.bandwidth_high_bps, w.deadline_low_s, w.deadline_high_s) == (1e6, 20e6, 0.1, 1.0)
    assert (w.num_actions, w.state_dim) == (24, 21) and w.flows_per_slot == pytest.approx(1.0)


@pytest.mark.parametrize(
    "config_class, given, named",
    [
        (LearnerConfig, dict(gamma=1.01), "gamma: 1.01 is not a number from 0 to 1"),
        (LearnerConfig, dict(hidden=0), "hidden: 0 is not a whole number from 1 to 4096"),
        (LearnerConfig, dict(agent="a2c"), "agent: 'a2c' is not one of d2sac, sac, dqn, ppo"),
        (LearnerConfig, dict(batch_size=600, buffer_size=500), "batch_size: 600 is not at most buffer_size (500)"),
        (LearnerConfig, dict(batch_size=600, epochs=1, collect_per_epoch=500), "batch_size: 600"),
        (LearnerConfig, dict(num_envs=300), "collect_per_epoch: 1000"),
        (LearnerConfig, dict(num_envs=1000, buffer_size=1000, n_step=2), "n_step: 2"),
        (LearnerConfig, dict(d2sac_beta_min=5.0, d2sac_beta_max=1.0), "d2sac_beta_min: 5.0"),
        (LearnerConfig, dict(d2sac_denoising_steps=1, d2sac_beta_max=100.0), "d2sac_beta_max: 100.0"),
        (WorldConfig, dict(deadline_low_s=0.9, deadline_high_s=0.5), "deadline_low_s: 0.9"),
        (WorldConfig, dict(max_delay_s=0.5), "deadline_high_s: 1.0"),
        (WorldConfig, dict(load=1e-4), "load: 0.0001 gives 0.1 flows per episode; allowed are 1 to 1e7"),
        (WorldConfig, dict(load=1e-6, load_low=0.5, load_high=3.0), "load: 1e-06"),
        (WorldConfig, dict(load_low=2e-6, load_high=0.0024), "load_low: 2e-06"),
        (WorldConfig, dict(num_slots=200_000, load_low=0.5, load_high=60.0), "load_high: 60.0"),
        (WorldConfig, dict(load_low=3.0, load_high=1.0), "load_low: 3.0"),
        (WorldConfig, dict(load_low=0.0, load_high=2.0), "load_low: 0.0"),
        (WorldConfig, dict(load_low=0.5, load_high=0.0), "load_low: 0.5"),
        (WorldConfig, dict(trace="x", trace_columns="a,b"), "trace_columns: 'a,b'"),
        (WorldConfig, dict(trace="x", trace_columns="a, ,c"), "trace_columns: 'a, ,c'"),
        (WorldConfig, dict(trace="x", trace_columns="a,b, a"), "trace_columns: 'a,b, a'"),
        (WorldConfig, dict(trace_columns="a,b,c"), "trace_columns: 'a,b,c'"),
        (WorldConfig, dict(trace_from="5"), "trace_from: '5'"),
        (WorldConfig, dict(trace_to="5"), "trace_to: '5'"),
        (WorldConfig, dict(slot_s=1e-7), "slot_s: 1e-07"),
        (WorldConfig, dict(trace="log.csv", load_swing=0.5), "load_swing: 0.5"),
        (RunConfig, dict(device="tpu"), "device: 'tpu' is not one of cpu, cuda, cuda:N"),
    ],
)
def test_a_bad_setting_is_named_with_its_value(config_class, given, named):
    """One sentence of each kind is held in full."""
    assert refused(config_class, **given).startswith(named)


@pytest.mark.parametrize("agent", ["d2sac", "sac", "dqn", "ppo"])
@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_for_every_agent(name, agent):
    settings = preset_settings(name, {"learner": {"agent": agent}})
    weights = (0.5, 1.0, 2.0) if name == "deploy" else (1.0, 1.0, 1.0)
    weighed = {f"priority{p}_weight": weight for p, weight in zip((1, 2, 3), weights, strict=True)}
    assert settings.learner.agent == agent and settings.world.at_load(1.0) == WorldConfig(**weighed)


def test_quick_is_table_1_with_fewer_epochs_and_nothing_else_changed():
    quick = preset_settings("quick", {})
    assert quick.learner.epochs * quick.learner.updates_per_epoch == 10_000
    assert replace(quick.learner, epochs=1000) == LearnerConfig() and quick.world == WorldConfig()
    assert quick.run.eval_every * quick.learner.updates_per_epoch == 500


def test_a_preset_is_the_printed_settings_but_for_what_it_names():
    assert preset_settings("paper", {}) == Settings(WorldConfig(), LearnerConfig(), RunConfig())
    settings, named = preset_settings("quick", {}), dict(PRESETS["quick"])
    assert settings.run == RunConfig(eval_every=named.pop("eval_every"))
    assert settings.learner == LearnerConfig(**named)


def test_what_is_given_counts_more_than_the_preset():
    given = {"world": dict(load=2.0), "learner": dict(agent="sac", actor_lr=0.5), "run": dict(seed=3, eval_every=7)}
    settings = preset_settings("quick", given)
    assert (settings.world.load, settings.run.seed, settings.run.eval_every) == (2.0, 3, 7)
    assert (settings.learner.actor_lr, settings.learner.critic_lr) == (0.5, 1e-4)


def test_one_load_can_be_taken_out_of_a_range():
    world = WorldConfig(load_low=0.5, load_high=3.0).at_load(2.0)
    assert world == WorldConfig(load=2.0)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ConfigError, match=r"\Apreset: 'slow' is not one of paper, quick, deploy\Z"):
        preset_settings("slow", {})


def test_no_name_stands_for_two_settings():
    """So that a flag, and a line of a preset, belongs to one of the three."""
    names = [f.name for config_class in CONFIGS.values() for f in fields(config_class)]
    assert len(names) == len(set(names))
    assert all(name in names for preset in PRESETS.values() for name in preset)


def test_settings_are_plain_dictionaries_and_back():
    settings = preset_settings("quick", {"world": dict(load=2.0)})
    stored = json.loads(json.dumps(settings.as_dict()))
    assert list(stored) == ["world", "learner", "run"]
    assert Settings(*(config_class(**stored[name]) for name, config_class in CONFIGS.items())) == settings


@pytest.fixture
def sixteen_gigabytes(monkeypatch):
    monkeypatch.setattr("os.sysconf", {"SC_PHYS_PAGES": 3_906_250, "SC_PAGE_SIZE": 4096}.__getitem__)


LONG = dict(num_slots=100_000)  # 4.9 GB in all, which is allowed


@pytest.mark.parametrize(
    "world, learner, run, flows_per_episode",
    [
        (dict(num_gateways=256), dict(buffer_size=10_000_000), {}, 0),
        (LONG, dict(num_envs=10_000, collect_per_epoch=10_000), {}, 0),
        (LONG, {}, dict(eval_episodes=10_000), 0),
        (LONG, {}, dict(final_episodes=10_000), 0),
        (LONG | dict(load=90.0), {}, {}, 0),
        ({}, {}, {}, 1e8),  # a request log with a very large burst
    ],
)
def test_settings_beyond_the_memory_are_refused(sixteen_gigabytes, monkeypatch, world, learner, run, flows_per_episode):
    for allowed in ({}, LONG):
        check_memory(Settings(WorldConfig(**allowed), LearnerConfig(), RunConfig()))
    settings = Settings(WorldConfig(**world), LearnerConfig(**learner), RunConfig(**run))
    monkeypatch.setattr(start, "largest_episode", lambda *_: flows_per_episode)
    with pytest.raises(ConfigError) as error:
        check_memory(settings, RequestLog(np.arange(2.0), np.ones(2), np.ones(2)) if flows_per_episode else None)
    message = str(error.value)
    assert message.startswith("buffer_size, num_envs, final_episodes, num_slots, load: ")
    assert message.endswith(" GB in all is not below 80 % of the memory here, 16.0 GB")


def test_a_request_log_beyond_the_memory_is_refused(sixteen_gigabytes, monkeypatch):
    """Its three columns, and what is made of them at the start, are 48 bytes a request."""
    settings = Settings(WorldConfig(), LearnerConfig(), RunConfig())
    monkeypatch.setattr(start, "largest_episode", lambda *_: 1)
    column = np.broadcast_to(0.0, 270_000_000)
    with pytest.raises(ConfigError, match=" GB in all is not below 80 % of the memory here"):
        check_memory(settings, RequestLog(column, column, column))
    check_memory(settings, RequestLog(column[:200_000_000], column, column))


def test_an_agent_that_learns_from_a_rollout_needs_no_buffer_and_has_a_budget_of_its_own(
    sixteen_gigabytes, monkeypatch
):
    """10 million transitions of 256 gateways are 41 GB; a rollout of a thousand is 4 MB. Its name does not matter."""
    monkeypatch.setitem(AGENTS, "sac", AGENTS["ppo"])
    learner = LearnerConfig(agent="sac", buffer_size=10_000_000, epochs=5)
    settings = Settings(WorldConfig(num_gateways=256), learner, RunConfig(final_episodes=1))
    check_memory(settings)
    assert " 100 gradient steps of 512 samples" in budget(settings)  # 5 epochs, 10 passes, two batches each
