"""What the testbed shows: the same arithmetic as the simulator's score, and no numbers from a run that went wrong."""

import numpy as np
import pytest
from measured import FIDELITY, row

from edgediff.config import WorldConfig
from edgediff.world.rollout import summarise
from experiments.testbed.episode import WithoutWait, find
from experiments.testbed.episode_result import PROCESSES, breaches, deviations, merged, report, scores, write_flows

GIVEN = {"world": {"num_slots": 100}, "learner": {}, "run": {}}


@pytest.fixture
def simulated():
    return find("most-available", GIVEN).simulated()


def as_measured(simulated, **changes):
    """Return what the users would find if the kernel did just what the simulator does."""
    rows = []
    for delay_s, dropped, completed in zip(*(simulated[k] for k in ("delay_s", "dropped", "completed")), strict=True):
        answered_s = None if dropped else delay_s
        rows.append(row(answered_s=answered_s, dropped=bool(dropped), deadline_s=delay_s if completed else 1e-3))
    return {"flows": rows, "fidelity": FIDELITY | changes, "asked_ms": [1.0, 1.0, 3.0]}


def test_a_kernel_that_does_as_the_simulator_has_its_score(simulated):
    flows = merged(as_measured(simulated), simulated, WorldConfig())
    kernel, simulator, wanted = scores(flows), scores(flows, "simulated_"), summarise(simulated)
    assert kernel == simulator
    for name in ("completion", "latency_s", "latency_p95_s", "dropped"):
        assert kernel[name] == pytest.approx(wanted[name], rel=1e-12)


def test_a_dropped_flow_counts_with_the_drop_limit_and_one_that_came_late_with_its_time():
    found = {"flows": [row(dropped=True, answered_s=None), row(answered_s=2.5)]}
    flows = merged(found, {name: np.zeros(2) for name in ("completed", "delay_s", "dropped")}, WorldConfig())
    assert flows["delay_s"].tolist() == [2.0, 2.5] and not flows["completed"].any()


def test_the_end_of_a_run_shows_kernel_and_simulator(simulated):
    found = as_measured(simulated)
    text = report(merged(found, simulated, WorldConfig()), found).splitlines()
    assert text[1].split()[3:] == text[2].split()[3:] and f"{simulated['completed'].mean():.1%}" in text[1]
    assert "p50 1.00 ms, p99 2.96 ms, at most 3.00 ms; a flow begins 10.0 ms after its slot" in text[4]
    assert "slots 1.0 ms late (p99), at most 2.0 ms, answers at most 3.0 ms late; 1.000 of the length" in text[5]
    assert "controller 0.20; stood still for at most: users 4.0 ms, edge server 5.0 ms, controller 6.0 ms" in text[6]


@pytest.mark.parametrize(
    "name, value, words",
    [("late_p99_s", 0.02, "20.0 ms late"), ("link", 1.2, "1.20 times"), ("length", 1.05, "1.050 times"),
     ("late_max_s", 0.2, "a slot begins 200.0 ms late, allowed are 30 ms"),
     ("answer_late_max_s", 0.2, "an answer comes 200.0 ms after T_proc, allowed are 30 ms"),
     ("users", 0.9, "users: 0.90"), ("edge server", 0.9, "edge server: 0.90"), ("controller", 0.9, "controller: 0.90")],
)  # fmt: skip
def test_a_run_that_was_not_true_to_its_plan_is_named(simulated, name, value, words):
    assert breaches(FIDELITY, merged(as_measured(simulated), simulated, WorldConfig())) == []
    (only,) = breaches(FIDELITY | {name: value}, merged(as_measured(simulated), simulated, WorldConfig()))
    assert words in only


@pytest.mark.parametrize("part", PROCESSES)
def test_a_part_that_has_stood_still_is_named(simulated, part):
    flows = merged(as_measured(simulated), simulated, WorldConfig())
    for stall_s, words in ((0.029, []), (0.3, [f"{part}: stood still for 300.0 ms, allowed are 30 ms"])):
        assert breaches(FIDELITY | {"stall_s": FIDELITY["stall_s"] | {part: stall_s}}, flows) == words


def test_a_flow_without_an_answer_is_named(simulated):
    found = as_measured(simulated)
    found["flows"][3]["answered_s"] = None
    assert breaches(FIDELITY, merged(found, simulated, WorldConfig())) == ["flows that never got an answer: 1"]


def test_the_terms_of_the_model_by_hand():
    """Predicted 0.5 + 0.2 s and a wait of 0.05 s; sent in 0.52 s after 0.01 s; 0.01 s late after T_proc."""
    found = {"flows": [row(), row(dropped=True, answered_s=None, arrived_s=None, rate_bps=0.0)]}
    simulated = {name: np.zeros(2) for name in ("completed", "delay_s", "dropped")}
    terms = deviations(merged(found, simulated, WorldConfig()))
    wanted = {"begun_s": 0.01, "sending_p50": 1.04, "wait_unsent_s": 0.05, "wait_fifo_s": 0.0, "wait_real_s": 0.02,
              "processing_late_s": 0.01, "error_mean_s": -0.01, "held_ratio": 0.53 / 0.55}  # fmt: skip
    assert {name: terms[name] for name in wanted} == pytest.approx(wanted)


def test_flows_are_written_one_a_line(tmp_path, simulated):
    flows = merged(as_measured(simulated), simulated, WorldConfig())
    write_flows(tmp_path / "flows.csv", flows)
    header, *lines = (tmp_path / "flows.csv").read_text().splitlines()
    assert header.split(",") == [*flows] and len(lines) == len(simulated["dropped"])
    assert lines[0].startswith("1,0,4e+06,10,0,0,0,2e+06,2,")


def test_without_the_wait_a_flow_takes_sending_and_processing_only():
    scheduler = find("round-robin", GIVEN | {"world": {"num_slots": 100, "load": 2.0}})
    with_wait, without = scheduler.simulated(), scheduler.simulated(WithoutWait)
    simulator = WithoutWait.of(scheduler.settings)
    simulator.reset(scheduler.traffic_seed)
    simulator.backlog_bits[:] = 1e9
    assert simulator.view().backlog_bits.max() == 0 and np.isfinite(simulator.outcomes().delay_s).all()
    assert without["completed"].mean() > with_wait["completed"].mean()
