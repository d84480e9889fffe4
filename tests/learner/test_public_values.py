"""Numbers that the tests of other public code expect, asked of the functions here. Each test names its source."""

import numpy as np
import pytest
import torch

from edgediff.learner.diffusion import reverse_mean
from edgediff.learner.dqn import double_q_value, greedy
from edgediff.learner.losses import entropy, state_value, td_target
from edgediff.learner.ppo import advantages, clipped_objective
from edgediff.learner.replay import Replay

LOGITS = torch.tensor([[1.0, 1, 1], [2, 0, 0], [-1, -2, -3]])


def close(found, expected, atol=1e-5):
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=atol)


def flags(digits):
    return torch.tensor([digit == "1" for digit in digits])


def columns(*arrays):
    return [array[:, None] for array in arrays]


def ring(rows, states, reward, terminated, truncated):
    """Return a buffer of one environment after all steps of an array; `states` has state and next state of each."""
    memory = Replay(rows, 1, 1, 1)
    for t, (state, following) in enumerate(states):
        values = [state], reward[t], [following], terminated[t], truncated[t]
        state, r, following, end, cut = (np.array([value]) for value in values)
        memory.add(np.float32(state), np.array([0]), np.float32(r), np.float32(following), end, cut)
    return memory


@pytest.mark.parametrize(
    "n, expected",
    [
        (1, [2.6, 3.6, 4.4, 5.3, 6.2, 8, 8, 8.9, 9.8, 12]),
        (2, [3.36, 3.6, 5.53, 6.62, 7.8, 8, 9.89, 10.98, 12.2, 12]),
        (10, [3.36, 3.6, 5.678, 6.78, 7.8, 8, 10.122, 11.22, 12.2, 12]),
    ],
)
def test_n_step_targets_on_a_full_ring_as_tianshou(n, expected):
    """thu-ml/tianshou, test/base/test_returns.py, test_nstep_returns.

    Rewards 1 .. 12 in a ring of 10, every fourth step the last of an episode, the first of these truncated. The value
    of the next state is minus the reward of the next step, at an end minus the last reward.
    """
    end = np.arange(12) % 4 == 3
    cut = end & (np.arange(12) == 3)
    states = [(t + 1, t + 1 if end[t] else t + 2) for t in range(12)]
    memory = ring(10, states, np.arange(1, 13), end & ~cut, cut)
    batch = memory.gather(torch.arange(10), torch.zeros(10, dtype=torch.long), n, 0.1)
    close(td_target(batch.n_step_return, batch.discount, -batch.next_state[:, 0]), expected)


@pytest.mark.parametrize(
    "reward, done, truncated, expected",
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], "10010101", "00000100", [0, 1.23, 2.3, 3, 4.5, 5, 6.7, 7]),
        ([7, 6, 1, 2, 3, 4, 5], "0101010", "0000000", [7.6, 6, 1.2, 2, 3.4, 4, 5]),
        ([7, 6, 1, 2, 3, 4, 5], "0101001", "0000000", [7.6, 6, 1.2, 2, 3.45, 4.5, 5]),
    ],
)
def test_episodic_returns_as_tianshou(reward, done, truncated, expected):
    """thu-ml/tianshou, test/base/test_returns.py, test_episodic_returns: gamma 0.1, lambda 1, no values."""
    reward, ended = torch.tensor(reward, dtype=torch.float32), flags(done)
    zero = torch.zeros_like(reward)
    found = advantages(*columns(reward, zero, zero, ended & ~flags(truncated), ended), 0.1, 1.0)
    close(found[:, 0], expected)


@pytest.mark.parametrize(
    "truncated, expected",
    [
        ("000000000000", [454.8344, 376.1143, 291.298, 200, 464.5610, 383.1085, 295.387, 201]),
        ("000100010000", [454.0109, 375.2386, 290.3669, 199.01, 462.9138, 381.3571, 293.5248, 199.02]),
    ],
)
def test_generalised_advantages_with_truncation_as_tianshou(truncated, expected):
    """thu-ml/tianshou, test/base/test_returns.py, test_episodic_returns: gamma 0.99, lambda 0.95, A + V."""
    reward = torch.tensor([101.0, 102, 103, 200, 104, 105, 106, 201, 107, 108, 109, 202])
    following = torch.tensor([2.0, 3, 4, -1, 5, 6, 7, -2, 8, 9, 10, -3])
    ended, value = flags("000100010001"), following.roll(1)
    found = advantages(*columns(reward, value, following, ended & ~flags(truncated), ended), 0.99, 0.95)
    close(found[:, 0] + value, [*expected, 474.2876, 390.1027, 299.476, 202], atol=1e-3)


@pytest.mark.parametrize(
    "lam, first, second",
    [
        (1.0, [-1.45118, -4.4557, 2.5396, 0.5249, -0.49], [3.0, 2, 1, 0, -4.9]),
        (0.7, [-0.676979, -5.248167, 2.4846, 0.6704, -0.49], [2.2899, 1.73, 1, 0, -4.9]),
        (0.4, [0.56731, -6.042, 2.3431, 0.815, -0.49], [1.725, 1.46, 1, 0, -4.9]),
    ],
)
def test_generalised_advantages_as_rlax(lam, first, second):
    """google-deepmind/rlax, multistep_test.py, TruncatedGeneralizedAdvantageEstimationTest, given to 1e-3.

    Discount 0.99 in the first sequence; 0.9 in the second one, which ends at its fourth step.
    """
    value = torch.tensor([[1.0, 4, -3, -2, -1, -1], [-3, -2, -1, 0, 5, -1]])
    for row, gamma, reward, ends, expected in (
        (0, 0.99, [0.0, 0, 1, 0, -0.5], "00000", first),
        (1, 0.9, [0.0, 0, 0, 0, 1], "00010", second),
    ):
        now, following = value[row, :-1], value[row, 1:]
        found = advantages(*columns(torch.tensor(reward), now, following, flags(ends), flags(ends)), gamma, lam)
        close(found[:, 0], expected, atol=1e-3)


@pytest.mark.parametrize(
    "n, terminated_at, truncated_at, start, expected, goes_on",
    [
        (3, 1, -1, 0, 1.99, False),
        (5, 1, -1, 0, 1.99, False),
        (3, 2, -1, 0, 2.9701, False),
        (5, 2, -1, 0, 2.9701, False),
        (3, -1, 1, 0, 1.99, True),
        (3, -1, 2, 0, 2.9701, True),
        (1, -1, -1, 3, 1.0, True),
        (3, -1, -1, 3, 2.9701, True),
        (5, -1, -1, 3, 4.90099501, True),
    ],
)
def test_n_step_replay_as_stable_baselines3(n, terminated_at, truncated_at, start, expected, goes_on):
    """DLR-RM/stable-baselines3, tests/test_n_step_replay.py: reward 1, gamma 0.99, one end in ten steps at most."""
    t = np.arange(10)
    memory = ring(10, [(k, k + 1) for k in t], np.ones(10), t == terminated_at, t == truncated_at)
    batch = memory.gather(torch.tensor([start]), torch.tensor([0]), n, 0.99)
    close(batch.n_step_return, [expected])
    assert (batch.discount.item() > 0) == goes_on


def test_temporal_differences_as_rlax():
    """google-deepmind/rlax, value_learning_test.py, TDLearningTest."""
    discount, value = torch.tensor([0, 0.5, 1]).repeat(3), torch.tensor([0.0, 1, 2]).repeat_interleave(3)
    close(td_target(-torch.ones(9), discount, value) - 1, [-2.0, -2, -2, -2, -1.5, -1, -2, -1, 0])


def test_expected_values_as_rlax():
    """google-deepmind/rlax, value_learning_test.py, ExpectedSarsaTest: Q(s, a) is 1 in both rows."""
    pi, q = torch.tensor([[0.2, 0.5, 0.3], [0.3, 0.4, 0.3]]), torch.tensor([[1.5, 1, 2], [3, 2, 1]])
    close(td_target(torch.tensor([4.0, 1]), torch.ones(2), state_value(pi, q)) - 1, [4.4, 2.0])


def test_largest_values_as_rlax():
    """google-deepmind/rlax, value_learning_test.py, QLearningTest (Q(s, a) is 1, 2) and QVMaxTest (V is 1)."""
    q = torch.tensor([[0.0, 1, 0], [1, 2, 0]])
    found = td_target(torch.ones(2), torch.tensor([0.0, 1]), double_q_value(q, q)) - torch.tensor([1.0, 2])
    close(found, [0.0, 1.0])
    q = torch.tensor([[0.0, -1], [-2, 0], [0, -3], [1, 0], [1, 1], [0, 1], [1, 2], [2, -2], [2, 2]])
    found = td_target(-torch.ones(9), torch.tensor([0, 0.5, 1]).repeat(3), state_value(greedy(q), q)) - 1
    close(found, [-2.0, -2, -2, -2, -1.5, -1, -2, -1, 0])


def test_double_q_as_rlax():
    """google-deepmind/rlax, value_learning_test.py, DoubleQLearningTest: Q(s, a) is 1, 2."""
    values, selects = torch.tensor([[99.0, 1, 98], [91, 2, 66]]), torch.tensor([[2.0, 10, 1], [11, 20, 1]])
    target = td_target(torch.ones(2), torch.tensor([0.0, 1]), double_q_value(selects, values))
    close(target - torch.tensor([1.0, 2]), [0.0, 1.0])


@pytest.mark.parametrize("shift, expected", [(0.0, 0.288693), (1.0, 1.15422)])
def test_entropy_as_rlax(shift, expected):
    """google-deepmind/rlax, policy_gradients_test.py, EntropyLossTest: minus the mean of weighted entropies."""
    weights = torch.tensor([-2.0, 2, 0]) - shift
    close(-(weights * entropy(torch.log_softmax(LOGITS + shift, dim=1))).mean(), expected)


@pytest.mark.parametrize("sign, expected", [(1.0, -0.17117467), (-1.0, 0.19333333)])
def test_clipped_objective_as_rlax(sign, expected):
    """google-deepmind/rlax, policy_gradients_test.py, ClippedSurrogatePGLossTest: a loss, clip 0.2, actions 0, 1, 2."""
    old = torch.tensor([[1.0, 1, 1], [2, 0, 0], [-3, -2, -1]])
    taken, before = (torch.log_softmax(logits, dim=1).diagonal() for logits in (LOGITS, old))
    close(-clipped_objective(taken, before, sign * torch.tensor([0.3, 0.2, 0.1]), 0.2), expected)


@pytest.mark.parametrize("t, expected", [(0, 0.0), (487, 0.00979), (999, 0.02)])
def test_posterior_variance_as_diffusers(t, expected):
    """huggingface/diffusers, tests/schedulers/test_scheduler_ddpm.py, test_variance: linear betas, given to 1e-5.

    For Gaussians, the slope of the posterior mean in a_i is sqrt(alpha_i) / beta_i times the posterior variance; at
    a_0 = 0 the noise in a_i = 1 is 1 / sqrt(1 - alpha_bar_i).
    """
    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    alpha_bar, one = (1 - beta).cumprod(0)[t].item(), torch.ones((), dtype=torch.float64)
    slope = reverse_mean(one, one / (1 - alpha_bar) ** 0.5, 1 - beta[t].item(), alpha_bar)
    assert (slope * beta[t] / (1 - beta[t]) ** 0.5).item() == pytest.approx(expected, abs=1e-5)
