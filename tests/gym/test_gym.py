"""The adapter to Gymnasium: it shows the simulator as it is, and nothing but the simulator."""

import copy
import importlib
import pickle
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from edgediff.config import LearnerConfig, RunConfig, Settings, WorldConfig
from edgediff.errors import ConfigError
from edgediff.world.rules import RoundRobin, UniformRandom, most_available, one_step_greedy
from edgediff.world.simulator import Simulator
from edgediff.world.state import STATE_GAIN, state_scale
from edgediff.world.workload import HELD_OUT, draw_traffic

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.error import ResetNeeded  # noqa: E402
from gymnasium.utils.env_checker import check_env  # noqa: E402
from gymnasium.vector import AutoresetMode, SyncVectorEnv  # noqa: E402
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics  # noqa: E402

from edgediff import gym  # noqa: E402
from edgediff.gym.env import EdgeNetworkEnv, EdgeNetworkVectorEnv  # noqa: E402
from edgediff.gym.picture import frame, scene  # noqa: E402

pytestmark = pytest.mark.slow

SHORT = dict(num_slots=25)  # about 25 flows an episode


def first_flow_is(env, row, seed, number, episode):
    """Whether the present flow of a row is the first of this episode of this environment."""
    flow = draw_traffic(env.simulator.world, seed, number, episode).flows[0]
    return env.simulator.view().flow[row] == flow


@pytest.mark.parametrize("settings", [{}, dict(load=2.0), dict(num_gateways=3, topology="uniform")])
def test_the_checker_of_gymnasium_finds_nothing(settings):
    pytest.importorskip("matplotlib").use("Agg")  # it draws in all modes
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(gym.ID, **settings).unwrapped)


def test_make_vec_takes_the_native_batch_unless_told_otherwise():
    for mode in (None, "vector_entry_point"):
        envs = gymnasium.make_vec(gym.ID, num_envs=3, vectorization_mode=mode, load=2.0)
        assert isinstance(envs, EdgeNetworkVectorEnv) and envs.simulator.world == WorldConfig(load=2.0)
        assert envs.reset(seed=0)[0].shape == (3, 21) and envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert isinstance(gymnasium.make_vec(gym.ID, num_envs=2, vectorization_mode="sync"), SyncVectorEnv)
    assert isinstance(gymnasium.make(f"edgediff.gym:{gym.ID}").unwrapped, EdgeNetworkEnv)


def test_bounds_in_physical_units_by_hand():
    """D = b T / 2 from 1 Mbit/s and 0.1 s to 20 Mbit/s and 1 s; half to two TFLOP per Mbit; 2 s of 80 % of R_max."""
    space = EdgeNetworkEnv().observation_space
    centre, unit = state_scale(WorldConfig())
    low, high = (np.float64(bound) / STATE_GAIN * unit + centre for bound in (space.low, space.high))
    mean_data_bits, capacity_bps = 0.5 * 10.5e6 * 0.55, np.linspace(50e6, 200e6, 8)
    np.testing.assert_allclose(low, [5e4, 0.025, 1, 0.1, *[0] * 16, 0], rtol=1e-5, atol=1e-3)
    queue = 2.0 * 0.8 * capacity_bps / mean_data_bits
    np.testing.assert_allclose(high, [1e7, 20, 3, 1, *queue, *[0.8] * 8, 3000], rtol=1e-5)


@pytest.mark.parametrize("load", [0.1, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("others", [{}, dict(quiet_load=0.6, busy_load=0.0, num_gateways=2, server_tflops=300.0)])
def test_every_observation_lies_in_its_space(load, others):
    envs = EdgeNetworkVectorEnv(4, load=load, num_slots=150, **others)
    single, last = envs.single_observation_space, 3 * envs.simulator.world.num_gateways - 1
    random = UniformRandom(np.random.default_rng(0))
    for rule in (random, one_step_greedy, most_available, lambda *_: np.full(4, last)):
        observation, _ = envs.reset(seed=1)
        for _ in range(200):
            assert observation in envs.observation_space and all(row in single for row in observation)
            observation, _, _, _, info = envs.step(rule(envs.simulator.world, envs.simulator.view()))
            assert all(row in single for row in info.get("final_obs", []) if row is not None)


def test_a_queue_can_reach_its_bound():
    """One flow that is sent at all of R in nearly max_delay_s, and whose processing takes almost no time."""
    settings = dict(num_gateways=1, quiet_load=0.0, busy_load=0.0, capacity_low_bps=2e7, capacity_high_bps=2e7,
                    bandwidth_low_bps=2e7, size_fraction=1.999, deadline_low_s=1.0, compute_fraction=1e-4,
                    num_workshops=1000, num_slots=400, load=8.0, server_tflops=1e12)  # fmt: skip
    env = EdgeNetworkEnv(**settings)
    observation, _ = env.reset(seed=0)
    observation, *_, info = env.step(0)
    while env.simulator.view().flow["slot"][0] == 0 and observation[4] == 0:
        observation, *_, info = env.step(0)
    bound = env.observation_space.high[4]
    assert 0.98 * bound < observation[4] <= bound and not info["completed"]


def test_a_request_log_bounds_no_size(tmp_path):
    log = tmp_path / "log.csv"
    lines = [f"2024-01-01 00:00:{s:02},{tokens},1" for s, tokens in enumerate((1, 5, 90_000, 7))]
    log.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *lines]) + "\n")
    env = EdgeNetworkEnv(trace=str(log), num_slots=100)
    space, (centre, unit) = env.observation_space, state_scale(env.simulator.world)
    assert (space.high[:2] == np.inf).all()
    low = np.float64(space.low) / STATE_GAIN * unit + centre
    np.testing.assert_allclose(low[:2] * [1e-6, 1], 0, atol=1e-6)  # a request may be as small as it likes
    ours = EdgeNetworkEnv(num_slots=100).observation_space  # all else is as without a log
    assert np.array_equal(space.low[2:], ours.low[2:]) and np.array_equal(space.high[2:], ours.high[2:])
    observation, _ = env.reset(seed=0)
    for _ in range(50):
        assert observation in env.observation_space
        observation, _, _, ended, _ = env.step(23)
        observation = env.reset()[0] if ended else observation


def test_a_seed_gives_the_traffic_of_training_with_it():
    from edgediff.train import build

    learner = LearnerConfig(num_envs=4, collect_per_epoch=400, buffer_size=4000)
    training = build(Settings(WorldConfig(), learner, RunConfig(seed=7))).simulator
    envs = EdgeNetworkVectorEnv(4)
    observation, _ = envs.reset(seed=7)
    one, info = gymnasium.make(gym.ID).reset(seed=7)
    assert np.array_equal(observation, training.observation()) and np.array_equal(one, observation[0]) and info == {}
    for action in np.random.default_rng(0).integers(24, size=(50, 4)):
        expected, *_ = training.step(action)
        assert np.array_equal(envs.step(action)[0], expected)


def test_a_reset_without_a_seed_goes_on_to_the_next_episode():
    env = EdgeNetworkEnv(first_env=3, **SHORT)
    env.reset(seed=5)
    assert first_flow_is(env, 0, 5, 3, 0)
    env.step(0)
    env.reset()  # in the middle of an episode: it is given up
    assert first_flow_is(env, 0, 5, 3, 1)
    while not env.step(0)[3]:
        pass
    observation, _ = env.reset()  # at its end: the simulator has gone on already, no episode is left out
    assert first_flow_is(env, 0, 5, 3, 2) and np.array_equal(observation, env.simulator.observation()[0])
    env.reset(seed=5)
    assert first_flow_is(env, 0, 5, 3, 0)


def test_the_first_seed_is_drawn_from_those_of_training():
    seeds = set()
    for _ in range(3):
        env = EdgeNetworkEnv(**SHORT)
        env.reset()
        seeds.add(env.simulator.seed)
    assert len(seeds) == 3 and all(0 <= seed < HELD_OUT for seed in seeds)
    env.reset(seed=HELD_OUT + 1)  # held-out traffic has to be asked for
    assert first_flow_is(env, 0, HELD_OUT + 1, 0, 0)


def test_some_environments_can_be_reset():
    envs = EdgeNetworkVectorEnv(3, **SHORT)
    envs.reset(seed=0)
    before = envs.step(np.zeros(3, int))[0]
    after, _ = envs.reset(options={"reset_mask": np.array([True, False, True])})
    assert np.array_equal(after[1], before[1]) and all(first_flow_is(envs, row, 0, row, 1) for row in (0, 2))
    for options, seed in (({"reset_mask": np.ones(2, bool)}, None), ({"reset_mask": np.ones(3, bool)}, 0)):
        with pytest.raises(ConfigError, match="^reset_mask: "):
            envs.reset(seed=seed, options=options)


def test_an_episode_is_truncated_after_its_last_flow_and_then_needs_a_reset():
    env = EdgeNetworkEnv(**SHORT)
    with pytest.raises(ResetNeeded):
        env.step(0)
    env.reset(seed=2)
    flows = draw_traffic(env.simulator.world, 2, 0, 0).flows
    steps = [env.step(1) for _ in flows[:-1]]
    assert [step[3] for step in steps] == [False] * (flows.size - 2) + [True]
    assert not any(step[2] for step in steps)
    centre, unit = state_scale(env.simulator.world)
    deadline_s = steps[-1][0][3] / STATE_GAIN * unit[3] + centre[3]
    assert deadline_s == pytest.approx(flows["deadline_s"][-1], rel=1e-5)  # the last state, not that of a new episode
    with pytest.raises(ResetNeeded):
        env.step(0)
    with pytest.raises(ResetNeeded):
        EdgeNetworkVectorEnv(2).step(np.zeros(2, int))


def test_a_batch_equals_single_environments_step_by_step():
    """Beside Gymnasium's own vector of single environments in the same mode, through several ends of episodes."""
    size, seed = 4, 11
    batch = EdgeNetworkVectorEnv(size, load=2.0, **SHORT)
    singles = SyncVectorEnv([lambda e=e: EdgeNetworkEnv(first_env=e, load=2.0, **SHORT) for e in range(size)],
                            autoreset_mode=AutoresetMode.SAME_STEP)  # fmt: skip
    assert batch.observation_space == singles.observation_space and batch.action_space == singles.action_space
    np.testing.assert_array_equal(batch.reset(seed=seed)[0], singles.reset(seed=[seed] * size)[0])
    ends = 0
    for action in np.random.default_rng(0).integers(24, size=(250, size)):
        (*ours, info), (*theirs, expected) = batch.step(action), singles.step(action)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        ended = ours[3]
        for name in ("completed", "delay_s", "dropped", "imbalance", "violations", "gateway", "rate_bps", "priority"):
            if not ended.all():
                np.testing.assert_array_equal(info[name][~ended], expected[name][~ended])
        assert ("final_obs" in info) == ("final_obs" in expected) == ended.any()
        if ended.any():
            ends += ended.sum()
            for name in ("_final_obs", "_final_info"):
                np.testing.assert_array_equal(info[name], expected[name])
            assert info["final_info"].keys() == expected["final_info"].keys()
            for name, value in expected["final_info"].items():
                np.testing.assert_array_equal(info["final_info"][name], value)
            for env in range(size):
                np.testing.assert_array_equal(info["final_obs"][env], expected["final_obs"][env])
    assert ends >= 8
    np.testing.assert_array_equal(batch.reset()[0], singles.reset()[0])


def test_the_wrappers_of_gymnasium_understand_the_batch():
    envs = DictInfoToList(RecordEpisodeStatistics(EdgeNetworkVectorEnv(2, **SHORT)))
    envs.reset(seed=0)
    rewards, lengths = np.zeros(2), []
    while not lengths:
        _, reward, _, ended, infos = envs.step(np.array([3, 4]))
        rewards += reward
        lengths = [info["episode"]["l"] for info, over in zip(infos, ended, strict=True) if over]
    env = int(ended.argmax())
    assert lengths[0] == draw_traffic(envs.unwrapped.simulator.world, 0, env, 0).flows.size - 1
    assert infos[env]["episode"]["r"] == pytest.approx(rewards[env])
    assert infos[env]["final_obs"].shape == (21,) and infos[env]["final_info"]["gateway"] == 1
    assert "final_obs" not in infos[1 - env] or ended.all()


def test_info_is_the_outcome_of_the_flow_just_decided():
    env = EdgeNetworkEnv()
    env.reset(seed=0)
    outcome = env.simulator.outcomes()
    _, reward, _, _, info = env.step(17)
    assert reward == outcome.reward[0, 17] and info["gateway"] == 5
    assert all(info[name] == getattr(outcome, name)[0, 17] for name in info if name != "priority")
    assert all(type(value) in (bool, int, float) for value in info.values())


@pytest.mark.parametrize(
    "settings",
    [dict(laod=2.0), dict(load=0), dict(num_gateways=2.5), dict(trace="no such file"), dict(first_env=-1),
     dict(first_env=np.bool_(1)), dict(render_mode="ansi")], ids=str)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*render_mode='ansi'")
def test_a_keyword_that_cannot_be_used_is_named_in_one_line(settings):
    with pytest.raises(ConfigError, match=f"^{[*settings][0]}: .*{[*settings.values()][0]}|is not a setting") as caught:
        gymnasium.make(gym.ID, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("num_envs", [0, -3, 2.0, True, np.float64(2), np.array([2])])
def test_the_size_of_a_batch_is_a_whole_number_from_1(num_envs):
    with pytest.raises(ConfigError, match="^num_envs: .* is not a whole number from 1$"):
        EdgeNetworkVectorEnv(num_envs)


def test_numbers_of_numpy_are_numbers():
    envs = gymnasium.make_vec(gym.ID, num_envs=np.int64(2), first_env=np.uint8(3), load=np.float32(2))
    ours = EdgeNetworkVectorEnv(2, first_env=3, load=2.0)
    assert np.array_equal(envs.reset(seed=np.int64(5))[0], ours.reset(seed=5)[0])
    assert (type(envs.num_envs), type(envs.simulator.world.load)) == (int, float)


def test_without_gymnasium_one_line_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ImportError, match=r'pip install "edgediff\[gym\]"'):
        importlib.reload(gym)


@pytest.mark.parametrize("action", [-1, 24, 1.0, np.array([1, 2]), None])
def test_an_action_outside_of_its_space_is_refused(action):
    env = EdgeNetworkEnv()
    env.reset(seed=0)
    before = env.simulator.observation()
    with pytest.raises(ValueError, match="^action: "):
        env.step(action)
    assert np.array_equal(env.simulator.observation(), before)


def test_a_scene_adds_up_to_the_capacity():
    simulator, rule = Simulator(WorldConfig(load=4.0), 2), RoundRobin(2)
    simulator.reset(0)
    for _ in range(100):
        simulator.step(rule(simulator.world, simulator.view()))
        for env in range(2):
            seen = scene(simulator, env)
            total = seen.background + seen.held + seen.free
            np.testing.assert_allclose(total, np.linspace(50, 200, 8))
            np.testing.assert_allclose(seen.background / total * 10, np.where(seen.background < total / 2, 2, 7))
            np.testing.assert_allclose(seen.queue * 1e6, simulator.backlog_bits[env])
            assert (seen.held >= -1e-9).all() and seen.moment.startswith(
                f"slot {simulator.view().flow['slot'][env]} of "
            )


def test_pictures_are_of_the_moment_and_say_what_became_of_the_last_flow(monkeypatch):
    pytest.importorskip("matplotlib")
    env = EdgeNetworkEnv(render_mode="rgb_array", **SHORT)
    env.reset(seed=0)
    shown = []
    monkeypatch.setattr("edgediff.gym.env.frame", lambda *seen: shown.append(seen) or frame(*seen))
    frames, ended = [env.render()], False
    assert "slot 0 of 25" in shown[0][0].moment and shown[0][1] == "no decision yet"
    while not ended:
        ended = env.step(22)[3]
        frames.append(env.render())
    assert all("gateway 7, level 1" in last_flow for _, last_flow in shown[1:])
    assert not shown[-1][0].moment.startswith("slot 0")  # the end of this episode, not the beginning of the next
    assert all(each.shape == (400, 800, 3) and each.dtype == np.uint8 for each in frames)
    assert (frames[0] != frames[-1]).any()
    env.close()
    envs = EdgeNetworkVectorEnv(2, render_mode="rgb_array")
    envs.reset(seed=0)
    assert [each.shape for each in envs.render()] == [(400, 800, 3)] * 2


def test_render_before_reset_says_that_reset_is_needed():
    for env in (EdgeNetworkEnv(render_mode="rgb_array"), EdgeNetworkVectorEnv(2, render_mode="rgb_array")):
        with pytest.raises(ResetNeeded, match="^render: no episode has begun, call reset first$"):
            env.render()


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_renders_after_the_original_did(duplicate):
    pytest.importorskip("matplotlib")
    env = EdgeNetworkEnv(render_mode="rgb_array", **SHORT)
    env.reset(seed=0)
    env.step(5)
    frame = env.render()
    other = duplicate(env)
    assert np.array_equal(other.render(), frame) and np.array_equal(env.render(), frame)


def test_a_missing_matplotlib_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    env = EdgeNetworkEnv(render_mode="rgb_array")  # a program that asks for pictures and never looks at one can go on
    env.reset(seed=0)
    with pytest.raises(ConfigError, match="^render_mode: needs matplotlib"):
        env.render()


def test_the_first_lines_of_the_readme_run():
    names, text = {}, Path(gym.__file__).with_name("README.md").read_text()
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], names)
    assert names["env"].unwrapped.simulator.world == names["envs"].simulator.world == WorldConfig(load=2.0)
    assert names["envs"].num_envs == 100


@pytest.mark.parametrize("options", [{"mask": np.ones(3, bool)}, [1], {"reset_mask": np.ones(3, bool), "x": 1}])
def test_options_that_would_be_ignored_are_refused(options):
    for env in (EdgeNetworkVectorEnv(3, **SHORT), EdgeNetworkEnv(**SHORT)):
        env.reset(seed=0, options={})
        with pytest.raises(ConfigError, match="^options: "):
            env.reset(options=options)
