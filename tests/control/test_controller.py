"""The controller decides as `evaluate` does, and what it refuses changes nothing."""

import copy
import json
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from lines import FLOW, REPORT, encoded, write_run

from edgediff import evaluate
from edgediff.config import LearnerConfig, RunConfig, Settings, WorldConfig
from edgediff.control.controller import Controller
from edgediff.control.messages import MAX_FLOWS, Demand, Report
from edgediff.control.protocol import LineProtocol
from edgediff.errors import ConfigError, NonFiniteError
from edgediff.learner.agents import AGENTS
from edgediff.run.scores import agent_policy
from edgediff.world.rollout import rollout
from edgediff.world.rules import RULES, all_rules
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT
from experiments.timing import drive_controller

SHARED = Settings(WorldConfig(num_gateways=3, num_slots=40), LearnerConfig(network="shared", hidden=16), RunConfig())


def asking(controller):
    """Return a function that sends an object through the line protocol, and returns the answer."""
    protocol = LineProtocol(controller)
    return lambda line: json.loads(protocol.answer(encoded(line)))


def assert_same(driven, wanted):
    assert len(driven["completed"]) > 30 and all(np.array_equal(driven[name], wanted[name]) for name in wanted)


# As in the simulator


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["mean", "argmax", "sample"])
def test_an_episode_through_the_controller_is_that_of_evaluate_flow_by_flow(busy, mode):
    controller = Controller.load(busy, mode=mode)
    ask, world = asking(controller), controller.world
    _, policy = agent_policy(controller.scheduler, controller.settings.run, mode)
    for k in range(2):
        driven = drive_controller.drive(ask, Simulator(world, first_env=k))
        assert_same(driven, rollout(Simulator(world, first_env=k), policy, HELD_OUT + 1))


@pytest.mark.slow
@pytest.mark.parametrize("network, critic", (("mlp", "values"), ("shared", "priced")))
@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_decides_as_in_evaluate(tmp_path, agent, network, critic):
    learner = LearnerConfig(agent=agent, hidden=16, network=network, critic=critic)
    controller = Controller.load(write_run(tmp_path, SHARED._replace(learner=learner)))
    driven = drive_controller.drive(asking(controller), Simulator(SHARED.world))
    wanted = agent_policy(controller.scheduler, RunConfig())[1]
    assert_same(driven, rollout(Simulator(SHARED.world), wanted, HELD_OUT + 1))


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_decides_as_in_the_simulator(rule):
    world = WorldConfig(load=2.0, num_slots=60)
    driven = drive_controller.drive(asking(Controller.load(rule, load=2.0, num_slots=60)), Simulator(world), 5)
    assert_same(driven, rollout(Simulator(world), all_rules()[RULES[rule]], 5))


@pytest.mark.slow
def test_driving_the_program_finds_the_completion_that_evaluate_prints(busy, call):
    status, out, _ = call(evaluate, busy, "--final-episodes", 1, "--json")
    completion = json.loads(out)["d2sac, mean of 8"]["completion"]
    driver = subprocess.run([sys.executable, drive_controller.__file__, str(busy)], capture_output=True, text=True)
    assert status == driver.returncode == 0
    assert driver.stdout.startswith(f"d2sac, mean of 8: completion {completion:.1%} of ")
    assert "; 0 flows differ from evaluate\n" in driver.stdout
    assert "lines refused: 0; time of a decision: p50 " in driver.stderr


@pytest.fixture
def watched(monkeypatch):
    """Return a function that notes the views that a controller decides on."""

    def _watched(controller):
        seen, right = [], controller.state_of_view
        monkeypatch.setattr(controller, "state_of_view", lambda world, view: seen.append(view) or right(world, view))
        return seen

    return _watched


@pytest.mark.slow
def test_the_flows_of_a_line_see_what_the_simulator_would_show_them(protocol, ask, watched):
    seen, shown = watched(protocol.controller), []
    simulator = Simulator(protocol.controller.world.at_load(30))  # an overload: some flows are dropped
    step = simulator.step
    simulator.step = lambda action: shown.append(copy.deepcopy(simulator.view())) or step(action)
    driven = drive_controller.drive(ask, simulator)
    assert len(seen) == len(shown) > 1000 and driven["dropped"].any() and not driven["dropped"].all()
    for mine, its in zip(seen, shown, strict=True):
        assert all(np.array_equal(mine.flow[name], its.flow[name]) for name in FLOW)
        for name in mine._fields[1:]:
            np.testing.assert_allclose(getattr(mine, name), getattr(its, name), rtol=1e-9, atol=1e-4, err_msg=name)


def test_on_zero_bandwidth_a_flow_is_dropped_and_takes_nothing(ask):
    first, second = ask(REPORT | {"available_bps": [0] * 8, "flows": [FLOW, FLOW]})["decisions"]
    for decision in (first, second):
        assert decision["dropped"] and not decision["in_time"]
        assert decision["rate_bps"] == decision["compute_tflops"] == 0 and decision["delay_s"] == 2


def test_bandwidth_and_propagation_of_a_flow_that_does_not_tell_them(busy, watched):
    controller = Controller.load(busy)
    seen = watched(controller)
    for given in ({}, {"bandwidth_bps": 5e6}, {"workshop": 7}):
        controller.decide(REPORT, FLOW | given)
    assert [view.flow["bandwidth_bps"][0] for view in seen] == [2 * 4.13e6 / 0.51, 5e6, 2 * 4.13e6 / 0.51]
    known_s = Simulator(controller.world).topology.propagation_s
    np.testing.assert_allclose(seen[0].propagation_s[0], known_s.mean(axis=0))
    assert np.array_equal(seen[2].propagation_s[0], known_s[7])


@pytest.mark.slow
def test_drive_asks_for_no_more_flows_at_once_than_a_line_may_hold(busy, monkeypatch):
    found = []
    for most in (MAX_FLOWS, 2):
        monkeypatch.setattr(drive_controller, "MAX_FLOWS", most)
        controller, asked = Controller.load(busy), []
        answer = LineProtocol(controller).answer

        def ask(line, answer=answer, asked=asked):
            asked.append(len(line["flows"]))
            return json.loads(answer(encoded(line)))

        found.append(drive_controller.drive(ask, Simulator(controller.world)))
        assert sum(asked) == len(found[-1]["completed"]) and (max(asked) == 2) == (most == 2)
    assert_same(*found)


# Other gateways, other loads


@pytest.mark.parametrize("name", ("run", "greedy"))
def test_gateways_may_have_failed_or_been_added(tmp_path, name):
    write_run(tmp_path / "run", SHARED)
    controller = Controller.load(tmp_path / "run" if name == "run" else name, num_gateways=3)
    for capacities in ([125e6], [50e6, 200e6], [50e6, 100e6, 150e6], [80e6] * 11):
        count = len(capacities)
        report = {"capacity_bps": capacities, "available_bps": [0.5 * c for c in capacities],
                  "backlog_bits": [0.0] * count, "available_tflops": 2000.0, "load": 1.5}  # fmt: skip
        decision = controller.decide(report, FLOW)
        assert 0 <= decision.gateway < count and decision.probabilities.shape == (count, 3)
        assert decision.probabilities.sum() == pytest.approx(1)
    for changes, field in ((dict(capacity_bps=[1e8, 1e8]), "available_bps"),
                           (dict(available_bps=[80e6] * 10 + [81e6]), r"available_bps\[10\]")):  # fmt: skip
        with pytest.raises(ConfigError, match=f"^{field}: "):
            controller.decide(report | changes, FLOW)


def test_the_recent_load_counts_for_shared_networks(tmp_path):
    controller = Controller.load(write_run(tmp_path, SHARED))
    report = {"available_bps": [40e6] * 3, "backlog_bits": [0.0] * 3, "available_tflops": 2000.0}
    quiet, usual, busy = (
        controller.decide(report | load, FLOW).probabilities for load in ({"load": 0.5}, {}, {"load": 3})
    )
    assert not np.allclose(quiet, busy) and not np.allclose(usual, busy)


def test_a_run_with_an_mlp_knows_its_own_gateways_only(busy):
    with pytest.raises(ConfigError, match="^capacity_bps: "):
        Controller.load(busy).decide(REPORT | {"capacity_bps": [1e8] * 8}, FLOW)
    with pytest.raises(ConfigError, match="^num_gateways: "):
        Controller.load(busy, num_gateways=4)


# Rules and functions


def test_a_function_of_world_and_view_is_a_scheduler():
    def mine(world, view):
        assert not any(values.flags.writeable for values in view)
        return np.array([2 + 3 * (world.num_gateways - 1)])

    decision = Controller.load(mine, num_gateways=8).decide(Report(**REPORT), Demand(**FLOW))
    assert (decision.gateway, decision.level, decision.probabilities[7, 2]) == (7, 2, 1)


@pytest.mark.parametrize(
    "action", [24, -1, np.array([24]), np.array([0.5]), np.array([1, 2]), None, "0", np.array([True])]
)
def test_a_scheduler_that_returns_no_action_is_named(action):
    def careless(world, view):
        return action

    with pytest.raises(ConfigError, match="^action: .* of careless ") as refused:
        Controller.load(careless).decide(REPORT, FLOW)
    assert "\n" not in str(refused.value)


def test_round_robin_begins_with_the_first_gateway():
    decisions = Controller.load("round-robin").decide_slot(REPORT, [FLOW] * 10)
    assert [decision.gateway for decision in decisions] == [*range(8), 0, 1]


def test_the_name_of_a_rule_is_the_rule_and_a_path_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "greedy", SHARED)
    assert Controller.load("greedy").world == WorldConfig()
    assert Controller.load("./greedy").world == Controller.load(tmp_path / "greedy").world == SHARED.world
    for name, words in (("greddy", f".*{', '.join(RULES)}"), ("greedy/last.pt", "is a file; give its folder")):
        with pytest.raises(ConfigError, match=f"^run: {name} {words}$"):
            Controller.load(name)


# What it takes and refuses


def test_settings_of_world_and_run_can_be_changed(busy):
    controller = Controller.load(busy, weights="best", eval_draws=np.int64(3), server_tflops=1500)
    assert (controller.settings.run.eval_draws, controller.world.server_tflops) == (3, 1500.0)
    with pytest.raises(ConfigError, match="^available_tflops: 1600 .* to 1500$"):
        controller.decide(REPORT | {"available_tflops": 1600}, FLOW)
    for changes, field in (({"mode": "most"}, "mode"), ({"hidden": 8}, "hidden"), ({"eval_draws": 0}, "eval_draws")):
        with pytest.raises(ConfigError, match=f"^{field}: "):
            Controller.load(busy, **changes)
    for name, value in dict(mode="argmax", weights="best", eval_draws=3).items():
        with pytest.raises(ConfigError, match=f"^{name}: {value} is given to a rule"):
            Controller.load("greedy", **{name: value})


def test_a_run_on_a_request_log_needs_no_log(tmp_path):
    world = WorldConfig(trace="gone.csv", trace_from="0")
    controller = Controller.load(write_run(tmp_path, SHARED._replace(world=world)), num_gateways=8)
    assert controller.decide(REPORT, FLOW).gateway in range(8)


def test_decide_slot_takes_a_list_of_flows_up_to_a_limit(busy):
    controller = Controller.load(busy)
    assert len(controller.decide_slot(REPORT, (FLOW,) * MAX_FLOWS)) == MAX_FLOWS
    for flows in ([FLOW] * (MAX_FLOWS + 1), [], FLOW, None):
        with pytest.raises(ConfigError, match="^flows: "):
            controller.decide_slot(REPORT, flows)


@pytest.mark.parametrize("mode", ["mean", "argmax", "sample"])
def test_a_nan_in_the_second_flow_gives_the_noise_of_the_first_back(busy, mode, monkeypatch):
    controller = Controller.load(busy, mode=mode)
    right, calls = controller.scheduler.evaluation_policy, []

    def nan_in_the_second(state, generator):
        calls.append(torch.full((), float("nan") if len(calls) == 1 else 1.0))
        return right(state, generator) * calls[-1]

    monkeypatch.setattr(controller.scheduler, "evaluation_policy", nan_in_the_second)
    noise = controller.generator.get_state()
    with pytest.raises(NonFiniteError, match="action probabilities: not finite"):
        controller.decide_slot(REPORT, [FLOW] * 3)
    assert len(calls) == 2 and noise.equal(controller.generator.get_state())
    controller.decide(REPORT, FLOW)
    assert not noise.equal(controller.generator.get_state())


def test_it_runs_in_a_thread(busy):
    def decide():
        found.append([Controller.load(name).decide(REPORT, FLOW).gateway for name in (busy, "greedy")])

    found: list = []
    decide()
    thread = threading.Thread(target=decide)
    thread.start()
    thread.join()
    assert found[0] == found[1]
