"""The two programs, run as a user would: what they write, what they refuse, how they stop."""

import functools
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from tiny import LOG, TINY, is_caught, newest, points, rows, start, wait_for

from edgediff import evaluate, train
from edgediff.learner.d2sac import D2SAC
from edgediff.learner.replay import Replay
from edgediff.run.atomic import UNFINISHED
from edgediff.run.weights import read_weights
from edgediff.world import state
from edgediff.world.rules import all_rules

pytestmark = pytest.mark.slow

LARGER = [*TINY, *"--collect-per-epoch 40 --batch-size 64 --num-slots 60 --buffer-size 400".split()]


@pytest.mark.line(1, 2, 3, 4, 20, 21, 22, 23, 24, 25)
def test_a_run_from_start_to_end(call, tmp_path):
    """Lines 1-25: four epochs of 40 transitions leave tables, curves, and the last and the best policy."""
    status, out, _ = call(train, "--preset", "quick", "--run", "r", *LARGER)
    assert status == 0
    budget = "4 epochs x 40 = 160 transitions (about 3 episodes of 60 flows), 9 gradient steps of 64 samples"
    assert f"budget: {budget}" in out
    run = tmp_path / "r"
    trained, scored = rows(run / "train.csv"), rows(run / "evaluation.csv")
    assert [r["epoch"] for r in trained] == ["1", "2", "3", "4"] and [r["epoch"] for r in scored] == ["0", "2", "4"]
    assert [r["gradient_steps"] for r in trained] == ["0", "3", "6", "9"]  # 40 transitions are no batch of 64
    assert trained[0]["loss_q"] == "" and float(trained[1]["loss_q"]) > 0
    assert json.loads((run / "config.json").read_text())["learner"]["batch_size"] == 64
    assert read_weights(run / "last.pt")[1] == 4
    best = max(scored, key=lambda r: float(r["reward"]))
    assert read_weights(run / "best.pt")[1] == int(best["epoch"])
    drawn = points(run)
    assert {"train/reward", "train/loss_q", "train/loss_d", "evaluation/completion"} <= set(drawn)
    assert [step for step, _ in drawn["evaluation/completion"]] == [0, 80, 160]


def test_train_shows_four_rows_of_the_table_that_evaluate_shows_whole(call):
    _, out, _ = call(train, "--run", "r", *TINY)
    status, whole, _ = call(evaluate, "r")
    assert status == 0
    heading, *short = out[out.index("last weights\n") :].strip().splitlines()[1:6]
    assert [line[:20].strip() for line in short] == [
        "d2sac, mean of 8", "round robin, level 2", "one-step greedy (kno", "greedy with admissio"]  # fmt: skip
    assert heading.split() == "completion reward latency s p95 latency s dropped".split()
    lines = whole.splitlines()[2:]
    assert len(lines) == 2 + len(all_rules())  # two modes of the agent
    starts = [" ".join(line.split()) for line in lines]
    for line in short:
        assert any(start.startswith(" ".join(line.split())) for start in starts), line


def test_the_same_seed_gives_the_same_run_and_another_seed_another(call, tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert call(train, "--run", name, "--seed", seed, *TINY)[0] == 0
    weights = [read_weights(tmp_path / name / "last.pt")[2]["actor"] for name in "abc"]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    assert not all(torch.equal(weights[0][k], weights[2][k]) for k in weights[0])
    assert (tmp_path / "a/train.csv").read_text() == (tmp_path / "b/train.csv").read_text()


def test_evaluation_does_not_touch_training(call, tmp_path):
    call(train, "--run", "a", *TINY)
    call(train, "--run", "b", *TINY, "--eval-every", 1, "--eval-episodes", 1, "--eval-draws", 2)
    assert (tmp_path / "a/train.csv").read_text() == (tmp_path / "b/train.csv").read_text()


def test_training_and_evaluating_on_a_request_log(call, tmp_path):
    (tmp_path / "log.csv").write_text(LOG)
    status, out, _ = call(train, "--run", "r", "--trace", "log.csv", *TINY)
    assert status == 0 and "requests of log.csv" in out and "log (Azure): 50 requests in 0.0136 h, 1 per s, " in out
    (tmp_path / "other.csv").write_text(LOG.replace("2024", "2023"))
    status, out, _ = call(evaluate, "r", "--trace", "other.csv", "--load", 2, "--mode", "argmax", "--final-episodes", 3)
    assert status == 0 and "load 2, requests of other.csv; 3 held-out episodes" in out and "d2sac, argmax" in out


@pytest.mark.parametrize("mode", D2SAC.MODES)
def test_an_evaluation_repeats_to_the_last_digit(call, finished, mode):
    one, two = (call(evaluate, "a", "--mode", mode, "--weights", "best", "--eval-draws", 2) for _ in range(2))
    assert one == two and one[0] == 0


MISTAKES = [
    ("--no-such-flag 1", "unknown setting --no-such-flag\n"),  # nothing is like it
    ("seed 3", "takes no argument 'seed'"),
    ("--batch 64", "--batch; did you mean --batch-size?"),  # no abbreviations
    *((flags, flags.split()[0].lstrip("-").replace("-", "_") + ": ") for flags in """--batch-size x
--batch-size 600 --buffer-size 500
--server-tflops 5e-324
--load-low 2e-6 --load-high 0.0024
--d2sac-beta-max 100 --d2sac-denoising-steps 1
--preset huge
--trace none.csv
--device tpu""".splitlines()),
    ("--batch-size", "batch-size"),
]  # fmt: skip


@pytest.mark.parametrize("flags, message", MISTAKES, ids=[flags for flags, _ in MISTAKES])
def test_a_mistake_is_one_line_that_names_the_setting_and_nothing_is_written(refused, tmp_path, flags, message):
    refused(train, message, "--run", "r", *flags.split())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "argv, message",
    [
        (["none"], "run: none/last.pt does not exist"),
        (["a", "--mode", "best"], "mode: 'best' is not one of mean, argmax, sample"),
        (["a", "--weights", "first"], "weights: 'first' is not one of last, best"),
        (["a", "--eval-draws", "0"], "eval_draws: 0"),
        (["none\nhere"], "run: none here/last.pt does not exist"),
        (["a", "--load", "0"], "load: 0.0 is not"),
        (["a", "--num-gateways", "4"], "num_gateways: 4 is not 8, as in the run"),
        ([], "RUN"),
    ],
)
def test_evaluate_refuses_as_plainly(finished, refused, argv, message):
    refused(evaluate, message, *argv)


@pytest.mark.parametrize("every_s, epoch", [(0, 2), (50, 0)])
def test_nan_names_quantity_step_and_epoch_and_keeps_the_weights_of_the_newest_state(
    call, tmp_path, monkeypatch, every_s, epoch
):
    """The eighth gradient step goes bad, in the third epoch."""
    right, calls = D2SAC.update, []

    def wrong(self, batch):
        calls.append(1)
        metrics = right(self, batch)
        return metrics | {"loss_q": metrics["loss_q"] * float("nan")} if len(calls) == 8 else metrics

    monkeypatch.setattr(D2SAC, "update", wrong)
    status, _, err = call(train, "--run", "r", *TINY, "--checkpoint-every-s", every_s)
    assert status == 1
    reason = "loss_q: nan at gradient step 8 (epoch 3, after gradient step 6)"
    assert err.splitlines()[-1] == f"stopped: {reason}; the last good weights are in r/last.pt"
    assert read_weights(tmp_path / "r/last.pt")[1] == newest(tmp_path / "r")["progress"]["epoch"] == epoch


def test_nan_in_an_observation_stops_the_run(call, monkeypatch):
    right, calls = state.observe, []

    def wrong(world, view):
        found = right(world, view)
        calls.append(len(found) == 4)  # the four environments of training
        return found * float("nan") if sum(calls) > 9 else found

    monkeypatch.setattr(train, "build", functools.partial(train.build, state_of_view=wrong))
    status, _, err = call(train, "--run", "r", *TINY)
    last = err.splitlines()[-1]
    assert status == 1 and last.startswith("stopped: ") and "last good weights" in last
    assert "next_state: nan" in last and "(epoch 2, after gradient step 3)" in last


def test_weights_that_cannot_act_never_replace_those_that_can(call, tmp_path, monkeypatch):
    """Every weight is finite after the third epoch, but the chain that they make is not."""
    right, calls = D2SAC.update, []

    def wrong(self, batch):
        calls.append(1)
        metrics = right(self, batch)
        if len(calls) == 9:
            with torch.no_grad():
                self.actor.rest[-1].bias.fill_(3e38)
        return {name: torch.zeros(()) for name in metrics}

    monkeypatch.setattr(D2SAC, "update", wrong)
    status, _, err = call(train, "--run", "r", *TINY, "--checkpoint-every-s", 0)
    assert status == 1 and err.splitlines()[-1].startswith("stopped: action probabilities: not finite (epoch 3")
    assert read_weights(tmp_path / "r/last.pt")[1] == 2
    assert call(evaluate, "r", "--mode", "sample")[0] == 0


@pytest.mark.line(5, 6, 7, 8)
def test_the_loop_stores_what_truncation_asks_for(call, monkeypatch):
    """Episodes of 15 slots end while collecting: the true last state is stored, as truncated, not as terminated."""
    stored, right = [], Replay.add
    monkeypatch.setattr(Replay, "add", lambda self, *step: stored.append(step) or right(self, *step))
    asked, sample = [], Replay.sample
    monkeypatch.setattr(Replay, "sample", lambda self, *given: asked.append(given[:3]) or sample(self, *given))
    assert call(train, "--run", "r", *TINY, "--n-step", 2, "--gamma", 0.9)[0] == 0
    assert set(asked) == {(16, 2, 0.9)}
    assert np.array([step[5] for step in stored]).any() and not np.array([step[4] for step in stored]).any()
    for now, later in zip(stored[:-1], stored[1:], strict=True):
        goes_on = (now[3] == later[0]).all(axis=1)  # is the stored next state where the next step starts?
        assert np.array_equal(goes_on, ~now[5]), "at an end, the stored next state is of the new episode"


def test_a_full_disk_is_said_and_the_run_goes_on_once_there_is_space(call, tmp_path, monkeypatch):
    right, calls = os.fsync, []

    def full(handle):
        calls.append(1)
        if len(calls) > 20:
            raise OSError(28, "No space left on device")
        right(handle)

    monkeypatch.setattr(os, "fsync", full)
    status, _, err = call(train, "--run", "r", *TINY, "--checkpoint-every-s", 0)
    assert status == 2 and "cannot be written" in err and "No space left" in err
    assert read_weights(tmp_path / "r/last.pt")
    monkeypatch.setattr(os, "fsync", right)
    assert call(train, "--resume", "r")[0] == 0 and not list((tmp_path / "r").glob(f"*{UNFINISHED}"))


def test_a_full_disk_outside_the_states_is_said_too(call, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edgediff.run.report.Report._log", full)
    status, _, err = call(train, "--run", "r", *TINY)
    assert status == 2 and "No space left" in err and "go on with --resume r" in err


@pytest.mark.parametrize("moment", ["reset", "final_table"])
def test_an_interrupt_before_or_after_the_loop_says_what_is_saved(call, monkeypatch, moment):
    """During the very first reset, before the loop listens for signals, and during the final table, after it."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train.Simulator if moment == "reset" else train, moment, interrupt)
    status, _, err = call(train, "--run", "r", *TINY)
    last = "nothing saved yet" if moment == "reset" else "all is saved; go on with: python -m edgediff.train --resume r"
    assert status == 130 and err.splitlines()[-1] == f"stopped; {last}"


@pytest.mark.usefixtures("signals_heard")
def test_the_first_signal_finishes_the_epoch_says_so_and_saves(tmp_path):
    process = start(tmp_path)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert "\nstopping after this epoch; a second signal stops at once and loses it\n" in err
    assert err.splitlines()[-1] == "stopped; all is saved; go on with: python -m edgediff.train --resume r"
    at = newest(tmp_path / "r")["progress"]["epoch"]
    assert at == len(rows(tmp_path / "r/train.csv")) == read_weights(tmp_path / "r/last.pt")[1] > 0


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc")
@pytest.mark.usefixtures("signals_heard")
def test_a_second_signal_ends_at_once_and_harms_no_file(tmp_path):
    """Gradient steps that take for ever: the first signal waits for the epoch, the second one does not."""
    driver = (
        "import sys, time; from edgediff import train; from edgediff.learner.d2sac import D2SAC\n"
        "D2SAC.update = lambda *_: open('reached', 'w').close() or time.sleep(600)\n"
        "sys.exit(train.run_program('edgediff.train', train.main, sys.argv[1:]))"
    )
    process = subprocess.Popen([sys.executable, "-c", driver, "--run", "r", *TINY], cwd=tmp_path)
    wait_for(lambda: (tmp_path / "reached").exists())
    process.send_signal(signal.SIGINT)
    wait_for(lambda: not is_caught(process, signal.SIGTERM))  # the first has been noted
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == -signal.SIGTERM
    assert newest(tmp_path / "r") and read_weights(tmp_path / "r/last.pt")
    assert not [name for name in os.listdir(tmp_path / "r") if name.endswith(UNFINISHED)]
