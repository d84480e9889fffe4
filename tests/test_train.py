"""The command line, run as a user would: what it writes, what it refuses, how it stops."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from edgediff import evaluate, storage, train
from edgediff.agent import D2SAC
from edgediff.commandline import guard
from edgediff.replay import Replay
from edgediff.runfolder import newest_state
from edgediff.weights import WEIGHTS, load_weights

TINY = """--epochs 4 --collect-per-epoch 40 --num-envs 4 --updates-per-epoch 3 --batch-size 64 --hidden 16
 --denoising-steps 2 --eval-every 2 --eval-episodes 2 --final-episodes 3 --num-slots 60 --buffer-size 400""".split()
REAL_LOG = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(
    f"2024-05-10 00:00:{k:02d}.5,{100 + 7 * k},{1 + k % 5}\n" for k in range(50)
)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run one of the two programs in an empty folder; return status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def _call(program, *argv):
        status = guard(program.__name__, program.main, [*map(str, argv)])
        return status, *capsys.readouterr()

    return _call


def rows(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def test_a_run_from_start_to_end(call, tmp_path):
    status, out, _ = call(train, "--preset", "quick", "--run", "r", *TINY)
    assert status == 0
    assert (
        "budget: 4 epochs x 40 = 160 transitions (about 3 episodes of 60 flows), 9 gradient steps of 64 samples" in out
    )
    for name in (
        "d2sac, mean of 8",
        "d2sac, argmax",
        "round robin, level 2",
        "random",
        "smallest wait",
        "most available",
        "one-step greedy",
    ):
        assert f"\n{name}" in out
    run = tmp_path / "r"
    trained, scored = rows(run / "train.csv"), rows(run / "evaluation.csv")
    assert [r["epoch"] for r in trained] == ["1", "2", "3", "4"] and [r["epoch"] for r in scored] == ["0", "2", "4"]
    assert [r["gradient_steps"] for r in trained] == ["0", "3", "6", "9"]  # 40 transitions are no batch of 64
    assert trained[0]["loss_q"] == "" and float(trained[1]["loss_q"]) > 0
    assert json.loads((run / "config.json").read_text())["learner"]["batch_size"] == 64
    assert load_weights(run / "last.pt")["epoch"] == 4
    best = max(scored, key=lambda r: float(r["reward"]))
    assert load_weights(run / "best.pt")["epoch"] == int(best["epoch"])
    events = EventAccumulator(str(run)).Reload()
    assert {"train/reward", "train/loss_q", "train/loss_d", "evaluation/completion"} <= set(events.Tags()["scalars"])
    assert [e.step for e in events.Scalars("evaluation/completion")] == [0, 80, 160]

    status, again, _ = call(evaluate, "r")
    assert status == 0 and again.splitlines()[-10:] == out.splitlines()[-12:-2]  # the same table from the saved run


def test_the_same_seed_gives_the_same_run(call, tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert call(train, "--run", name, "--seed", seed, *TINY)[0] == 0
    weights = [load_weights(tmp_path / name / "last.pt")["weights"]["actor"] for name in "abc"]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    assert not all(torch.equal(weights[0][k], weights[2][k]) for k in weights[0])
    assert (tmp_path / "a/train.csv").read_text() == (tmp_path / "b/train.csv").read_text()


def test_evaluation_does_not_touch_training(call, tmp_path):
    call(train, "--run", "a", *TINY)
    call(train, "--run", "b", *TINY, "--eval-every", 1, "--eval-episodes", 1, "--eval-draws", 2)
    assert (tmp_path / "a/train.csv").read_text() == (tmp_path / "b/train.csv").read_text()


def test_training_and_evaluating_on_a_request_log(call, tmp_path):
    (tmp_path / "log.csv").write_text(REAL_LOG)
    status, out, _ = call(train, "--run", "r", "--trace", "log.csv", *TINY)
    assert status == 0 and "requests of log.csv" in out
    (tmp_path / "other.csv").write_text(REAL_LOG.replace("2024", "2023"))
    status, out, _ = call(evaluate, "r", "--trace", "other.csv", "--load", 2, "--mode", "argmax", "--final-episodes", 2)
    assert status == 0 and "load 2, requests of other.csv; 2 held-out episodes" in out and "d2sac, argmax" in out


@pytest.mark.parametrize("mode", D2SAC.MODES)
def test_evaluation_modes_repeat(call, mode):
    call(train, "--run", "r", *TINY)
    one, two = (call(evaluate, "r", "--mode", mode, "--weights", "best", "--eval-draws", 2) for _ in range(2))
    assert one == two and one[0] == 0


MISTAKES = [
    ("--no-such-flag 1", "--no-such-flag"),
    ("--batch 64", "--batch"),  # no abbreviations
    ("--batch-size", "batch-size"),
    ("--batch-size x", "batch_size: 'x' is not a whole number from 1 to 1000000"),
    ("--batch-size 1.5", "batch_size: '1.5'"),
    ("--denoising-steps 0", "denoising_steps: 0 is not a whole number from 1 to 1000"),
    ("--batch-size 600 --buffer-size 500", "batch_size: 600 is not at most buffer_size (500)"),
    ("--n-step 0", "n_step: 0"),
    ("--load -1", "load: -1.0 is not a number above 0 and at most 100"),
    ("--load nan", "load: nan"),
    ("--gamma 1.5", "gamma: 1.5 is not a number from 0 to 1"),
    ("--beta-max 100 --denoising-steps 1", "beta_max: 100.0 is not small enough for 1 denoising steps"),
    ("--hidden 0", "hidden: 0 is not a whole number from 1 to 4096"),
    ("--preset huge", "preset: 'huge' is not one of paper, quick, agod"),
    ("--trace none.csv", "trace: none.csv: No such file"),
    ("--device tpu", "device: 'tpu' is not one of cpu, cuda"),
]


@pytest.mark.parametrize("flags, message", MISTAKES, ids=[flags for flags, _ in MISTAKES])
def test_mistakes_are_one_line_and_status_2(call, tmp_path, flags, message):
    status, out, err = call(train, "--run", "r", *flags.split())
    assert status == 2 and out == "" and err.count("\n") == 1
    assert err.startswith("edgediff.train: ") and message in err
    assert os.listdir(tmp_path) == []  # nothing was written


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_absent_gpu_is_said(call):
    status, _, err = call(train, "--device", "cuda")
    assert status == 2 and "device: cuda is not available" in err


def test_an_existing_folder_is_never_written_to(call, tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r/last.pt").write_text("precious")
    status, _, err = call(train, "--run", "r", *TINY)
    assert (
        status == 2 and err == "edgediff.train: run: r exists and is left as it is; name a folder that does not exist\n"
    )
    assert os.listdir(tmp_path / "r") == ["last.pt"] and (tmp_path / "r/last.pt").read_text() == "precious"


def test_a_folder_that_cannot_be_made(call, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, err = call(train, "--run", "file/r", *TINY)
    assert status == 2 and err.startswith("edgediff.train: run: file/r cannot be created") and err.count("\n") == 1


@pytest.mark.parametrize(
    "argv, message",
    [
        (["none"], "run: none/last.pt does not exist"),
        (["r", "--mode", "best"], "mode: 'best' is not one of mean, argmax, sample"),
        (["r", "--weights", "first"], "weights: 'first' is not one of last, best"),
        (["r", "--eval-draws", "0"], "eval_draws: 0"),
        (["none\nhere"], "run: none here/last.pt does not exist"),
        (["r", "--load", "0"], "load: 0.0 is not"),
        (["r", "--num-gateways", "4"], "num_gateways: 4 is not 8, as in the run"),
        ([], "RUN"),
    ],
)
def test_evaluate_refuses_as_plainly(call, argv, message):
    call(train, "--run", "r", *TINY)
    status, out, err = call(evaluate, *argv)
    assert status == 2 and out == "" and err.count("\n") == 1 and message in err


def test_nan_stops_the_run_names_step_and_quantity_and_keeps_good_weights(call, tmp_path, monkeypatch):
    """The fifth gradient step goes bad, in the third epoch: the weights of the second one stay."""
    right, calls = D2SAC.update, []

    def wrong(self, batch):
        calls.append(1)
        metrics = right(self, batch)
        return metrics | {"loss_q": metrics["loss_q"] * float("nan")} if len(calls) == 5 else metrics

    monkeypatch.setattr(D2SAC, "update", wrong)
    status, _, err = call(train, "--run", "r", *TINY)
    assert status == 1
    reason = "loss_q: nan at gradient step 5 (epoch 3, after gradient step 3)"
    assert err.splitlines()[-1] == f"stopped: {reason}; the last good weights are in r/last.pt"
    assert load_weights(tmp_path / "r/last.pt")["epoch"] == 2


def test_nan_in_an_observation_stops_the_run(call, monkeypatch):
    from edgediff import simulator

    right, calls = simulator.observe, []

    def wrong(world, view):
        state = right(world, view)
        calls.append(len(state) == 4)  # the four environments of training
        return state * float("nan") if sum(calls) > 15 else state

    monkeypatch.setattr(simulator, "observe", wrong)
    status, _, err = call(train, "--run", "r", *TINY)
    last = err.splitlines()[-1]
    assert status == 1 and last.startswith("stopped: ") and "last good weights" in last
    assert "next_state: nan" in last and "(epoch 2, after gradient step 0)" in last


def test_weights_that_cannot_act_never_replace_those_that_can(call, tmp_path, monkeypatch):
    """Every weight is finite after the fifth gradient step, but the chain that they make is not."""
    right, calls = D2SAC.update, []

    def wrong(self, batch):
        calls.append(1)
        metrics = right(self, batch)
        if len(calls) == 5:
            with torch.no_grad():
                self.actor.rest[-1].bias.fill_(3e38)
        return {name: torch.zeros(()) for name in metrics}

    monkeypatch.setattr(D2SAC, "update", wrong)
    status, _, err = call(train, "--run", "r", *TINY)
    assert status == 1 and err.splitlines()[-1].startswith("stopped: action probabilities: not finite (epoch 3")
    assert load_weights(tmp_path / "r/last.pt")["epoch"] == 2
    assert call(evaluate, "r", "--mode", "sample")[0] == 0


def test_weights_that_are_not_finite_are_refused(call, tmp_path):
    call(train, "--run", "r", *TINY)
    content = storage.read(tmp_path / "r/last.pt", WEIGHTS)
    content["weights"]["actor"]["first.bias"][0] = float("nan")
    storage.write(tmp_path / "r/last.pt", WEIGHTS, content)
    status, out, err = call(evaluate, "r")
    assert status == 2 and out == "" and err.count("\n") == 1 and "weights of actor are not all finite" in err


def test_the_loop_stores_what_truncation_asks_for(call, monkeypatch):
    """Episodes of 15 slots end while collecting: the true last state is stored, as truncated, not as terminated."""
    stored, right = [], Replay.add
    monkeypatch.setattr(Replay, "add", lambda self, *step: stored.append(step) or right(self, *step))
    asked, sample = [], Replay.sample
    monkeypatch.setattr(Replay, "sample", lambda self, *given: asked.append(given[:3]) or sample(self, *given))
    assert call(train, "--run", "r", *TINY, "--num-slots", 15, "--n-step", 2, "--gamma", 0.9)[0] == 0
    assert set(asked) == {(64, 2, 0.9)}
    assert np.array([step[5] for step in stored]).any() and not np.array([step[4] for step in stored]).any()
    for now, later in zip(stored, stored[1:]):
        goes_on = (now[3] == later[0]).all(axis=1)  # is the stored next state where the next step starts?
        assert np.array_equal(goes_on, ~now[5])


def test_a_full_disk_is_an_error_that_is_seen(call, tmp_path, monkeypatch):
    right, calls = torch.save, []

    def full(content, file):
        calls.append(1)
        if len(calls) > 5:
            file.write(b"half a file")
            raise OSError(28, "No space left on device")
        right(content, file)

    monkeypatch.setattr(torch, "save", full)
    status, _, err = call(train, "--run", "r", *TINY)
    assert status == 2 and "cannot be written" in err and "No space left" in err
    assert load_weights(tmp_path / "r/last.pt") and not list((tmp_path / "r").glob("*.tmp"))
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert call(train, "--resume", "r")[0] == 0  # goes on once there is space


def test_a_malformed_log_on_the_command_line(call, tmp_path):
    (tmp_path / "log.csv").write_text(REAL_LOG.replace("00:00:07.5", "noon"))
    status, out, err = call(train, "--run", "r", "--trace", "log.csv", *TINY)
    assert status == 2 and out == "" and err.startswith("edgediff.train: trace: log.csv, line 9: TIMESTAMP")
    assert os.listdir(tmp_path) == ["log.csv"]


def test_a_folder_without_permission(call, monkeypatch):
    def refuse(path, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    status, _, err = call(train, "--run", "r", *TINY)
    assert status == 2 and err == "edgediff.train: run: r cannot be created (Permission denied)\n"


@pytest.mark.parametrize("moment", ["reset", "compare"])
def test_an_interrupt_at_an_odd_moment(call, monkeypatch, moment):
    """During the very first reset, before the loop listens for signals, and during the final table, after it."""

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    if moment == "reset":
        monkeypatch.setattr(train.Simulator, "reset", interrupt)
    else:
        right, calls = train.compare, []
        monkeypatch.setattr(
            train, "compare", lambda *a: calls.append(1) or (interrupt if len(calls) > 3 else right)(*a)
        )
    status, _, err = call(train, "--run", "r", *TINY)
    last = "nothing saved yet" if moment == "reset" else "all is saved; go on with: python -m edgediff.train --resume r"
    assert status == 130 and err.splitlines()[-1] == f"stopped; {last}"


def test_the_expected_time_is_said(call):
    _, out, _ = call(train, "--run", "r", *TINY, "--epochs", 8)
    assert "expected: about 0 minutes more" in out


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_says_where(tmp_path, number, status):
    process = start(tmp_path)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status and "Traceback" not in err
    assert err.splitlines()[-1] == "stopped; all is saved; go on with: python -m edgediff.train --resume r"
    at = newest_state(tmp_path / "r")["progress"]
    assert at["epoch"] > 0 and load_weights(tmp_path / "r/last.pt")["epoch"] == at["epoch"] - 1


def test_a_second_signal_ends_at_once_and_corrupts_nothing(tmp_path):
    """Gradient steps that take forever: the first signal waits for the step, the second one does not."""
    driver = (
        "import sys, time; from edgediff import agent, commandline, train\n"
        "agent.D2SAC.update = lambda *_: open('reached', 'w').close() or time.sleep(600)\n"
        "sys.exit(commandline.guard('edgediff.train', train.main, sys.argv[1:]))"
    )
    process = subprocess.Popen([sys.executable, "-c", driver, "--run", "r", *TINY], cwd=tmp_path)
    wait_for(lambda: (tmp_path / "reached").exists())
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == -signal.SIGTERM
    assert newest_state(tmp_path / "r") and load_weights(tmp_path / "r/last.pt")


def wait_for(condition):
    """Return once a condition holds, within a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def start(folder):
    """Start a run that would take hours; return once it has been through two epochs."""
    command = [sys.executable, "-m", "edgediff.train", "--run", "r", *TINY, "--epochs", "100000"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    table = folder / "r/train.csv"
    wait_for(lambda: table.exists() and len(table.read_text().splitlines()) > 2)
    return process
