"""Weights and checkpoints that were removed, extended, or written by another version."""

import os

import pytest
import torch
from tiny import TINY, outcome, rows

from edgediff import evaluate, train
from edgediff.run import files
from edgediff.run.folder import KIND
from edgediff.run.weights import read_weights

pytestmark = pytest.mark.slow


def test_weights_that_were_removed_or_emptied_are_written_again(call, finished):
    before = outcome(finished)
    (finished / "last.pt").unlink()
    (finished / "best.pt").write_bytes(b"")
    assert call(train, "--resume", "a")[0] == 0
    assert before == outcome(finished)


def test_the_true_best_weights_come_back_although_no_later_epoch_is_better(call, finished, monkeypatch):
    before = read_weights(finished / "best.pt")
    (finished / "best.pt").unlink()
    right = train.score
    monkeypatch.setattr(train, "score", lambda *given: right(*given) | {"reward": -100.0})
    assert call(train, "--resume", "a", "--epochs", 8)[0] == 0
    after = read_weights(finished / "best.pt")
    assert before[1] == after[1] <= 4
    assert all(torch.equal(value, after[2]["actor"][name]) for name, value in before[2]["actor"].items())
    scored = [float(row["reward"]) for row in rows(finished / "evaluation.csv")]
    assert rows(finished / "evaluation.csv")[scored.index(max(scored))]["epoch"] == str(after[1])


def test_extending_a_run_says_which_evaluation_stays(call, tmp_path):
    call(train, "--run", "a", *TINY, "--epochs", 3)
    _, out, _ = call(train, "--resume", "a", "--epochs", 4)
    assert "epochs: 3 -> 4, after epoch 3; evaluation.csv keeps the evaluation at the old end\n" in out
    assert [row["epoch"] for row in rows(tmp_path / "a/evaluation.csv")] == ["0", "2", "3", "4"]


def test_files_of_the_version_before_are_refused_in_one_line(refused, finished, monkeypatch):
    monkeypatch.setattr(files, "VERSION", 3)
    files.write(finished / "checkpoint-000003.pt", KIND, {"progress": {"epoch": 1}, "tables": {}})
    files.write(finished / "last.pt", "weights of edgediff", {"world": {}, "learner": {}, "epoch": 1, "weights": {}})
    monkeypatch.undo()
    os.chdir(finished.parent)
    refused(train, "run: a/checkpoint-000003.pt has version 3; this program reads version 4\n", "--resume", "a")
    refused(evaluate, "run: a/last.pt has version 3; this program reads version 4\n", "a")
