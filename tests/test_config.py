"""Every field refuses what it cannot use, in one line that names it."""

import math
from dataclasses import fields

import pytest

from edgediff.config import PRESETS, LearnerConfig, WorldConfig, check_memory, preset_fields
from edgediff.errors import ConfigError

NUMBERS = [(c, f) for c in (WorldConfig, LearnerConfig) for f in fields(c) if f.type in (int, float)]
TEXTS = [(c, f) for c in (WorldConfig, LearnerConfig) for f in fields(c) if f.type is str]


def refused(config_class, **given):
    with pytest.raises(ConfigError) as error:
        config_class(**given)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_table_1():
    c = LearnerConfig()
    assert (c.gamma, c.entropy_temperature, c.tau, c.batch_size, c.buffer_size) == (0.95, 0.05, 0.005, 512, 10**6)
    assert (c.denoising_steps, c.hidden, c.epochs, c.updates_per_epoch, c.collect_per_epoch) == (
        10,
        256,
        1000,
        100,
        1000,
    )
    assert (c.actor_lr, c.critic_lr, c.n_step, c.weight_decay) == (1e-4, 1e-4, 3, 1e-4)


def test_section_5_1():
    w = WorldConfig()
    assert (w.num_gateways, w.capacity_low_bps, w.capacity_high_bps) == (8, 50e6, 200e6)
    assert (w.arrival_rate, w.num_workshops, w.num_slots, w.slot_s, w.area_m) == (0.001, 1000, 1000, 0.01, 100)
    assert (w.bandwidth_low_bps, w.bandwidth_high_bps, w.deadline_low_s, w.deadline_high_s) == (1e6, 20e6, 0.1, 1.0)
    assert (w.num_actions, w.state_dim) == (24, 21) and w.flows_per_slot == pytest.approx(1.0)


@pytest.mark.parametrize("config_class, f", NUMBERS, ids=lambda x: getattr(x, "name", ""))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, 1e300, "1", None, True, [1]], ids=repr)
def test_no_number_field_takes_nonsense(config_class, f, value):
    assert refused(config_class, **{f.name: value}).startswith(f"{f.name}: ")


@pytest.mark.parametrize("config_class, f", NUMBERS, ids=lambda x: getattr(x, "name", ""))
def test_every_number_field_is_bounded_and_its_message_names_the_bounds(config_class, f):
    low, high, above = f.metadata["low"], f.metadata["high"], f.metadata["above"]
    below = low - 1 if above is None else above
    for outside in (below, high + max(1, high)):
        message = refused(config_class, **{f.name: f.type(outside)})
        assert message.startswith(f"{f.name}: ")
        assert f"{high}" in message or f"{high:g}" in message
        assert (f"from {low}" if above is None else f"above {above:g}") in message
    if f.type is int:
        assert "a whole number" in refused(config_class, **{f.name: 1.5})


@pytest.mark.parametrize("config_class, f", TEXTS, ids=lambda x: getattr(x, "name", ""))
def test_no_text_field_takes_nonsense(config_class, f):
    for value in [1, None] + (["no such choice"] if f.metadata["choices"] else []):
        assert refused(config_class, **{f.name: value}).startswith(f"{f.name}: ")


@pytest.mark.parametrize(
    "config_class, given, message",
    [
        (LearnerConfig, dict(denoising_steps=0), "denoising_steps: 0 is not a whole number from 1 to 1000"),
        (LearnerConfig, dict(hidden=0), "hidden: 0 is not a whole number from 1 to 4096"),
        (LearnerConfig, dict(n_step=0), "n_step: 0 is not a whole number from 1 to 1000"),
        (LearnerConfig, dict(gamma=1.01), "gamma: 1.01 is not a number from 0 to 1"),
        (WorldConfig, dict(load=-1.0), "load: -1.0 is not a number above 0 and at most 100"),
        (LearnerConfig, dict(activation="relu"), "activation: 'relu' is not one of silu, mish"),
        (LearnerConfig, dict(batch_size=600, buffer_size=500), "batch_size: 600 is not at most buffer_size (500)"),
        (LearnerConfig, dict(batch_size=600, epochs=1, collect_per_epoch=500),
         "batch_size: 600 is not at most epochs * collect_per_epoch (500)"),
        (LearnerConfig, dict(num_envs=300), "collect_per_epoch: 1000 is not a multiple of num_envs (300)"),
        (LearnerConfig, dict(num_envs=1000, buffer_size=1000, n_step=2),
         "n_step: 2 is not at most buffer_size / num_envs (1)"),
        (LearnerConfig, dict(beta_min=5.0, beta_max=1.0), "beta_min: 5.0 is not at most beta_max (1.0)"),
        (WorldConfig, dict(deadline_low_s=0.9, deadline_high_s=0.5),
         "deadline_low_s: 0.9 is not at most deadline_high_s (0.5)"),
        (WorldConfig, dict(max_delay_s=0.5), "deadline_high_s: 1.0 is not at most max_delay_s (0.5)"),
        (WorldConfig, dict(load=1e-4), "load: 0.0001 is not such that an episode has 1 to 1e7 flows (here 0.1)"),
        (WorldConfig, dict(slot_s=1e-7), "slot_s: 1e-07 is not at least max_delay_s / 100000"),
    ],
)  # fmt: skip
def test_messages_in_full(config_class, given, message):
    assert refused(config_class, **given) == message


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid(name):
    LearnerConfig(**PRESETS[name])


def test_quick_is_twenty_thousand_gradient_steps():
    c = LearnerConfig(**PRESETS["quick"])
    assert c.epochs * c.updates_per_epoch == 20_000
    assert (c.batch_size, c.actor_lr, c.critic_lr) == (256, 1e-3, 1e-3)
    assert preset_fields("quick", "sac") == PRESETS["quick"] | {"actor_lr": 3e-4, "entropy_temperature": 0.05}
    assert preset_fields("quick", "d2sac") == PRESETS["quick"]


def test_settings_beyond_the_memory_are_refused_before_anything_is_built():
    check_memory(WorldConfig(), LearnerConfig())
    large_buffer = WorldConfig(num_gateways=256), LearnerConfig(buffer_size=10_000_000)
    many_flows = WorldConfig(num_slots=900_000, load=9.0), LearnerConfig(num_envs=10_000, collect_per_epoch=10_000)
    for world, learner in (large_buffer, many_flows):
        with pytest.raises(ConfigError, match="buffer_size, num_envs, num_slots, load: .* GB in all is not below 80 %"):
            check_memory(world, learner)
