"""What a run reports: means over whole epochs, and evaluations over the loads of training."""

import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from tiny import TINY, outcome, points, rows

from edgediff import train
from edgediff.config import WorldConfig, preset_settings
from edgediff.run.checkpoint import Checkpointer
from edgediff.run.folder import Progress
from edgediff.run.report import Report, clock, mean_metrics, mean_outcome
from edgediff.run.scores import agent_policy, score
from edgediff.run.weights import read_weights
from edgediff.world.simulator import Simulator


def test_mean_metrics_averages_all_updates():
    updates = [{"loss_q": torch.tensor(q), "grad_q": torch.tensor(g)} for q, g in ((1.0, 8.0), (2.0, 6.0), (6.0, 1.0))]
    assert mean_metrics(updates, ("grad_q", "loss_q"), 1) == {"loss_q": 3.0, "grad_q": 5.0}
    assert mean_metrics([], ("loss_q",), 1) == {}


@pytest.mark.parametrize("names", [("loss_q",), ("loss_q", "grad_q", "q")])
def test_mean_metrics_refuses_a_metric_that_is_unknown_or_missing(names):
    with pytest.raises(LookupError, match="^metrics: loss_q, grad_q are not loss_q"):
        mean_metrics([{"loss_q": torch.tensor(1.0), "grad_q": torch.tensor(2.0)}], names, 1)


def test_mean_outcome_averages_all_steps_and_environments():
    def info(reward, completed, delay_s):
        return {"reward": np.array(reward), "completed": np.array(completed), "delay_s": np.array(delay_s)}

    infos = [info([1.0, 3.0], [True, False], [0.5, 0.25]), info([-1.0, -7.0], [True, True], [1.0, 2.25])]
    assert mean_outcome(infos) == {"reward": -1.0, "completion": 0.75, "latency_s": 1.0}


@pytest.mark.parametrize("given, loads", [
    (dict(load=2.0), [2]), (dict(load_low=0.5, load_high=3.0), [1, 2, 3]), (dict(load_low=2.0, load_high=2.0), [2]),
    (dict(load_low=2.0, load_high=3.0), [2, 2.5, 3]), (dict(load_low=0.2, load_high=0.6), [0.6]),
])  # fmt: skip
def test_a_range_of_loads_is_shown_at_three(given, loads):
    assert train.shown_loads(WorldConfig(**given)) == pytest.approx(loads)


def test_a_range_of_loads_is_evaluated_over_the_range(call, tmp_path):
    """The untrained agent, scored once more in the world of training; then the last table, a load after the other."""
    status, out, _ = call(train, "--run", "r", *TINY, "--load-low", "1", "--load-high", "3")
    assert status == 0
    settings, first = read_weights(tmp_path / "r/last.pt")[0], rows(tmp_path / "r/evaluation.csv")[0]
    policy, found = agent_policy(train.build(settings).agent, settings.run)[1], {}
    for name, world in (("range", settings.world), ("one load", settings.world.at_load(1.0))):
        found[name] = score(Simulator(world, settings.run.eval_episodes, state_of_view=None), policy)["reward"]
    assert float(first["reward"]) == pytest.approx(found["range"], rel=1e-4)
    assert found["one load"] != pytest.approx(found["range"], rel=0.01)
    headings = [line for line in out.splitlines() if "; last weights" in line]
    assert [line.split(",")[0] for line in headings] == ["load 1", "load 2", "load 3"]
    rules = [line for line in out.splitlines() if line.startswith(train.SHOWN_RULES)]
    assert len(rules) == len({*rules}) == 3 * len(train.SHOWN_RULES)


def test_tensorboard_shows_every_point_once_also_when_the_clock_was_set_back(call, stop_after, tmp_path, monkeypatch):
    call(train, "--run", "a", *TINY)
    stop_after(3)
    call(train, "--run", "b", *TINY)
    stop_after(0)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 86_400)
    call(train, "--resume", "b")
    assert points(tmp_path / "a") == points(tmp_path / "b")
    assert [step for step, _ in points(tmp_path / "b")["train/reward"]] == [20, 40, 60, 80]


@pytest.mark.slow
def test_tables_and_curves_that_cannot_be_written_never_end_a_run(tmp_path):
    """A limit on the size of files, set after the first epoch, stands for a full disk; a thread writes the curves."""
    driver = (
        "import resource, sys; from edgediff import train; from edgediff.run.checkpoint import Checkpointer\n"
        "Checkpointer.after_epoch = lambda _: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "sys.exit(train.run_program('edgediff.train', train.main, sys.argv[1:]))"
    )
    command = [sys.executable, "-c", driver, "--run", "r", *TINY, "--epochs", "400"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr and "Exception" not in done.stderr
    notes = [line for line in (done.stdout + done.stderr).splitlines() if "cannot be written" in line]
    assert {note.split()[1] for note in notes} == {"train.csv", "evaluation.csv", "tensorboard"} and len(notes) == 3
    assert read_weights(tmp_path / "r/last.pt") and 0 < len(rows(tmp_path / "r/train.csv")) < 400


@pytest.mark.parametrize("what", ["train.csv", "evaluation.csv", "tensorboard"])
def test_what_is_removed_while_training_is_written_again(call, finished, monkeypatch, tmp_path, what):
    right = Checkpointer.after_epoch

    def after_epoch(self):
        right(self)
        if self.progress.epoch == 2:
            (tmp_path / "r" / what).rename(tmp_path / "attic")

    monkeypatch.setattr(Checkpointer, "after_epoch", after_epoch)
    assert call(train, "--run", "r", *TINY)[0] == 0
    if what == "tensorboard":
        assert call(train, "--resume", "r")[0] == 0  # the curves come back with the next start
    assert outcome(tmp_path / "r") == outcome(finished)


@pytest.mark.parametrize(
    ("seconds", "words"), ((89.4, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h"), (36_000, "10.0 h"))
)
def test_times_in_words(seconds, words):
    assert clock(seconds) == words


def test_the_time_to_go_is_that_of_the_epochs_and_evaluations_left(tmp_path):
    settings = preset_settings("paper", {"world": {}, "learner": dict(epochs=100), "run": dict(eval_every=20)})
    report = Report(tmp_path, settings, (), Progress(epoch=0))
    report.progress.epoch, report.evaluation_s = 1, 12.0
    assert report._estimate(2.0).startswith("an epoch takes 2.0 s here, an evaluation 12.0 s: 4 min to go")  # 258 s
    report.progress.epoch, report.evaluation_s = 90, 0.0
    assert report._estimate(2.0).startswith("an epoch takes 2.0 s here: 20 s to go")
    report.writer.close(), report.bar.close()
