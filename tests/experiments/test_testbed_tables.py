"""The tables and the picture of the testbed's page."""

import csv

import numpy as np
import pytest

pytest.importorskip("pandas", reason="needs the extra `experiments`")

import pandas as pd

from experiments import RESULTS
from experiments.analysis import testbed_figure, testbed_tables
from experiments.testbed.cases import ALONE_COLUMNS, FLOW_COLUMNS, SCHEDULERS


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
    assert len(mine) == 3 and line.split("|")[3].split(",")[0].strip() == f"{np.mean(mine):.3f}"


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
    assert all(testbed_tables.LABELS[name] in text for name in SCHEDULERS)
