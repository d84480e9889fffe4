"""Comparing schedulers in the kernel: what is played, and what is kept."""

import contextlib
import csv
from pathlib import Path

import numpy as np
import pytest
from measured import FIDELITY, row

from edgediff.world.workload import HELD_OUT
from experiments import RESULTS
from experiments.testbed import alone, compare
from experiments.testbed.cases import AGENT, COLUMNS, SCHEDULERS, TORCH, Case, cases
from experiments.testbed.child_processes import ProcessEnded, Stopped, run_testbed
from experiments.testbed.episode import Scheduler, find

FLOWS = {"dropped": np.array([False, True]), "predicted_s": np.array([0.5, 2.0]), "answered_s": np.array([0.6, np.nan])}


@pytest.fixture
def played(monkeypatch, tmp_path):
    """Compare without a kernel: every case has the number 0.5 for all. Return what was played, in order."""
    played = []

    def measure(case, scheduler, name):
        played.append(case)
        if case.scheduler == "greedy":
            return ["slots begin 9.0 ms late (p99), allowed are 5 ms"]
        return dict.fromkeys(COLUMNS, "0.5") | case._asdict(), FLOWS

    monkeypatch.setattr(compare, "measure", measure)
    monkeypatch.setattr(compare.namespaces, "enter", lambda: "")
    monkeypatch.setattr(compare, "exported", contextlib.nullcontext)
    monkeypatch.setattr(compare, "find", lambda run, given: Scheduler(run, None, None))
    monkeypatch.setattr(
        compare, "cases", lambda: [Case("fifo", name, 2.0, 0) for name in ("prices", "greedy", "agent")]
    )
    return played


def rule(load, seed):
    return find("most-available", {"world": dict(load=load), "learner": {}, "run": dict(seed=seed)})


@pytest.fixture
def as_simulated(monkeypatch):
    """Play without a kernel: each flow takes 10 ms longer than in the simulator. Return what a play was told."""
    told, fidelity = {}, FIDELITY.copy()

    def play(scheduler, drawn, name, queue, paced):
        simulated = scheduler.simulated()
        told.update(load=scheduler.settings.world.load, seed=scheduler.traffic_seed, queue=queue, paced=paced)
        rows = [
            row(dropped=bool(dropped), number=k, predicted_s=delay_s, arrived_s=None if dropped else delay_s,
                answered_s=None if dropped else delay_s + 0.01, **flow)
            for k, (flow, delay_s, dropped) in enumerate(
                zip(drawn["flows"], simulated["delay_s"], simulated["dropped"], strict=True))]  # fmt: skip
        return {"flows": rows, "fidelity": fidelity, "asked_ms": [1.0, 3.0], "overgranted": 0.25}

    monkeypatch.setattr(compare, "play", play)
    return told, fidelity


def test_a_run_of_the_comparison_is_a_row_with_kernel_simulator_and_terms(as_simulated):
    told, _ = as_simulated
    row, flows = compare.measure(Case("unpaced", "most-available", 0.5, 1), rule(load=0.5, seed=1), "x")
    assert told == {"load": 0.5, "seed": HELD_OUT + 2, "queue": "unsent", "paced": False}
    assert set(row) == {*COLUMNS} and row["flows"] == len(flows["slot"]) > 300
    assert float(row["error_mean_s"]) == pytest.approx(0.01) and row["overgranted"] == "0.25"
    assert float(row["latency_p50_s"]) == pytest.approx(float(row["simulated_latency_p50_s"]) + 0.01, abs=1e-4)
    assert float(row["without_wait_latency_s"]) < float(row["simulated_latency_s"])


def test_a_run_of_the_comparison_that_was_not_true_to_its_plan_has_no_row(as_simulated):
    as_simulated[1]["late_p99_s"] = 0.009
    found = compare.measure(Case("fifo", "most-available", 0.5, 0), rule(load=0.5, seed=0), "x")
    assert found == ["slots begin 9.0 ms late (p99), allowed are 5 ms"]


def test_every_run_is_played_once_and_all_schedulers_meet_each_traffic():
    assert len({*cases()}) == len(cases()) == 240
    usual = [case._replace(scheduler="") for case in cases() if case.scheduler != TORCH]
    assert all(len({*group}) == 1 for group in zip(*[iter(usual)] * len(SCHEDULERS), strict=True))


def test_agents_take_turns_and_rules_play_by_their_settings(finished):
    """Weights of priorities change what a rule does; those of the paper would be another game."""
    agents = [str(finished), str(RESULTS / "agent")]
    for scheduler, of_turn in ((AGENT, agents), (TORCH, agents[::-1])):
        turns = [Case("fifo", scheduler, 2.0, seed) for seed in range(3)]
        names = [compare.scheduler_of(case, runs=agents[::-1], files=agents).name for case in turns]
        assert names == [of_turn[0], of_turn[1], of_turn[0]]
    greedy = compare.scheduler_of(Case("fifo", "greedy", 2.0, 3), [], agents)
    world = greedy.settings.world
    assert (world.load, world.priority3_weight, greedy.traffic_seed, greedy.agent) == (2.0, 2.0, HELD_OUT + 4, None)


@pytest.mark.slow
def test_agents_that_decide_without_torch_are_there_as_long_as_they_are_played(finished):
    pytest.importorskip("onnx", reason="needs the extra `onnx`")
    with compare.exported([str(finished), str(RESULTS / "agent")]) as files:
        networks = [find(file, {"world": {}, "learner": {}, "run": {}}).settings.learner.network for file in files]
        assert networks == ["mlp", "shared"]
    assert not any(Path(file).exists() for file in files)


def test_a_run_that_is_there_is_not_played_again_and_one_without_numbers_is_named(played, tmp_path, call):
    status, out, _ = call(compare, "--results", tmp_path)
    assert status == 1 and out.startswith("Case(setting='fifo', scheduler='greedy'") and "9.0 ms late" in out
    assert [case.scheduler for case in played] == ["prices", *["greedy"] * 3, "agent"]
    rows = (tmp_path / "runs.csv").read_text()
    played.clear()
    assert call(compare, "--results", tmp_path)[0] == 1
    assert {case.scheduler for case in played} == {"greedy"} and (tmp_path / "runs.csv").read_text() == rows


def test_the_picture_gets_the_flows_of_some_runs_that_were_not_dropped(played, tmp_path, call):
    wanted = [{"setting": "fifo", "scheduler": "agent", "predicted_s": "0.5", "measured_s": "0.6"}]
    for _ in range(2):  # played again, they are there once
        call(compare, "--results", tmp_path)
        with (tmp_path / "flows.csv").open(newline="") as file:
            assert [*csv.DictReader(file)] == wanted
        (tmp_path / "runs.csv").unlink()


@pytest.mark.parametrize("program", [compare, alone])
def test_results_without_a_folder_are_refused_before_anything_is_played(played, tmp_path, call, program):
    status, out, err = call(program, "--results", tmp_path / "none")
    assert (status, out) == (2, "") and err.endswith(f": results: {tmp_path / 'none'} is no folder\n") and not played


@pytest.mark.parametrize(
    "content, why",
    [(b"a,b\n1,2\n", "is cut, or has other columns than"),
     (b"\xff\xfe\x00", "is no CSV"),
     (",".join(compare.COLUMNS).encode() + b"\n1,2\n", "is cut, or has other columns than")],
)  # fmt: skip
def test_a_file_that_is_no_result_of_the_comparison_is_not_overwritten(content, why, played, tmp_path, call):
    (tmp_path / "runs.csv").write_bytes(content)
    status, out, err = call(compare, "--results", tmp_path)
    assert (status, out, played) == (2, "", []) and f"results: {tmp_path / 'runs.csv'} {why}" in err
    assert err.count("\n") == 1 and (tmp_path / "runs.csv").read_bytes() == content


@pytest.mark.parametrize(
    "error, status, line",
    [(ProcessEnded("users: not done in time"), 1, "compare: users: not done in time\n"),
     (Stopped(15), 143, "compare: stopped by a signal; the network is taken down\n")],
)  # fmt: skip
def test_what_ends_a_comparison_is_one_line_and_the_runs_before_are_kept(
    played, tmp_path, monkeypatch, capsys, error, status, line
):
    right = compare.measure

    def measure(case, *more):
        if case.scheduler == "agent":
            raise error
        return right(case, *more)

    monkeypatch.setattr(compare, "measure", measure)
    monkeypatch.setattr(compare, "tqdm", lambda left, **_: left)
    assert run_testbed("compare", compare.main, ["--results", str(tmp_path)]) == status
    assert capsys.readouterr().err == line and "\nfifo,prices,2.0,0," in (tmp_path / "runs.csv").read_text()
