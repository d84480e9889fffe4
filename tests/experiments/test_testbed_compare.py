"""Comparing schedulers in the kernel: what is played, what is kept, and the tables of it."""

import csv

import numpy as np
import pytest

pytest.importorskip("pandas", reason="needs the extra `experiments`")

import pandas as pd

from experiments import RESULTS
from experiments.testbed import alone, compare, tables
from experiments.testbed.cases import COLUMNS, SCHEDULERS, Case, cases
from experiments.testbed.processes import PartEnded, Stopped, run_testbed

FLOWS = {"dropped": np.array([False, True]), "predicted_s": np.array([0.5, 2.0]), "answered_s": np.array([0.6, np.nan])}


@pytest.fixture
def played(monkeypatch, tmp_path):
    """Compare without a kernel: every case has the number 0.5 for all. Return what was played, in order."""
    played = []

    def measure(case, name):
        played.append(case)
        if case.scheduler == "greedy":
            return ["slots begin 9.0 ms late (p99), allowed are 5 ms"]
        return dict.fromkeys(COLUMNS, "0.5") | case._asdict(), FLOWS

    monkeypatch.setattr(compare, "measure", measure)
    monkeypatch.setattr(compare.network, "enter", lambda: "")
    monkeypatch.setattr(
        compare, "cases", lambda: [Case("fifo", name, 2.0, 0) for name in ("prices", "greedy", "agent")]
    )
    return played


def test_every_run_is_played_once():
    assert len({*cases()}) == len(cases()) == 120


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


def test_a_file_that_is_no_result_of_the_comparison_is_not_overwritten(played, tmp_path, call):
    (tmp_path / "runs.csv").write_text("a,b\n1,2\n")
    status, out, err = call(compare, "--results", tmp_path)
    assert (status, out, played) == (2, "", []) and f"results: {tmp_path / 'runs.csv'} has other columns than" in err
    assert (tmp_path / "runs.csv").read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize(
    "error, status, line",
    [(PartEnded("users: not done in time"), 1, "compare: users: not done in time\n"),
     (Stopped(15), 143, "compare: stopped by a signal; the network is taken down\n")],
)  # fmt: skip
def test_what_ends_a_comparison_is_one_line_and_the_runs_before_are_kept(
    played, tmp_path, monkeypatch, capsys, error, status, line
):
    right = compare.measure

    def measure(case, name):
        if case.scheduler == "agent":
            raise error
        return right(case, name)

    monkeypatch.setattr(compare, "measure", measure)
    monkeypatch.setattr(compare, "tqdm", lambda left, **_: left)
    assert run_testbed("compare", compare.main, ["--results", str(tmp_path)]) == status
    assert capsys.readouterr().err == line and "\nfifo,prices,2.0,0," in (tmp_path / "runs.csv").read_text()


def test_pairs_in_the_same_order_by_hand():
    """Of the pairs ab, ac, bc, only bc is turned round; a tie is in no order."""
    one, two = pd.Series([1.0, 2.0, 3.0], list("abc")), pd.Series([1.0, 3.0, 2.0], list("abc"))
    assert tables.same_order(one, two) == "2 of 3"
    assert tables.same_order(one, pd.Series([1.0, 1.0, 2.0], list("abc"))) == "2 of 3"


def test_the_tables_show_the_mean_over_seeds():
    """From the committed runs: greedy at load 2 in the kernel, by hand from the file."""
    with (RESULTS / "testbed/runs.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["setting"], row["load"]) == ("fifo", "2.0")]
    mine = [float(row["completion"]) for row in rows if row["scheduler"] == "greedy"]
    line = next(line for line in tables.scores(RESULTS).splitlines() if line.startswith("| 2 | one-step greedy"))
    assert len(mine) == 3 and line.split("|")[3].split(",")[0].strip() == f"{np.mean(mine):.3f}"


def test_all_schedulers_are_in_the_table_of_fidelity():
    text = tables.fidelity(RESULTS)
    assert all(tables.LABELS[name] in text for name in SCHEDULERS)
