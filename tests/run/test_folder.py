"""The folder of a run: what is there is never overwritten, and what no folder can be is one line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import TINY, complete, newest, outcome, shell

from edgediff import evaluate, train
from edgediff.run import start as starting
from edgediff.run.checkpoint import Checkpointer
from edgediff.run.folder import checkpoints, create

pytestmark = pytest.mark.slow


def test_a_run_folder_whose_states_were_moved_away_is_not_taken_for_a_new_one(refused, finished):
    (finished / "attic").mkdir()
    for path in checkpoints(finished):
        path.rename(finished / "attic" / path.name)
    refused(train, "run: a exists and is left as it is; name a new folder", "--run", "a", *TINY, "--seed", 5)


def test_a_foreign_folder_with_a_file_called_lock_keeps_all_its_files(refused, tmp_path):
    (tmp_path / "mine").mkdir()
    for name in ("lock", "notes.tmp", "last.pt.tmp"):
        (tmp_path / "mine" / name).write_text("precious")
    refused(train, "run: mine exists and is left as it is", "--run", "mine", *TINY)
    refused(train, "resume: mine holds no checkpoint-*.pt", "--resume", "mine")


def test_going_on_deletes_no_file_that_the_program_does_not_name(call, finished):
    theirs = "notes.tmp", "state-1.pt", "tensorboard/events.out.tfevents.1.mine"
    for name in theirs:
        (finished / name).write_text("precious")
    assert call(train, "--resume", "a")[0] == 0
    assert [(finished / name).read_text() for name in theirs] == ["precious"] * 3


@pytest.mark.parametrize(
    "name", ["n" * 256, "d/" * 2100 + "r", "r\0", "n" * 300 + "/r"], ids=["256", "4096", "nul", "d"]
)
def test_a_name_that_no_file_can_have_is_one_line(refused, name):
    refused(train, "cannot be created", "--run", name, *TINY)
    refused(train, "resume: ", "--resume", name)
    refused(evaluate, "run: ", name)


def test_a_folder_that_cannot_be_locked_is_taken_away_again(refused, monkeypatch):
    """As on a network file system without locks: the next try meets the same error, not a folder that exists."""

    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    for name in ("r", "new/p/q"):
        message = f"run: {name} cannot be written or locked ([Errno 37] No locks available)"
        refused(train, message, "--run", name, *TINY)
        refused(train, message, "--run", name, *TINY)


def test_folders_above_a_run_that_was_not_begun_go_with_it(refused, tmp_path):
    """Those that were made for it; not one that was there before, and not one with anything in it."""
    (tmp_path / "mine").mkdir()
    refused(train, "cannot be created", "--run", "mine/new/" + "n" * 300, *TINY)
    assert os.listdir(tmp_path / "mine") == []
    made = [create(tmp_path / "mine/new" / name, unique=False) for name in "ab"]
    for folder, left in zip(reversed(made), (["new"], []), strict=True):
        with folder:
            pass
        assert os.listdir(tmp_path / "mine") == left


def test_two_runs_that_start_in_the_same_second_get_two_folders(call, tmp_path, monkeypatch):
    now = starting.datetime.now()
    monkeypatch.setattr(starting, "datetime", type("Stopped", (), {"now": lambda: now}))
    outs = [call(train, *TINY, "--seed", seed) for seed in (1, 2, 3)]
    assert [status for status, _, _ in outs] == [0, 0, 0]
    name = f"d2sac-paper-{now:%Y%m%d-%H%M%S}"
    assert sorted(os.listdir(tmp_path / "runs")) == [name, f"{name}--2", f"{name}--3"]
    for (_, out, _), folder in zip(outs, (name, f"{name}--2", f"{name}--3"), strict=True):
        assert f"run folder runs/{folder}\n" in out
    assert newest(tmp_path / "runs" / f"{name}--2")["run"]["seed"] == 2


@pytest.mark.parametrize("special", ["fifo", "device"])
@pytest.mark.parametrize("name", ["checkpoint-000003.pt", "lock", "last.pt"])
def test_a_file_that_never_ends_is_refused_at_once(refused, finished, in_time, name, special):
    (finished / name).unlink(missing_ok=True)
    os.mkfifo(finished / name) if special == "fifo" else (finished / name).symlink_to("/dev/zero")
    if name == "last.pt":
        refused(evaluate, "run: a/last.pt is not a regular file", "a")
    else:
        refused(train, "is not a regular file", "--resume", "a")


@pytest.mark.parametrize("name", ["last.pt", "train.csv", "config.json"])
def test_a_pipe_in_the_place_of_an_output_is_replaced(call, finished, in_time, name):
    before = outcome(finished)
    (finished / name).unlink()
    os.mkfifo(finished / name)
    assert call(train, "--resume", "a")[0] == 0 and (finished / name).is_file() and outcome(finished) == before


def test_a_state_of_another_run_is_refused(call, refused, finished):
    call(train, "--run", "b", *TINY)
    (finished / "checkpoint-000007.pt").write_bytes(checkpoints(finished.parent / "b")[-1].read_bytes())
    refused(train, "a/checkpoint-000007.pt is of another run than the folder; move it away", "--resume", "a")
    (finished / "checkpoint-000007.pt").unlink()
    assert call(train, "--resume", "a")[0] == 0


def test_a_folder_that_is_removed_while_training_is_one_line(call, monkeypatch, tmp_path):
    right = Checkpointer.after_epoch

    def after_epoch(self):
        if self.progress.epoch == 2:
            (tmp_path / "r").rename(tmp_path / "elsewhere")  # at once, while TensorBoard writes in it
        right(self)

    monkeypatch.setattr(Checkpointer, "after_epoch", after_epoch)
    status, _, err = call(train, "--run", "r", *TINY)
    last = err.splitlines()[-1]
    assert status == 2 and last.startswith("edgediff.train: run: r") and "start a new run" in last


def test_no_space_for_the_first_byte_is_one_line_and_leaves_nothing(tmp_path):
    done = shell(tmp_path, "ulimit -f 0; $TRAIN --run r $TINY")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "cannot be written" in done.stderr, done.stderr
    assert not (tmp_path / "r").exists()


def test_a_copied_folder_that_is_not_installed_trains(tmp_path):
    """Package metadata knows nothing of it; a version that was looked up there ended in a traceback."""
    shutil.copytree(Path(train.__file__).parent, tmp_path / "edgediff")
    code = (
        "import importlib.metadata as m, runpy, sys; right = m.version\n"
        "def version(name):\n"
        "    if name == 'edgediff': raise m.PackageNotFoundError(name)\n"
        "    return right(name)\n"
        "m.version = version; runpy.run_module('edgediff.train', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--run", "r", *TINY], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and complete(tmp_path / "r") == 4, done.stderr
