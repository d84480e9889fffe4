"""The controller decides as `evaluate` does, and what it refuses changes nothing."""

import copy
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from lines import FLOW, REPORT

from edgediff import evaluate
from edgediff.config import LearnerConfig, RunConfig, Settings, WorldConfig
from edgediff.control.controller import Controller
from edgediff.control.protocol import LineProtocol
from edgediff.control.request import MAX_FLOWS
from edgediff.errors import ConfigError, NonFiniteError
from edgediff.learner.agents import AGENTS
from edgediff.run.scores import agent_policy
from edgediff.run.weights import new_agent, write_weights
from edgediff.world.rollout import rollout
from edgediff.world.simulator import Simulator
from edgediff.world.state import state_of
from edgediff.world.workload import HELD_OUT
from experiments.timing import drive_controller

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mode", ["mean", "argmax", "sample"])
def test_an_episode_through_the_controller_is_that_of_evaluate_flow_by_flow(busy, mode):
    protocol = LineProtocol(Controller.load(busy, mode=mode))
    settings = protocol.controller.settings
    played = [drive_controller.drive(lambda r: json.loads(protocol.answer(json.dumps(r).encode())),
                                     Simulator(settings.world, 1, first_env=k)) for k in range(2)]  # fmt: skip
    _, policy = agent_policy(protocol.controller.agent, settings.run, mode)
    for k, driven in enumerate(played):
        wanted = rollout(Simulator(settings.world, 1, first_env=k), policy, HELD_OUT + 1)
        assert len(wanted["completed"]) > 100 and all(np.array_equal(driven[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("network, critic", [("mlp", "values"), ("shared", "priced")])
@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_decides_as_in_evaluate(tmp_path, agent, network, critic):
    learner = LearnerConfig(agent=agent, hidden=16, network=network, critic=critic)
    settings = Settings(WorldConfig(num_slots=40, num_gateways=3), learner, RunConfig())
    built = new_agent(settings, 5)
    write_weights(tmp_path / "last.pt", settings, "", 0, built.weights())
    protocol = LineProtocol(Controller.load(tmp_path))
    driven = drive_controller.drive(lambda r: json.loads(protocol.answer(json.dumps(r).encode())),
                                    Simulator(settings.world))  # fmt: skip
    simulator = Simulator(settings.world, state_of_view=state_of(network))
    wanted = rollout(simulator, agent_policy(built, settings.run)[1], HELD_OUT + 1)
    assert all(np.array_equal(driven[name], wanted[name]) for name in wanted)


@pytest.fixture
def of_any_gateways(tmp_path):
    """Return the controller of a run with shared networks, trained on three gateways."""
    settings = Settings(WorldConfig(num_gateways=3), LearnerConfig(network="shared", hidden=16), RunConfig())
    write_weights(tmp_path / "last.pt", settings, "", 0, new_agent(settings, 5).weights())
    return Controller.load(tmp_path)


def test_shared_networks_decide_for_gateways_that_have_failed_or_been_added(of_any_gateways):
    for capacities in ([125e6], [50e6, 200e6], [50e6, 100e6, 150e6], [80e6] * 11):
        count = len(capacities)
        report = {"capacity_bps": capacities, "available_bps": [0.5 * c for c in capacities],
                  "backlog_bits": [0.0] * count, "available_tflops": 2000.0, "load": 1.5}  # fmt: skip
        decision = of_any_gateways.decide(report, FLOW)
        assert 0 <= decision.gateway < count and decision.probabilities.shape == (count, 3)


def test_the_load_of_late_counts_for_shared_networks(of_any_gateways):
    report = {"available_bps": [40e6] * 3, "backlog_bits": [0.0] * 3, "available_tflops": 2000.0}
    quiet, usual, busy = (
        of_any_gateways.decide_slot(report | load, [FLOW])[0].probabilities for load in ({"load": 0.5}, {}, {"load": 3})
    )
    assert not np.allclose(quiet, busy) and not np.allclose(usual, busy)


@pytest.mark.parametrize(
    ("changes", "message"),
    (
        (dict(capacity_bps=[1e8, 1e8]), "available_bps: 3 numbers are not 2"),
        (dict(capacity_bps=[]), "capacity_bps: [] is not a list of 1 to 256 numbers"),
        (dict(capacity_bps=8), "capacity_bps: 8 is not a list of 1 to 256 numbers"),
        (dict(capacity_bps=[1e8, 0, 1e8]), "capacity_bps[1]: 0 is not a number from 1 to 1e+15"),
        (dict(load=0), "load: 0 is not a number from 0.01 to 100"),
        (dict(available_bps=[40e6, 40e6, 201e6]), "available_bps[2]: 201000000.0 is not a number from 0 to 200000000"),
    ),
)
def test_reports_that_do_not_fit_are_refused(of_any_gateways, changes, message):
    report = {"available_bps": [40e6] * 3, "backlog_bits": [0.0] * 3, "available_tflops": 2000.0}
    with pytest.raises(ConfigError, match=re.escape(message)):
        of_any_gateways.decide(report | changes, FLOW)


def test_a_run_with_an_mlp_knows_its_own_gateways_only(busy):
    controller = Controller.load(busy)
    with pytest.raises(ConfigError, match="capacity_bps: cannot be given to a run whose network is mlp"):
        controller.decide(REPORT | {"capacity_bps": [1e8] * 8}, FLOW)


def test_driving_the_program_finds_the_completion_that_evaluate_prints(busy, call):
    status, out, _ = call(evaluate, busy, "--final-episodes", 1, "--json")
    completion = json.loads(out)["d2sac, mean of 8"]["completion"]
    driver = subprocess.run([sys.executable, drive_controller.__file__, str(busy)], capture_output=True, text=True)
    assert status == driver.returncode == 0
    assert driver.stdout.startswith(f"d2sac, mean of 8: completion {completion:.1%} of ")
    assert "; 0 flows differ from evaluate\n" in driver.stdout
    assert "lines refused: 0; time of a decision: p50 " in driver.stderr


def test_the_flows_of_a_line_see_what_the_simulator_would_show_them(protocol, ask, monkeypatch):
    seen, shown, right = [], [], protocol.controller.observe
    monkeypatch.setattr(protocol.controller, "observe", lambda world, view: seen.append(view) or right(world, view))
    simulator = Simulator(protocol.controller.world.at_load(30))  # an overload: some flows are dropped
    step = simulator.step
    simulator.step = lambda action: shown.append(copy.deepcopy(simulator.view())) or step(action)
    driven = drive_controller.drive(ask, simulator)
    assert len(seen) == len(shown) > 1000 and driven["dropped"].any() and not driven["dropped"].all()
    for mine, its in zip(seen, shown, strict=True):
        assert all(np.array_equal(mine.flow[name], its.flow[name]) for name in drive_controller.DEMAND)
        for name in mine._fields[1:]:
            np.testing.assert_allclose(getattr(mine, name), getattr(its, name), rtol=1e-9, atol=1e-4, err_msg=name)


def test_on_zero_bandwidth_a_flow_is_dropped_and_takes_nothing(ask):
    first, second = ask(REPORT | {"available_bps": [0] * 8, "flows": [FLOW, FLOW]})["decisions"]
    for decision in (first, second):
        assert decision["dropped"] and not decision["in_time"]
        assert decision["rate_bps"] == decision["compute_tflops"] == 0 and decision["delay_s"] == 2


def test_bandwidth_and_propagation_of_a_flow_that_does_not_tell_them(busy, monkeypatch):
    seen, controller = [], Controller.load(busy)
    right = controller.observe
    monkeypatch.setattr(controller, "observe", lambda world, view: seen.append(view) or right(world, view))
    for given in ({}, {"bandwidth_bps": 5e6}, {"workshop": 7}):
        controller.decide(REPORT, FLOW | given)
    assert [view.flow["bandwidth_bps"][0] for view in seen] == [2 * 4.13e6 / 0.51, 5e6, 2 * 4.13e6 / 0.51]
    known_s = Simulator(controller.world).topology.propagation_s
    np.testing.assert_allclose(seen[0].propagation_s[0], known_s.mean(axis=0))
    assert np.array_equal(seen[2].propagation_s[0], known_s[7])


def test_numbers_of_numpy_are_taken_as_well(busy):
    arrays = {name: np.array(value, float) for name, value in REPORT.items() if name != "available_tflops"}
    arrays["available_tflops"] = np.float64(1368)
    numbers = FLOW | {"priority": np.int64(3), "data_bits": np.float64(4.13e6)}
    mine, its = (Controller.load(busy).decide(*given) for given in ((arrays, numbers), (REPORT, FLOW)))
    assert mine[:7] == its[:7] and np.array_equal(mine.probabilities, its.probabilities)
    assert np.array_equal(arrays["available_bps"], REPORT["available_bps"])  # as they were


def test_best_weights_and_the_number_of_draws_can_be_chosen(busy):
    assert Controller.load(busy, weights="best", eval_draws=3).draws == 3
    with pytest.raises(ConfigError, match="mode: 'most' is not one of mean, argmax, sample"):
        Controller.load(busy, mode="most")


def test_decide_slot_takes_no_names_and_drops_no_flow(busy):
    controller = Controller.load(busy)
    assert len(controller.decide_slot(REPORT, [FLOW, FLOW])) == 2
    with pytest.raises(TypeError):
        controller.decide_slot(REPORT, [FLOW, FLOW], ["a"])


def test_decide_slot_has_a_limit_of_flows(busy):
    controller = Controller.load(busy)
    assert len(controller.decide_slot(REPORT, [FLOW] * MAX_FLOWS)) == MAX_FLOWS
    with pytest.raises(ConfigError, match=f"flows: {MAX_FLOWS + 1} flows is not a list of 1 to {MAX_FLOWS} flows"):
        controller.decide_slot(REPORT, [FLOW] * (MAX_FLOWS + 1))


@pytest.mark.parametrize("mode", ["mean", "argmax", "sample"])
def test_a_nan_in_the_second_flow_gives_the_noise_of_the_first_back(busy, mode, monkeypatch):
    controller = Controller.load(busy, mode=mode)
    right, calls = controller.agent.evaluation_policy, []

    def nan_in_the_second(state, generator):
        calls.append(torch.full((), float("nan") if len(calls) == 1 else 1.0))
        return right(state, generator) * calls[-1]

    monkeypatch.setattr(controller.agent, "evaluation_policy", nan_in_the_second)
    noise = controller.generator.get_state()
    with pytest.raises(NonFiniteError, match="action probabilities: not finite"):
        controller.decide_slot(REPORT, [FLOW] * 3)
    assert len(calls) == 2 and noise.equal(controller.generator.get_state())
    controller.decide(REPORT, FLOW)
    assert not noise.equal(controller.generator.get_state())


def test_drive_asks_for_no_more_flows_at_once_than_a_line_may_hold(busy, monkeypatch):
    found = []
    for most in (MAX_FLOWS, 2):
        monkeypatch.setattr(drive_controller, "MAX_FLOWS", most)
        protocol, asked = LineProtocol(Controller.load(busy)), []

        def ask(line, protocol=protocol, asked=asked):
            asked.append(len(line["flows"]))
            return json.loads(protocol.answer(json.dumps(line).encode()))

        found.append(drive_controller.drive(ask, Simulator(protocol.controller.world)))
        assert sum(asked) == len(found[-1]["completed"]) and (max(asked) == 2) == (most == 2)
    assert all(np.array_equal(found[0][name], found[1][name]) for name in drive_controller.KEPT)
