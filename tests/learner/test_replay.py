"""The ring: what is stored, what is overwritten, and windows at every kind of edge."""

import copy

import numpy as np
import pytest
import torch

from edgediff.errors import NonFiniteError
from edgediff.learner.replay import Replay

E = 2


def fill(replay, count, cut=(), terminated=()):
    """Store steps t = 0, 1, ...: state t, next state t + 1, or t + 0.5 where an episode ended, reward 10 t + env."""
    for t in range(count):
        state, env = np.full((E, 1), t, np.float32), np.arange(E)
        ended, stopped = np.full(E, t in terminated), np.full(E, t in cut)
        following = state + (0.5 if t in terminated or t in cut else 1.0)
        replay.add(state, env, 10.0 * t + env, following, ended, stopped)
    return replay


def window(replay, age, n, gamma=0.5, env=1):
    batch = replay.gather(torch.tensor([age]), torch.tensor([env]), n, gamma)
    return {name: value.flatten()[0].item() for name, value in batch._asdict().items()}


@pytest.mark.eq(15)
def test_a_full_window():
    """t = 2, n = 3, gamma 1/2, env 1: 21 + 31 / 2 + 41 / 4 = 46.75, then gamma^3 = 1/8 from state 5."""
    got = window(fill(Replay(20, E, 1, E), 8), 2, 3)
    assert got == dict(state=2.0, action=1, n_step_return=46.75, discount=0.125, next_state=5.0)


@pytest.mark.eq(15)
def test_one_step():
    """Eq. (15) as printed, n = 1: t = 2 of environment 1 gives r = 21, then gamma = 1/2 from state 3."""
    got = window(fill(Replay(20, E, 1, E), 8), 2, 1)
    assert got == dict(state=2.0, action=1, n_step_return=21.0, discount=0.5, next_state=3.0)


@pytest.mark.eq(15)
def test_truncation_cuts_the_window_and_bootstraps_from_the_true_last_state():
    """Eq. (15): cut at t = 3, R = 21 + 31/2, then gamma^2 = 1/4 times the value of the last state, 3.5."""
    got = window(fill(Replay(20, E, 1, E), 8, cut=[3]), 2, 3)
    assert got["n_step_return"] == 21 + 31 / 2 and got["discount"] == 0.25 and got["next_state"] == 3.5


@pytest.mark.eq(15)
def test_termination_cuts_the_window_and_does_not_bootstrap():
    """Eq. (15): ended at t = 3, R = 21 + 31/2, and (1 - d) = 0: nothing follows."""
    got = window(fill(Replay(20, E, 1, E), 8, terminated=[3]), 2, 3)
    assert got["n_step_return"] == 21 + 31 / 2 and got["discount"] == 0.0


@pytest.mark.eq(15)
def test_termination_behind_the_window_does_not_matter():
    """Eq. (15): rewards of t = 2, 3, 4; an end at t = 5 is later, so gamma^3 = 1/8."""
    assert window(fill(Replay(20, E, 1, E), 8, terminated=[5]), 2, 3)["discount"] == 0.125


@pytest.mark.eq(15)
@pytest.mark.parametrize("count", [8, 10, 13, 27])
def test_no_window_reaches_from_the_newest_row_to_the_oldest(count):
    """A ring of 10 rows after `count` steps: every window is what the steps themselves give."""
    replay = fill(Replay(20, E, 1, E), count, cut=[4, 11, 22])
    oldest = max(0, count - 10)
    assert len(replay) == E * min(count, 10)
    for age in range(min(count, 10)):
        start = oldest + age
        total, steps = 0.0, 0
        for t in range(start, start + 3):
            total += 0.5**steps * (10 * t + 1)
            steps += 1
            if t in (4, 11, 22) or t == count - 1:
                break
        following = t + 0.5 if t in (4, 11, 22) else t + 1
        got = window(replay, age, 3)
        assert got == dict(state=start, action=1, n_step_return=total, discount=0.5**steps, next_state=following)


@pytest.mark.line(5, 6, 7, 8)
def test_the_oldest_row_is_overwritten_first():
    """Line 8: three rows of room, five steps: t = 2, 3, 4 are left."""
    replay = fill(Replay(6, E, 1, E), 5)
    assert sorted(replay.state[:, 0, 0].tolist()) == [2.0, 3.0, 4.0]


@pytest.mark.line(9, 10)
def test_samples_are_uniform_over_all_that_is_stored(generator):
    """Line 10: 20 stored transitions, 20,000 draws: 1,000 each, within five standard deviations."""
    replay = fill(Replay(20, E, 1, E), 14)
    batch = replay.sample(20_000, 1, 0.9, generator)
    key = (batch.state[:, 0] * E + batch.action).long()
    counts = torch.bincount(key)[4 * E :]
    assert counts.numel() == 20 and (counts - 1000).abs().max() < 5 * 1000**0.5


@pytest.mark.line(9, 10)
def test_sampling_repeats_with_its_generator():
    """Line 10: the same generator draws the same batch."""
    replay = fill(Replay(20, E, 1, E), 8)
    one, two = (replay.sample(50, 3, 0.9, torch.Generator().manual_seed(4)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize(
    "change, name",
    [
        (dict(reward=np.array([0.0, np.nan])), "reward"),
        (dict(state=np.array([[np.inf], [0.0]])), "state"),
        (dict(next_state=np.array([[np.nan], [0.0]])), "next_state"),
        (dict(action=np.array([0, -1])), "action"),
        (dict(action=np.array([0, 2])), "action"),
    ],
)
def test_bad_values_are_refused_and_nothing_is_stored(change, name):
    replay = fill(Replay(20, E, 1, E), 3)
    good = dict(state=np.full((E, 1), 3.0), action=np.zeros(E, int), reward=np.zeros(E), next_state=np.zeros((E, 1)))
    with pytest.raises((ValueError, NonFiniteError), match=f"^{name}: "):
        replay.add(**good | change, terminated=np.zeros(E, bool), truncated=np.zeros(E, bool))
    assert len(replay) == 6


def contents(replay):
    """A copy of all that a buffer holds."""
    columns = "state", "action", "reward", "next_state", "terminated", "ended"
    return [getattr(replay, name).tolist() for name in columns] + [replay.next_row, replay.num_rows]


def step(state, terminated=False, truncated=False, next_state=(9.0, 9.0)):
    """One step of both environments."""
    columns = [np.array(values, np.float32)[:, None] for values in (state, next_state)]
    flags = [np.array(np.broadcast_to(flag, E)) for flag in (terminated, truncated)]
    return columns[0], np.zeros(E, int), np.zeros(E), columns[1], *flags


@pytest.mark.parametrize("count", [1, 3, 8, 20])  # one row, before the ring is full, full, turned several times
@pytest.mark.parametrize("state", [(0.0, 0.0), (8.5, 9.0), (9.0, 9.5), (8.0, 8.0)])
def test_a_state_that_does_not_follow_from_the_step_before_is_refused_and_not_stored(count, state):
    replay = fill(Replay(8 * E, E, 1, E), count)
    before = contents(replay)
    wrong = np.array(state) - 9.0 + count  # (9, 9) would follow
    with pytest.raises(ValueError, match=r"\Astate: "):
        replay.add(*step(wrong))
    assert contents(replay) == before
    replay.add(*step((count, count)))  # and what follows is taken as if nothing had been tried
    assert len(replay) == E * min(count + 1, 8)


@pytest.mark.parametrize("flag", ["terminated", "truncated"])
def test_any_state_may_follow_the_end_of_an_episode(flag):
    replay = fill(Replay(8 * E, E, 1, E), 3)
    replay.add(*step((3.0, 3.0), **{flag: True}))
    replay.add(*step((50.0, -7.0)))
    assert replay.state[4].flatten().tolist() == [50.0, -7.0] and len(replay) == 5 * E


def test_the_end_of_one_environment_excuses_no_other():
    replay = fill(Replay(8 * E, E, 1, E), 3)
    replay.add(*step((3.0, 3.0), truncated=[True, False]))
    with pytest.raises(ValueError, match=r"\Astate: "):
        replay.add(*step((50.0, 50.0)))
    replay.add(*step((50.0, 9.0)))
    assert replay.state[4].flatten().tolist() == [50.0, 9.0]


def test_a_restored_buffer_asks_for_the_state_that_follows_too():
    saved = fill(Replay(4 * E, E, 1, E), 6, cut=[3], terminated=[4])
    restored = Replay(4 * E, E, 1, E)
    restored.load_snapshot(copy.deepcopy(saved.snapshot()))
    assert contents(restored) == contents(saved)
    with pytest.raises(ValueError, match=r"\Astate: "):
        restored.add(*step((5.0, 5.0)))
    restored.add(*step((6.0, 6.0)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_buffer_on_the_gpu_holds_what_one_on_the_cpu_holds():
    here, there = (fill(Replay(6 * E, E, 1, E, device), 8, cut=[4]) for device in ("cpu", "cuda"))
    assert contents(here) == contents(there)


def test_add_converts_what_holds_the_same_numbers():
    """float64, lists and tensors; states in float64 once ended in a wrong message at the second step."""
    rng, buffers = np.random.default_rng(0), [Replay(8 * E, E, 1, E) for _ in range(4)]
    state = rng.random((E, 1))
    for k in range(3):
        after, action, reward, flags = rng.random((E, 1)), np.arange(E), rng.random(E), np.arange(E) == k
        given = state, action, reward, after, flags, np.zeros(E, bool)
        single = [part.astype(np.float32) if part.dtype == float else part for part in given]
        for buffer, parts in zip(
            buffers, (single, given, [p.tolist() for p in given], [torch.tensor(p) for p in given]), strict=True
        ):
            buffer.add(*parts)
        state = after
    assert all(contents(buffer) == contents(buffers[0]) for buffer in buffers) and len(buffers[0]) == 3 * E


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(action=np.zeros(E)), "action: float64 is not an array of whole numbers"),
        (dict(action=np.zeros(E, bool)), "action: bool is not an array of whole numbers"),
        (dict(terminated=np.zeros(E)), "terminated: float64 is not an array of truth values"),
        (dict(truncated=[0] * E), "truncated: int64 is not an array of truth values"),
        (dict(reward=["a"] * E), "reward: <U1 is not an array of numbers"),
        (dict(state=np.zeros(1)), r"state: shape \(1,\) is not \(2, 1\)"),
    ],
)
def test_add_refuses_what_it_would_have_to_guess(change, message):
    replay, good = Replay(8 * E, E, 1, E), dict(state=np.zeros((E, 1)), action=np.zeros(E, int), reward=np.zeros(E))
    rest = dict(next_state=np.zeros((E, 1)), terminated=np.zeros(E, bool), truncated=np.zeros(E, bool))
    with pytest.raises(ValueError, match=f"^{message}$"):
        replay.add(**good | rest | change)
    assert len(replay) == 0
