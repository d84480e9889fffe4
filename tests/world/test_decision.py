"""Eqs. (11), (12) and the chain of Eqs. (2)-(9), (13) for one decision, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from edgediff.config import WorldConfig
from edgediff.world.decision import View, decode_action, outcome
from edgediff.world.rules import RoundRobin, one_step_greedy
from edgediff.world.simulator import Simulator
from edgediff.world.state import STATE_GAIN, observe, state_scale
from edgediff.world.workload import FLOW

WORLD = WorldConfig(num_gateways=2)


def view(backlog=(0.0, 0.0), available=(100e6, 160e6), server=3000.0, **flow):
    record = np.zeros(1, FLOW)
    record["priority"], record["deadline_s"], record["bandwidth_bps"] = 2, 0.4, 10e6
    record["data_bits"], record["work_tflop"] = 2e6, 4.0
    for name, value in flow.items():
        record[name] = value
    each = [np.array([row], float) for row in (backlog, available)]
    return View(record, *each, np.array([125e6, 200e6]), np.array([[1e-7, 3e-7]]), np.array([server]))


def of(result, k=0):
    """The outcome of one environment's k-th action as plain numbers."""
    return {name: value[0, k] for name, value in result._asdict().items()}


@pytest.mark.eq(12)
def test_actions_are_gateway_and_level():
    """Eq. (12): action k is gateway k // 3 and level k % 3, so 10 is gateway 3, level 1."""
    gateway, level = decode_action(np.arange(24))
    assert gateway.tolist() == [g for g in range(8) for _ in range(3)]
    assert level.tolist() == [0, 1, 2] * 8


@pytest.mark.eq(2, 13)
def test_an_idle_gateway_by_hand():
    """Level 1: asked 15 Mbit/s and 1.5 * 4 / (0.25 * 0.4) = 60 TFLOP/s, both granted.

    T_tx = 2 / 15 = 0.13333, T_q = 0, T_proc = 4 / 60 = 0.06667, T_prop = 3e-7. Used just after: 1 - 100 / 125 = 0.2
    and 1 - 145 / 200 = 0.275. H_d = 0.2000003 - 0.4; r = 0.1999997 - 0.5 * 0.075.
    """
    result = of(outcome(WORLD, view(), np.array([[4]])))
    assert result["gateway"] == 1 and result["rate_bps"] == 15e6 and result["compute_tflops"] == pytest.approx(60)
    assert result["holding_s"] == pytest.approx(2 / 15)
    assert result["delay_s"] == pytest.approx(0.2 + 3e-7, abs=1e-12)
    assert result["completed"] and not result["dropped"] and result["violations"] == 0
    assert result["imbalance"] == pytest.approx(0.075)
    assert result["reward"] == pytest.approx(0.2 - 3e-7 - 0.0375, abs=1e-12)


@pytest.mark.eq(12)
@pytest.mark.parametrize("level, eta", [(0, 1.0), (1, 1.5), (2, 2.0)])
def test_the_level_scales_both_resources(level, eta):
    """Eq. (12): 10 Mbit/s and 4 / (0.25 * 0.4) = 40 TFLOP/s, times eta = 1, 1.5, 2; delays fall as 1 / eta."""
    result = of(outcome(WORLD, view(), np.array([[level]])))
    assert result["rate_bps"] == eta * 10e6 and result["compute_tflops"] == pytest.approx(eta * 40)
    assert result["delay_s"] == pytest.approx(0.2 / eta + 0.1 / eta + 1e-7)


@pytest.mark.eq(5)
def test_a_backlog_is_waited_for():
    """10 Mbit before 100 Mbit/s: 0.1 s of waiting, during which the bandwidth is held as well."""
    result = of(outcome(WORLD, view(backlog=(10e6, 0.0)), np.array([[0]])))
    assert result["holding_s"] == pytest.approx(0.1 + 0.2)
    assert result["delay_s"] == pytest.approx(0.1 + 0.2 + 0.1 + 1e-7)


@pytest.mark.eq(4, 7, 10)
def test_a_full_gateway_gives_what_it_has():
    """4 of 10 Mbit/s: 0.5 s for 2 Mbit, late, and two violations: (10a) and (10b)."""
    result = of(outcome(WORLD, view(available=(4e6, 160e6)), np.array([[0]])))
    assert result["rate_bps"] == 4e6 and result["holding_s"] == pytest.approx(0.5)
    assert not result["completed"] and not result["dropped"] and result["violations"] == 2
    assert result["imbalance"] == pytest.approx(1.0 - 0.2)  # nothing left at gateway 0, 40 of 200 taken at 1


@pytest.mark.eq(4, 7, 10)
def test_a_full_server_gives_what_it_has():
    """Eq. (7): 10 of 40 TFLOP/s: 4 / 10 = 0.4 s, late, so (10a) and (10c) are violated."""
    result = of(outcome(WORLD, view(server=10.0), np.array([[0]])))
    assert result["compute_tflops"] == 10 and result["delay_s"] == pytest.approx(0.2 + 0.4 + 1e-7)
    assert result["violations"] == 2


@pytest.mark.eq(13)
@pytest.mark.parametrize("case", [dict(available=(0.0, 160e6)), dict(server=0.0), dict(backlog=(300e6, 0.0))])
def test_a_hopeless_flow_is_dropped_and_takes_nothing(case):
    """Eq. (13) at the drop limit: T_act = 2, so r = -(2 - 0.4 + 0.5 H_r + phi), and nothing is granted."""
    result = of(outcome(WORLD, view(**case), np.array([[2]])))
    assert result["dropped"] and result["delay_s"] == 2.0 and not result["completed"]
    assert result["rate_bps"] == 0 and result["compute_tflops"] == 0
    before = view(**case)
    used = 1 - before.available_bps[0] / before.capacity_bps
    assert result["imbalance"] == pytest.approx(abs(used[0] - used[1]))
    short = 0 if "backlog" in case else 1
    assert result["reward"] == pytest.approx(-(2.0 - 0.4 + 0.5 * result["imbalance"] + 1 + short))


@pytest.mark.eq(13)
@pytest.mark.parametrize("priority, weight", [(1, 0.5), (2, 1.0), (3, 2.0)])
def test_priorities_weigh_the_whole_reward(priority, weight):
    """Eq. (13) times 0.5, 1 or 2: the idle gateway above pays 0.2 - 0.0375, a full one -(0.2 + 0.5 * 0.8 + 2)."""
    world = replace(WORLD, priority1_weight=0.5, priority3_weight=2.0)
    idle = of(outcome(world, view(priority=priority), np.array([[4]])))
    assert idle["reward"] == pytest.approx(weight * 0.1625, abs=1e-6)
    full = of(outcome(world, view(priority=priority, available=(4e6, 160e6)), np.array([[0]])))
    assert full["reward"] == pytest.approx(-weight * 2.6, abs=1e-6)


def test_trying_many_actions_is_trying_each():
    many = outcome(WORLD, view(backlog=(10e6, 3e6)), np.arange(6)[None])
    for k in range(6):
        assert of(many, k) == of(outcome(WORLD, view(backlog=(10e6, 3e6)), np.array([[k]])))


@pytest.mark.eq(11)
def test_observation_by_hand():
    """A flow of 2 Mbit, 4 TFLOP, priority 2 and 0.4 s; gateways of 20 and 160 Mbit/s; 5 and 1 Mbit wait.

    b ~ U(1, 20) Mbit/s and T ~ U(0.1, 1) s: means 10.5 and 0.55, mean squares 421/3 and 0.37, so D = b T / 2 has mean
    2.8875 and mean square 12.98083, and its work, 0.5, 1 or 2 TFLOP per Mbit, mean 7/6 D and mean square 7/4 D^2.
    """
    state = observe(WORLD, view(backlog=(5e6, 1e6), server=750.0))[0] / STATE_GAIN
    assert state.dtype == np.float32 and state.shape == (WORLD.state_dim,)
    d_mean, d_square = 2.8875, 0.25 * 421 / 3 * 0.37
    c_mean, c_square = 7 / 6 * d_mean, 7 / 4 * d_square
    flow = [(2 - d_mean) / (d_square - d_mean**2) ** 0.5, (4 - c_mean) / (c_square - c_mean**2) ** 0.5, 0.0,
            (0.4 - 0.55) / (0.9 / 12**0.5)]  # fmt: skip
    np.testing.assert_allclose(state[:4], flow, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state[4:6], [5 / d_mean, 1 / d_mean], rtol=1e-6)


@pytest.mark.eq(11)
def test_available_bandwidth_is_standardised_as_a_uniform_share_of_what_background_leaves(rng):
    """A second route: draw the share and the background."""
    left = 1 - rng.choice([WORLD.quiet_load, WORLD.busy_load], 400_000)
    share = left * rng.random(400_000)
    capacity = view().capacity_bps
    states = [observe(WORLD, view()._replace(available_bps=x * capacity[None]))[0, 6:8] for x in (0.0, 1.0)]
    for low, high in zip(*states, strict=True):
        unit = STATE_GAIN / (high - low)  # in shares of the capacity
        assert unit == pytest.approx(share.std(), rel=0.01)
        assert -low / (high - low) == pytest.approx(share.mean(), rel=0.01)


@pytest.mark.eq(11)
def test_available_compute_is_standardised_as_a_poisson_number_of_flows(rng):
    """A second route: 100 flows a second, each holding 4 C / T_req for T_req, by simulation of their number."""
    empty, full = (observe(WORLD, view(server=server))[0, -1] for server in (3000.0, 0.0))
    unit = 3000 * STATE_GAIN / (empty - full)
    mean = 3000 - empty * unit / STATE_GAIN
    b, t, w = rng.uniform(1, 20, 10**6), rng.uniform(0.1, 1, 10**6), rng.choice([0.5, 1, 2], 10**6)
    held = 4 * w * 0.5 * b  # C / (0.25 T) at level 0, in TFLOP/s
    assert mean == pytest.approx(3000 - 100 * (held * t).mean(), rel=0.01)
    assert unit == pytest.approx((100 * (held**2 * t).mean()) ** 0.5, rel=0.01)


@pytest.mark.eq(11)
@pytest.mark.parametrize(
    "policy", [RoundRobin(0), RoundRobin(2), one_step_greedy], ids=["level 0", "level 2", "greedy"]
)
def test_every_entry_of_the_state_has_about_mean_0_and_the_chosen_deviation(policy):
    """Eq. (11) under three schedulers: no entry of the state is far from mean 0 and deviation 2."""
    simulator = Simulator(WorldConfig(), 16)
    observation, states = simulator.reset(5), []
    for _ in range(900):
        states.append(observation)
        observation, *_ = simulator.step(policy(simulator.world, simulator.view()))
    states = np.concatenate(states) / STATE_GAIN
    assert (np.abs(states.mean(axis=0)) < 2).all()
    assert (0.3 < states.std(axis=0)).all() and (states.std(axis=0) < 5).all()


def test_the_state_does_not_depend_on_the_load_at_which_a_policy_is_tried():
    assert np.array_equal(observe(WORLD, view()), observe(WORLD.at_load(3.0), view()))


def test_constants_in_place_of_laws_are_no_division_by_zero():
    world = replace(WORLD, bandwidth_low_bps=2e6, bandwidth_high_bps=2e6, deadline_low_s=0.4, deadline_high_s=0.4,
                    image_work=0.5, scene3d_work=0.5, quiet_load=0.3, busy_load=0.3)  # fmt: skip
    assert np.isfinite(observe(world, view())).all()


def test_a_flow_that_takes_exactly_the_limit_is_not_dropped():
    """2 Mbit at 10 Mbit/s and 4 TFLOP at 40: 0.2 + 0.1 s and no propagation."""
    still = view()._replace(propagation_s=np.zeros((1, 2)))
    result = of(outcome(replace(WORLD, max_delay_s=1.0), still, np.array([[0]])))
    limit = replace(WORLD, deadline_low_s=0.1, deadline_high_s=0.2, max_delay_s=result["delay_s"])
    assert not of(outcome(limit, still, np.array([[0]])))["dropped"]


@pytest.mark.eq(8)
def test_a_dropped_flow_is_never_in_time():
    """Even if its deadline is the drop limit itself: 2.3 s to send, dropped at 2 s with a deadline of 2 s."""
    world = replace(WORLD, deadline_low_s=2.0, deadline_high_s=2.0)
    result = of(outcome(world, view(deadline_s=2.0, data_bits=23e6), np.array([[0]])))
    assert result["dropped"] and not result["completed"] and result["violations"] == 1


def test_state_scale_cannot_be_written_to():
    """It is computed once for all observations of a world."""
    for shared in state_scale(WORLD):
        with pytest.raises(ValueError, match="read-only"):
            shared[0] = 1e9


def test_state_scale_is_the_mean_and_the_deviation_of_what_is_drawn(rng):
    """Every entry from a sample of a million, for a world in which no constant is that of another."""
    world = WorldConfig(num_gateways=3, num_workshops=700, arrival_rate=0.002, slot_s=0.02, bandwidth_low_bps=2e6,
                        bandwidth_high_bps=9e6, deadline_low_s=0.3, deadline_high_s=1.6, size_fraction=0.7,
                        text_work=0.2, image_work=0.9, scene3d_work=3.0, quiet_load=0.1, busy_load=0.8,
                        compute_fraction=0.35, server_tflops=5000.0, load=2.5)  # fmt: skip
    n = 10**6
    b, t, w = rng.uniform(2e6, 9e6, n), rng.uniform(0.3, 1.6, n), rng.choice([0.2, 0.9, 3.0], n)
    d = 0.7 * b * t
    c, share = w * d / 1e6, (1 - rng.choice([0.1, 0.8], n)) * rng.random(n)
    rate = c / (0.35 * t)  # what level 0 asks for; held for t, with 700 * 0.002 / 0.02 = 70 flows a second
    drawn = [d, c, rng.integers(1, 4, n), t, share]
    centre, unit = state_scale(world)
    flow, queue, available = slice(0, 4), slice(4, 7), slice(7, 10)
    np.testing.assert_allclose(centre[flow], [x.mean() for x in drawn[:4]], rtol=0.01)
    np.testing.assert_allclose(unit[flow], [x.std() for x in drawn[:4]], rtol=0.01)
    assert (centre[queue] == 0).all() and np.allclose(unit[queue], 1)  # in units of E[D] already
    np.testing.assert_allclose(centre[available], share.mean(), rtol=0.01)
    np.testing.assert_allclose(unit[available], share.std(), rtol=0.01)
    assert centre[10] == pytest.approx(5000 - 70 * (rate * t).mean(), rel=0.01)
    assert unit[10] == pytest.approx((70 * (rate**2 * t).mean()) ** 0.5, rel=0.01)
