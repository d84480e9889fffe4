"""The clock: reservations, backlog, episodes, and that nothing is lost at any load."""

from dataclasses import replace

import numpy as np
import pytest
from slips import named

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError
from edgediff.world.decision import Outcome
from edgediff.world.reservations import reserve, slots_of
from edgediff.world.rules import RoundRobin, UniformRandom
from edgediff.world.simulator import Simulator
from edgediff.world.state import STATE_GAIN, state_scale
from edgediff.world.workload import draw_traffic

WORLD = WorldConfig(num_slots=120)


def play(simulator, policy, steps, seed=0):
    """Return the step results of a policy, observations first."""
    observation = simulator.reset(seed)
    played = [(observation,)]
    for _ in range(steps):
        played.append(simulator.step(policy(simulator.world, simulator.view())))
    return played


def uniform(seed=1):
    return UniformRandom(np.random.default_rng(seed))


@pytest.mark.eq(4, 7)
@pytest.mark.parametrize("load", [0.05, 1.0, 3.0, 8.0])
def test_reservations_sum_to_what_was_granted_at_every_moment(load):
    """A plain list of flows in service, kept beside the simulator, gives the same R_avail, F_avail and Q."""
    world = replace(WORLD, load=load)
    simulator, rng = Simulator(world, 1), np.random.default_rng(2)
    simulator.reset(11)
    traffic = draw_traffic(world, 11, 0, 0)
    total_bps = simulator.topology.capacity_bps * (1 - traffic.background)
    serving, backlog, clock = [], np.zeros(8), 0
    for flow in traffic.flows[:-1]:
        while clock < flow["slot"]:  # Lindley, slot by slot
            backlog = np.maximum(backlog - total_bps[clock] * 0.01, 0)
            clock += 1
        serving = [s for s in serving if clock < s["sent"] or clock < s["done"]]
        held = np.zeros(8)
        for s in serving:
            held[s["gateway"]] += s["rate"] * (clock < s["sent"])
        server = sum(s["compute"] for s in serving if clock < s["done"])
        view = simulator.view()
        np.testing.assert_allclose(view.available_bps[0], np.maximum(total_bps[clock] - held, 0), atol=1e-3)
        np.testing.assert_allclose(view.available_tflops[0], 3000 - server, atol=1e-6)
        np.testing.assert_allclose(view.backlog_bits[0], backlog, atol=1e-3)
        assert held.max() <= simulator.topology.capacity_bps.max() and server <= 3000 + 1e-6
        assert (held <= simulator.topology.capacity_bps + 1e-3).all()
        *_, info = simulator.step(rng.integers(24, size=1))
        if not info["dropped"][0]:
            ends = [clock + np.ceil(info[name][0] / 0.01) for name in ("holding_s", "delay_s")]
            serving.append(dict(gateway=info["gateway"][0], rate=info["rate_bps"][0], sent=ends[0],
                                compute=info["compute_tflops"][0], done=ends[1]))  # fmt: skip
            backlog[info["gateway"][0]] += flow["data_bits"]
    if load >= 3:
        assert (view.available_bps < 1).any()  # the test saw full gateways


@pytest.mark.line(5, 6, 7, 8)
def test_reserve_by_hand():
    """Slots 1 .. 3 of six get 2; a second reservation of 3 in slots 3 .. 4 is added."""
    held = np.zeros((1, 6))
    for start, stop, amount in ((1, 4, 2.0), (3, 5, 3.0)):
        reserve(held, (np.array([0]),), np.array([start]), np.array([stop]), np.array([amount]))
    words = {
        (0, 2, 2, 2 + 3, 2 + 3, 3): "slot `stop` itself is reserved too: the last one is stop - 1",
        (0, 2, 2, 3, 3, 0): "a second reservation overwrites the first: amounts are added",
        (0, 0, 0, 0, 0, 0): "nothing is reserved: change `held` in place",
    }
    assert held[0].tolist() == [0, 2, 2, 5, 3, 0], words.get(tuple(held[0].tolist()), f"{held[0].tolist()}")


@pytest.mark.line(5, 6, 7, 8)
def test_reserve_of_several_rows_by_hand():
    """`where` is a tuple: (rows,) of (E, slots), (rows, gateways) of (E, slots, G). Here amount k is for row 1 - k."""
    rows, gateways = np.array([1, 0]), np.array([0, 1])
    start, stop, amount = np.array([0, 1]), np.array([1, 2]), np.array([2.0, 3.0])
    held, of_gateways = np.zeros((2, 2)), np.zeros((2, 2, 2))
    reserve(held, (rows,), start, stop, amount)
    reserve(of_gateways, (rows, gateways), start, stop, amount)
    assert held.tolist() == [[0, 3], [2, 0]], f"held is {held.tolist()}, not [[0, 3], [2, 0]]"
    assert of_gateways[1, 0].tolist() == [2, 0], f"gateway 0 of row 1 holds 2 in slot 0, not {of_gateways[1, 0, 0]}"
    assert of_gateways[0, 1].tolist() == [0, 3] and of_gateways.sum() == 5


@pytest.mark.line(5, 6, 7, 8)
def test_a_step_returns_one_number_for_each_environment():
    """info has the fields of Outcome and `priority`, each (E,), and `successor`, (E, S); here E = 2."""
    simulator = Simulator(WORLD, 2)
    simulator.reset(0)
    try:
        observation, *rest, info = simulator.step(np.array([10, 4]))
    except (ValueError, IndexError) as error:
        words = "`outcome` takes actions (E, K), here action[:, None], and each field that it returns is (E, K), too"
        if "dimension" not in str(error):
            raise
        pytest.fail(f"{error}: {words}", pytrace=False)
    missing = ", ".join(name for name in (*Outcome._fields, "priority", "successor") if name not in info)
    assert not missing, f"info has no {missing}"
    for name, value in (("the observation", observation), ("info['successor']", info["successor"])):
        assert value.shape == (2, WORLD.state_dim), f"{name} of shape {value.shape} is not (E, S)"
    for name, value in [*zip(("reward", "terminated", "truncated"), rest, strict=True), *info.items()]:
        assert name == "successor" or value.shape == (2,), f"{name} of shape {value.shape} is not (E,)"


@pytest.mark.line(5, 6, 7, 8)
def test_one_step_by_hand():
    """In an empty network, action 10 sends at 1.5 b through gateway 3: reward, reservation, queue, next flow."""
    simulator = Simulator(WORLD, 1)
    simulator.reset(0)
    flows, expected = simulator.flows[0], simulator.outcomes()
    now, later = flows["slot"][:2]
    action = np.array([10])
    observation, reward, terminated, truncated, info = simulator.step(action)
    assert action.tolist() == [10], "action is changed in place: whoever called still needs it"
    assert not terminated.any() and not truncated.any(), "this episode has more flows: it is not at its end"
    assert reward[0] == expected.reward[0, 10], named(reward[0], {
        expected.reward[0, 0]: "the reward is that of action 0, not of the action given",
    })  # fmt: skip
    assert info["gateway"].tolist() == [3], f"gateway of action 10 is 10 // 3 = 3, not {info['gateway']}"
    held = simulator.reserved_bps[0, now, 3]
    assert held == info["rate_bps"][0], "nothing is reserved: commit the outcome" if held == 0 else f"{held} bit/s held"
    assert simulator.cursor[0] == 1, "time stands still: go to the next flow"
    left = max(flows["data_bits"][0] - simulator.total_bps[0, now:later, 3].sum() * 0.01, 0)
    assert simulator.backlog_bits[0, 3] == pytest.approx(left), "the queue of gateway 3 has not been served since"
    assert info["priority"].tolist() == [flows["priority"][0]], "info has the priority of the flow that was decided"
    assert np.array_equal(info["successor"], observation), "inside an episode, `successor` is the next observation"
    assert np.array_equal(observation, simulator.observation()), "the observation is of the flow that is next"


def in_units(observation):
    """Undo the standardisation: physical units, queues in E[D], bandwidth as a share of the capacity."""
    centre, unit = state_scale(WORLD)
    return observation.astype(float) / STATE_GAIN * unit + centre


@pytest.mark.line(5, 6, 7, 8, 20, 21, 22, 23, 24, 25)
def test_truncation_shows_the_true_last_state_and_then_a_new_episode():
    """Line 21: at the end, `successor` is the state after the last flow; the observation is of a fresh episode."""
    simulator = Simulator(WORLD, 1)
    played = play(simulator, uniform(), 400)
    cut = next(k for k, step in enumerate(played) if k and step[3][0])
    flows = draw_traffic(WORLD, 0, 0, 0).flows
    words = "info['successor'] is of the new episode: take the observation before the next episode starts"
    final, fresh = in_units(played[cut][4]["successor"][0]), in_units(played[cut][0][0])
    # The flow that would come next.
    assert final[3] == pytest.approx(flows["deadline_s"][-1], rel=1e-5), words
    assert final[4:12].max() > 0.01  # the backlog the episode ended with
    assert fresh[3] == pytest.approx(draw_traffic(WORLD, 0, 0, 1).flows["deadline_s"][0], rel=1e-5)
    assert fresh[4:12].max() < 1e-6 and fresh[-1] == pytest.approx(
        WORLD.server_tflops
    )  # nothing waits, nothing is held
    assert not np.array_equal(played[cut][0], played[cut][4]["successor"]), "at the end, start the next episode"
    for step in played[1:cut]:
        assert np.array_equal(step[0], step[4]["successor"])


def test_time_is_held_to_the_first_boundary_at_or_after_its_end():
    slots = slots_of(WORLD, np.array([0.001, 0.01, 0.0100001, 0.07, 2.0]))
    assert slots.tolist() == [1, 1, 2, 7, 200]


def test_an_emptied_network_holds_exactly_nothing():
    simulator = Simulator(WorldConfig(num_slots=400, load=2), 3)
    play(simulator, uniform(), 300)
    after_all = simulator.flows["slot"][np.arange(3), simulator.cursor].max() + 201
    assert (simulator.reserved_bps[:, after_all:] == 0).all() and (simulator.reserved_tflops[:, after_all:] == 0).all()


@pytest.mark.line(5, 6, 7, 8)
@pytest.mark.parametrize("load", [0.05, 1.0, 8.0])
def test_every_flow_is_decided_once_and_ends_in_one_way(load):
    """Lines 5-8: each flow is completed, late or dropped, and an episode ends after its last flow."""
    world = replace(WorldConfig(num_slots=200), load=load)
    simulator = Simulator(world, 4)
    played = play(simulator, uniform(), 60)
    for _, reward, terminated, _, info in played[1:]:
        late = ~info["completed"] & ~info["dropped"]
        assert np.array_equal(1 * info["completed"] + info["dropped"] + late, np.ones(4))
        assert not terminated.any() and np.isfinite(reward).all()
    ends = np.array([step[3] for step in played[1:]])
    for env in range(4):
        lengths = [draw_traffic(world, 0, env, k).flows.size - 1 for k in range(40)]
        boundaries = np.cumsum([n for n in lengths if n]) - 1
        assert np.flatnonzero(ends[:, env]).tolist() == [b for b in boundaries if b < 60]


def test_the_next_episode_can_be_started_for_all_or_for_some():
    simulator = Simulator(WORLD, 3)
    play(simulator, uniform(), 5)
    before = simulator.observation()
    after = simulator.next_episode(np.array([False, True, False]))
    assert np.array_equal(after[[0, 2]], before[[0, 2]]) and simulator.episode.tolist() == [0, 1, 0]
    assert simulator.view().flow[1] == draw_traffic(WORLD, 0, 1, 1).flows[0]
    assert np.array_equal(simulator.next_episode()[1], simulator.observation()[1])
    assert simulator.episode.tolist() == [1, 2, 1] and simulator.backlog_bits.max() == 0 == simulator.reserved_bps.max()


def test_a_view_cannot_be_written_into_and_stays_what_it_was():
    simulator = Simulator(WORLD, 2)
    with pytest.raises(ConfigError, match="^step: no episode has begun, call reset first$"):
        simulator.step(np.zeros(2, int))
    simulator.reset(0)
    view = simulator.view()
    for values in view:
        with pytest.raises(ValueError, match="read-only"):
            values[:] = values
    kept = [values.copy() for values in view]
    simulator.step(np.array([10, 4]))
    assert all(np.array_equal(values, before) for values, before in zip(view, kept, strict=True))


def test_same_seed_same_trajectory():
    one, two = (play(Simulator(WORLD, 3), uniform(), 200) for _ in range(2))
    other = play(Simulator(WORLD, 3), uniform(), 200, seed=1)
    for a, b in zip(one[1:], two[1:], strict=True):
        assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])
    assert not np.array_equal(one[5][0], other[5][0])


def test_other_policy_same_traffic():
    """What no scheduler can change is the same under any: flows in order, and the background."""
    seen = []
    for policy in (uniform(), RoundRobin(0)):
        simulator = Simulator(WORLD, 2)
        simulator.reset(0)
        rows = []
        for _ in range(250):
            rows.append(simulator.view().flow)
            simulator.step(policy(simulator.world, simulator.view()))
        seen.append((np.array(rows), simulator.total_bps.copy()))
    assert np.array_equal(seen[0][0], seen[1][0]) and np.array_equal(seen[0][1], seen[1][1])


@pytest.mark.line(5, 6, 7, 8)
def test_three_environments_equal_three_runs_of_one():
    """Lines 5-8: environments side by side do not touch each other."""
    together = play(Simulator(WORLD, 3), RoundRobin(1), 300)
    for env in range(3):
        alone = play(Simulator(WORLD, 1, first_env=env), RoundRobin(1), 300)
        for a, b in zip(together[1:], alone[1:], strict=True):
            same = np.array_equal(a[0][env], b[0][0]) and a[1][env] == b[1][0] and a[3][env] == b[3][0]
            assert same, f"environment {env} beside others is not what it is by itself"
            assert all(np.array_equal(a[4][name][env], b[4][name][0]) for name in a[4])


@pytest.mark.eq(8)
def test_propagation_is_negligible():
    """Eq. (8) drops T_prop; at 5 ns/m in 100 m it is below 0.71 microseconds, and decides nothing here."""
    near, far = (play(Simulator(replace(WORLD, propagation_s_per_m=v), 2), RoundRobin(0), 300) for v in (0.0, 5e-9))
    assert all(np.array_equal(a[4]["completed"], b[4]["completed"]) for a, b in zip(near[1:], far[1:], strict=True))
    gap = max(np.abs(a[4]["delay_s"] - b[4]["delay_s"]).max() for a, b in zip(near[1:], far[1:], strict=True))
    assert 0 < gap < 1e-6


def test_observations_are_finite_and_within_what_is_possible():
    for load in (0.05, 1, 8):
        states = np.array([step[0] for step in play(Simulator(replace(WORLD, load=load), 4), uniform(), 200)])
        units = in_units(states)
        assert np.isfinite(states).all() and units[:, :, 4:].min() > -1e-3
        assert units[:, :, 3].max() <= WORLD.deadline_high_s + 1e-6 and units[:, :, 12:20].max() <= 1 + 1e-5
        assert units[:, :, 20].max() <= WORLD.server_tflops + 1e-3


@pytest.mark.line(1, 2, 3, 4)
def test_episodes_without_a_flow_are_passed_over():
    """Line 2: an episode of 20 slots with 1.2 flows on average is often empty, and then the next one starts."""
    world = WorldConfig(num_workshops=1, num_slots=20, arrival_rate=0.06)  # about 1.2 flows an episode
    simulator = Simulator(world, 2)
    play(simulator, uniform(), 50)
    assert simulator.episode.min() > 25  # some had none


@pytest.mark.parametrize(
    "action",
    [np.array([24, 0]), np.array([-1, 0]), np.array([0]), np.array([[0, 0]]), np.array([0.0, 1.0]), np.array(3)],
)
def test_impossible_actions_are_refused_and_change_nothing(action):
    simulator = Simulator(WORLD, 2)
    before = simulator.reset(0)
    with pytest.raises(ValueError, match="action: "):
        simulator.step(action)
    after = Simulator(WORLD, 2)
    after.reset(0)
    a, b = simulator.step(np.array([0, 5])), after.step(np.array([0, 5]))
    assert np.array_equal(a[0], b[0]) and before.shape == (2, 21)
