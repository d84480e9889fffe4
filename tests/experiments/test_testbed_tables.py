"""The tables and the picture of the testbed's page."""

import csv

import numpy as np
import pytest

pytest.importorskip("pandas", reason="needs the extra `experiments`")

import pandas as pd

from experiments import RESULTS
from experiments.analysis import testbed_figure, testbed_tables
from experiments.testbed.cases import AGENT, ALONE_COLUMNS, COLUMNS, FLOW_COLUMNS, SCHEDULERS, TORCH, cases
from experiments.testbed.episode_result import write_csv


def test_pairs_in_the_same_order_by_hand():
    """Of the pairs ab, ac, bc, only bc is turned round; a tie is in no order."""
    one, two = pd.Series([1.0, 2.0, 3.0], list("abc")), pd.Series([1.0, 3.0, 2.0], list("abc"))
    assert testbed_tables.same_order(one, two) == "2 of 3"
    assert testbed_tables.same_order(one, pd.Series([1.0, 1.0, 2.0], list("abc"))) == "2 of 3"


def test_the_tables_show_the_mean_over_seeds():
    """From the committed runs: greedy at load 2 in the kernel, by hand from the file."""
    with (RESULTS / "testbed/runs.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["setting"], row["load"]) == ("fifo", "2.0")]
    mine = [float(row["completion"]) for row in rows if row["scheduler"] == "greedy"]
    table = testbed_tables.scores(RESULTS).splitlines()
    line = next(line for line in table if line.startswith("| 2 | one-step greedy"))
    assert len(mine) == 10 and line.split("|")[3].split(",")[0].strip() == f"{np.mean(mine):.3f}"


def test_differences_are_paired_by_seed_and_stand_beside_the_noise_of_playing_again(tmp_path):
    """Traffic moves all schedulers alike, so it is in no difference; played again, greedy is .01 or .03 lower."""
    (tmp_path / "testbed").mkdir()
    rows = []
    for case in cases():
        completion = 0.5 + case.seed / 100 + 0.2 * (case.scheduler == AGENT)
        completion -= 0.1 * (case.scheduler == TORCH)
        completion -= (case.setting == "again") * (case.scheduler == "greedy") * (0.01 + 0.02 * (case.seed % 2))
        rows.append(dict.fromkeys(COLUMNS, 1.0) | case._asdict() | {"completion": completion})
    write_csv(tmp_path / "testbed/runs.csv", COLUMNS, rows)
    header, _, *lines = testbed_tables.differences(tmp_path).splitlines()
    cells = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in lines}
    assert len(cells) == len(SCHEDULERS) and header.count("load 2") == 3
    usual, again, noise = (cells["one-step greedy (knows the model)"][k].strip() for k in (2, 3, 4))
    assert usual.startswith("+0.200 [+0.200, +0.200]") and again.startswith("+0.220 [")
    assert noise == f"-0.020, {np.std([0.01, 0.03] * 5, ddof=1):.3f}"
    assert testbed_tables.order(tmp_path).count(" of 10 ") == 3 * 2 + 2  # torch is one of no pair
    assert cells["d2sac, deploy"][0].strip() == "-" and cells["d2sac, deploy"][4].strip() == "+0.000, 0.000"


def test_the_time_of_a_flow_that_is_alone_is_a_median(tmp_path):
    (tmp_path / "testbed").mkdir()
    rows = [ALONE_COLUMNS, *(("used connection", 2e6, 1e6, ratio) for ratio in (0.9, 3.0, 1.0))]
    (tmp_path / "testbed/alone.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    lines = testbed_tables.idle(tmp_path).splitlines()
    assert [line for line in lines if "1.000" in line] == ["| 1 Mbit | 1.000 |  |  |  |  |  |"]


@pytest.mark.slow
def test_the_picture_has_the_flows_of_each_setting_in_a_panel_of_its_own(tmp_path, call):
    (tmp_path / "testbed").mkdir()
    rows = [FLOW_COLUMNS, ("fifo", "agent", 0.2, 0.3), ("unpaced", "agent", 0.4, 0.5), ("unpaced", "agent", 0.6, 0.7)]
    (tmp_path / "testbed/flows.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    drawn = [[line.get_xydata().tolist() for line in axis.lines[:2]] for axis in testbed_figure.draw(tmp_path).axes]
    assert drawn == [[[], [[0.2, 0.3]]], [[], []], [[], [[0.4, 0.5], [0.6, 0.7]]]]
    status, out, _ = call(testbed_figure, "--results", tmp_path)
    assert status == 0 and out == f"{tmp_path / 'testbed/testbed.png'}\n"
    assert (tmp_path / "testbed/testbed.png").read_bytes().startswith(b"\x89PNG")


def test_all_schedulers_are_in_the_table_of_fidelity():
    text = testbed_tables.fidelity(RESULTS)
    assert all(testbed_tables.LABELS[name] in text for name in (*SCHEDULERS, TORCH))
