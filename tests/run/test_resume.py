"""A run that is stopped or killed and goes on, however often, ends with the same bits as one left alone."""

import contextlib
import json
import os
import shutil
import signal

import pytest
import torch
from tiny import LOG, TINY, contents, newest, outcome, rows

from edgediff import train
from edgediff.errors import ConfigError
from edgediff.learner.agents import AGENTS
from edgediff.run import files
from edgediff.run.checkpoint import Checkpointer
from edgediff.run.folder import KIND, checkpoints, reopen
from edgediff.run.start import resume_run
from edgediff.world.simulator import Simulator

pytestmark = pytest.mark.slow

LONGER = [*TINY, "--epochs", "6"]


@pytest.fixture
def stop_again_and_again(call, stop_after):
    """Run b, stop it after some epochs, go on, and so forth up to its end; return how often it was stopped."""

    def _stop(epochs, *flags):
        argv, stops = ("--run", "b", *TINY, *flags), 0
        for each in epochs:
            stop_after(each)
            status, _, err = call(train, *argv)
            if status == 0:
                return stops
            assert status == 143 and "all is saved" in err, err
            argv, stops = ("--resume", "b"), stops + 1
        raise AssertionError("never came to its end")

    return _stop


@pytest.mark.parametrize("agent", AGENTS)
def test_a_run_stopped_after_every_epoch_ends_with_the_same_bits(call, stop_again_and_again, tmp_path, agent):
    assert call(train, "--run", "a", *LONGER, "--agent", agent)[0] == 0
    assert stop_again_and_again([1] * 9, *LONGER, "--agent", agent) == 6
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")
    assert [row["epoch"] for row in rows(tmp_path / "b/train.csv")] == ["1", "2", "3", "4", "5", "6"]


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program catches it."""


@pytest.mark.parametrize("agent", AGENTS)
def test_a_run_killed_within_epochs_ends_with_the_same_bits(call, tmp_path, monkeypatch, agent):
    """States are written now and then; what was logged since the last one is undone."""
    settings = [*LONGER, "--agent", agent, "--checkpoint-every-s", "0.03"]
    assert call(train, "--run", "a", *settings)[0] == 0
    right, argv = Simulator.step, ("--run", "b", *settings)
    for steps in (23, 7, 31, 2, 24, 40, 0):
        left = [steps]

        def step(self, action, left=left):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return right(self, action)

        monkeypatch.setattr(Simulator, "step", step)
        with pytest.raises(Killed) if steps else contextlib.nullcontext():
            assert call(train, *argv)[0] == 0
        argv = "--resume", "b"
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")


def fresh_stream(name):
    return lambda saved, fresh: saved["agent"].update({name: getattr(fresh.agent, name).get_state()})


LEFT_OUT = {
    "replay stream": lambda saved, fresh: saved.update(sampling=fresh.sampling.get_state()),
    "acting stream": fresh_stream("act_stream"),
    "learning stream": fresh_stream("learn_stream"),
    "moments": lambda saved, fresh: saved["agent"].update(moments=fresh.agent.snapshot()["moments"]),
}


@pytest.mark.parametrize("what", LEFT_OUT)
def test_a_state_that_lacks_something_is_found_out(call, stop_again_and_again, tmp_path, monkeypatch, what):
    """Negative control: what is left out of the state starts afresh, and the comparison fails."""
    right = train.restore

    def restore(saved, parts):
        LEFT_OUT[what](saved, parts)
        return right(saved, parts)

    monkeypatch.setattr(train, "restore", restore)
    call(train, "--run", "a", *TINY)
    assert stop_again_and_again([2, 0]) == 1
    assert outcome(tmp_path / "a") != outcome(tmp_path / "b")


def test_a_state_that_lacks_the_simulator_is_found_out_at_the_first_step(call, stop_after, monkeypatch):
    stop_after(2)
    call(train, "--run", "a", *TINY)
    stop_after(0)
    monkeypatch.setattr(Simulator, "load_snapshot", lambda *_: None)
    with pytest.raises(ValueError, match="is not the next state of the step before"):
        call(train, "--resume", "a")


def test_more_epochs_extend_a_run(call, tmp_path):
    call(train, "--run", "a", *TINY, "--epochs", 6)
    call(train, "--run", "b", *TINY, "--epochs", 4)
    status, out, _ = call(train, "--resume", "b", "--epochs", 6, "--checkpoint-every-s", 7)
    assert status == 0 and "extended: epochs: 4 -> 6, after epoch 4" in out
    assert "extended: checkpoint_every_s: 50.0 -> 7.0, after epoch 4" in out
    assert len(json.loads((tmp_path / "b/config.json").read_text())["extended"]) == 2
    a, b = outcome(tmp_path / "a"), outcome(tmp_path / "b")
    assert all(a[key] == b[key] for key in ("train.csv", "evaluation.csv", "points"))
    assert all(torch.equal(x, y) for x, y in zip(*(newest(tmp_path / run)["agent"]["weights"]["actor"].values()
                                                   for run in "ab"), strict=True))  # fmt: skip


def test_an_extension_outlives_a_kill_before_the_next_state(call, tmp_path, monkeypatch):
    call(train, "--run", "a", *TINY, "--epochs", 3)
    monkeypatch.setattr(Simulator, "step", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call(train, "--resume", "a", "--epochs", 4)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    status, out, _ = call(train, "--resume", "a")
    assert status == 0 and "4 epochs" in out and newest(tmp_path / "a")["progress"]["epoch"] == 4


def test_a_run_that_ends_before_its_first_checkpoint_leaves_no_folder(call, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Checkpointer, "save", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            call(train, "--run", "a", *TINY)
    assert not (tmp_path / "a").exists()
    assert call(train, "--run", "a", *TINY)[0] == 0


@pytest.mark.parametrize("moment", ["save", "after_epoch"])
def test_a_signal_at_the_very_end_counts(call, monkeypatch, moment):
    """It comes while the last state is written, or after it."""
    right = getattr(Checkpointer, moment)

    def then_a_signal(self):
        right(self)
        if self.progress.epoch == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Checkpointer, moment, then_a_signal)
    status, out, err = call(train, "--run", "a", *TINY)
    assert status == 143 and "all is saved" in err and "last weights" not in out


def test_a_file_of_a_run_that_is_a_link_is_replaced_not_followed(call, stop_after, tmp_path):
    stop_after(2)
    call(train, "--run", "a", *TINY)
    names = "train.csv", "last.pt", "config.json"
    for name in names:
        (tmp_path / f"victim of {name}").write_text("precious")
        (tmp_path / "a" / name).unlink()
        (tmp_path / "a" / name).symlink_to(tmp_path / f"victim of {name}")
    stop_after(0)
    assert call(train, "--resume", "a")[0] == 0
    assert all((tmp_path / f"victim of {name}").read_text() == "precious" for name in names)


def test_a_finished_run_shows_its_table_again(call):
    _, first, _ = call(train, "--run", "a", *TINY)
    _, again, _ = call(train, "--resume", "a")
    assert first.splitlines()[-14:] == again.splitlines()[-14:] and "last weights" in first.splitlines()[-14]


@pytest.mark.parametrize(
    "flags, message",
    [
        ("--seed 1", "seed: 1 is not 0, as in the run"),
        ("--threads 2", "threads: 2 is not 1, as in the run"),
        ("--load 2", "load: 2.0 is not 1.0"),
        ("--preset quick", "preset: quick cannot be given together with --resume"),
        ("--epochs 3", "epochs: 3 is not at least 4, as in the run"),
        ("--run b", "run: b cannot be given together with --resume"),
        ("--hidden 0", "hidden: 0 is not"),
    ],
)
def test_what_would_change_the_result_is_refused_by_name(refused, finished, flags, message):
    refused(train, message, "--resume", "a", *flags.split())


def test_a_request_log_may_move_but_not_change(call, refused, tmp_path):
    (tmp_path / "log.csv").write_text(LOG)
    call(train, "--run", "a", *TINY, "--trace", "log.csv")
    status, out, _ = call(train, "--resume", "a")
    assert status == 0 and "log (Azure): 50 requests" in out
    (tmp_path / "log.csv").rename(tmp_path / "moved.csv")
    refused(train, "trace: log.csv: No such file", "--resume", "a")
    assert call(train, "--resume", "a", "--trace", "moved.csv")[0] == 0
    (tmp_path / "log.csv").write_text(LOG.replace(",107,", ",108,"))
    refused(train, "trace: log.csv is not what it was when the run began", "--resume", "a", "--trace", "log.csv")


def test_one_process_at_a_time_has_a_run(call, refused, finished, tmp_path):
    with reopen(tmp_path / "a")[0]:
        refused(train, "run: a is in use by another process", "--resume", "a")
    assert call(train, "--resume", "a")[0] == 0  # the lock file is still there, and nobody holds it


def test_a_lock_that_was_removed_or_holds_rubbish(call, refused, finished, tmp_path):
    (tmp_path / "a/lock").write_bytes(b"\xff" * 200)
    refused(train, "checkpoint-000002.pt is of another run than the folder; move it away", "--resume", "a")
    (tmp_path / "a/lock").unlink()
    assert call(train, "--resume", "a")[0] == 0


@pytest.mark.parametrize("name", ["none", "file", "empty", "r\0"])
def test_what_is_no_folder_of_a_run_is_left_alone(refused, tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    refused(train, "resume: ", "--resume", name)


def test_a_damaged_state_is_refused_and_without_it_the_older_one_goes_on(
    call, refused, stop_after, stop_again_and_again, tmp_path
):
    call(train, "--run", "a", *TINY)
    with pytest.raises(AssertionError, match="never came to its end"):
        stop_again_and_again([1, 1])
    older, damaged = checkpoints(tmp_path / "b")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    refused(train, f"b/{damaged.name} is damaged or no file of edgediff", "--resume", "b")
    refused(train, f"move it away to go on from {older.name}\n", "--resume", "b")
    damaged.unlink()
    stop_after(0)
    assert call(train, "--resume", "b")[0] == 0
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")


def test_only_the_two_newest_states_stay(call, tmp_path):
    call(train, "--run", "a", *TINY, "--checkpoint-every-s", 0)
    assert [path.name for path in checkpoints(tmp_path / "a")] == ["checkpoint-000004.pt", "checkpoint-000005.pt"]


FORGED = {
    "settings out of range": (lambda s: s["learner"].update(hidden=10**9), "not allowed: hidden: 1000000000 is not"),
    "settings of a newer program": (lambda s: s["learner"].update(more=1), "(more)"),
    "another agent": (lambda s: s["learner"].update(agent="ppo"), "does not fit its own settings"),
    "another network": (lambda s: s["learner"].update(hidden=16), "does not fit its own settings"),
    "more rows than the ring has": (lambda s: s["memory"].update(reward=torch.zeros(16, 4)), "does not fit"),
    "no simulator": (lambda s: s.pop("simulator"), "does not fit its own settings"),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_state_that_does_not_fit_is_refused_in_one_line(call, refused, finished, tmp_path, what):
    change, reason = FORGED[what]
    path = checkpoints(tmp_path / "a")[-1]
    content = files.read(path, KIND)
    change(content)
    files.write(path, KIND, content)
    before = contents(tmp_path)
    status, _, err = call(train, "--resume", "a")
    assert status == 2 and err.count("\n") == 1 and reason in err, err
    assert before == contents(tmp_path)


def test_a_copy_of_a_run_goes_on_like_the_run(call, stop_after, tmp_path):
    stop_after(2)
    call(train, "--run", "a", *TINY)
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    stop_after(0)
    for name in ("a", "copy"):
        assert call(train, "--resume", name)[0] == 0
    assert outcome(tmp_path / "a") == outcome(tmp_path / "copy")


@pytest.mark.parametrize("lock", ["removed", "empty"])
def test_without_a_lock_the_checkpoint_before_tells_whose_folder_it_is(call, refused, finished, tmp_path, lock):
    assert call(train, "--run", "b", *TINY, "--agent", "ppo", "--epochs", "5")[0] == 0
    shutil.copy(checkpoints(tmp_path / "b")[-1], tmp_path / "a/checkpoint-000099.pt")
    (tmp_path / "a/lock").unlink() if lock == "removed" else (tmp_path / "a/lock").write_text("")
    refused(train, "checkpoint-000099.pt is of another run than the folder", "--resume", "a")


def test_a_resume_that_is_refused_lets_the_folder_go(finished):
    """Also while somebody keeps the error, as a notebook does."""
    with pytest.raises(ConfigError, match="epochs") as kept:
        resume_run(finished, {"learner": {"epochs": 1}})
    assert kept.tb is not None
    with resume_run(finished).folder:
        pass


def test_a_lock_that_is_removed_while_training_is_made_again_unless_another_process_has_one(finished, tmp_path):
    folder, saved = reopen(tmp_path / "a")
    with folder:
        (tmp_path / "a/lock").unlink()
        folder.save(saved)
        assert (tmp_path / "a/lock").read_text() == saved["identity"]
        (tmp_path / "a/lock").unlink()
        other, _ = reopen(tmp_path / "a")
        with other, pytest.raises(ConfigError, match="a has the lock of another process"):
            folder.save(saved)


@pytest.mark.parametrize("name", ["train.csv", "evaluation.csv", "config.json", "tensorboard"])
def test_an_output_that_cannot_be_written_at_the_start_is_named_and_the_run_goes_on(call, finished, tmp_path, name):
    taken = tmp_path / "a" / name
    shutil.rmtree(taken) if taken.is_dir() else taken.unlink()
    taken.write_text("") if name == "tensorboard" else taken.mkdir()
    status, out, err = call(train, "--resume", "a", "--epochs", "5")
    assert status == 0 and f"{name}" in out + err and "the run goes on" in out + err
    assert newest(tmp_path / "a")["progress"]["epoch"] == 5
