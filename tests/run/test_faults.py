"""Faults that a hostile look from outside once found, each tried as a user would meet it.

Those of the experiments, numbers 5 to 7 and 12, are in tests/experiments.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from tiny import TINY, TRAIN, newest, outcome, points, rows, shell, start, wait_for

from edgediff import evaluate, train
from edgediff.errors import ConfigError
from edgediff.run import files
from edgediff.run import start as starting
from edgediff.run.checkpoint import Checkpointer
from edgediff.run.commandline import run_program
from edgediff.run.folder import KIND, checkpoints
from edgediff.run.weights import read_weights

FILES = {"lock", "checkpoint-000001.pt", "checkpoint-000002.pt", "last.pt", "best.pt", "config.json", "train.csv",
         "evaluation.csv", "tensorboard"}  # fmt: skip


# 1. Old data overwritten.


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


# 2. Empty values.


@pytest.mark.parametrize(
    "flags", [["--resume="], ["--resume", ""], ["--resume=--"], ["--run", ""], ["--preset", ""], ["--seed=--"],
              ["--load=--"], ["--agent="], ["--trace", ""]], ids=" ".join)  # fmt: skip
def test_an_empty_value_is_refused(refused, flags):
    name = re.match("--([a-z]+)", flags[0])[1]
    refused(train, f"{name}: the value is empty", *flags, *TINY)


# 3. Losing the output.


def complete(folder):
    assert set(os.listdir(folder)) == FILES
    assert newest(folder)["progress"]["epoch"] == len(rows(folder / "train.csv")) == read_weights(folder / "last.pt")[1]
    return newest(folder)["progress"]["epoch"]


@pytest.mark.slow
def test_a_run_goes_on_when_its_pipe_closes(tmp_path):
    done = shell(tmp_path, "$TRAIN --run r $TINY --epochs 9 --eval-every 1 2>&1 | head -1")
    assert done.returncode == 0 and done.stdout.startswith("edgediff, agent d2sac") and done.stderr == ""
    assert complete(tmp_path / "r") == 9


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
def test_a_run_without_a_display_ends_like_any_other(finished, lost):
    done = shell(finished.parent, f"$TRAIN --run r $TINY {lost}")
    assert done.returncode == 0 and done.stderr == ""
    assert complete(finished.parent / "r") == 4 and outcome(finished.parent / "r") == outcome(finished)


@pytest.mark.slow
def test_scores_that_cannot_be_written_are_an_error(finished):
    done = shell(finished.parent, "$EVALUATE a >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "edgediff.evaluate: the scores cannot be written ([Errno 28] No space left on device)\n"


def test_a_reader_of_scores_may_leave_early(call, finished, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert call(evaluate, "a") == (0, "", "")


@pytest.mark.slow
@pytest.mark.usefixtures("signals_heard")
def test_a_closed_terminal_saves_the_run(tmp_path):
    """SIGHUP comes, and nobody reads what the run still says."""
    process = start(tmp_path)
    process.stdout.close()
    process.stderr.close()
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 129
    assert complete(tmp_path / "r") >= 2


@pytest.mark.parametrize("handler, status, epochs", [(print, 129, 2), (signal.SIG_IGN, 0, 4)])
def test_sighup_stops_a_run_unless_it_was_started_with_nohup(
    call, stop_after, tmp_path, monkeypatch, handler, status, epochs
):
    """`nohup` starts a program with SIGHUP ignored."""
    stop_after(2, signal.SIGHUP)
    before = signal.signal(signal.SIGHUP, handler)
    try:
        assert call(train, "--run", "r", *TINY)[0] == status
        assert signal.getsignal(signal.SIGHUP) is handler
    finally:
        signal.signal(signal.SIGHUP, before)
    assert complete(tmp_path / "r") == epochs


# 4. Best weights lost.


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


# 8. Tracebacks.


@pytest.mark.parametrize(
    "name", ["n" * 256, "d/" * 2100 + "r", "r\0", "n" * 300 + "/r"], ids=["256", "4096", "nul", "d"]
)
def test_a_name_that_no_file_can_have_is_one_line(refused, name):
    refused(train, "cannot be created", "--run", name, *TINY)
    refused(train, "resume: ", "--resume", name)
    refused(evaluate, "run: ", name)


@pytest.mark.parametrize("flag", ["--run", "--resume", "--trace"])
def test_a_name_that_is_no_text_is_one_line(refused, flag):
    """So does Python spell the name of bytes r, 255."""
    refused(train, f"{flag[2:]}: r\\udcff is not UTF-8\n", flag, "r\udcff", *TINY)


@pytest.mark.slow
def test_an_output_that_knows_only_ascii(tmp_path):
    done = shell(tmp_path, "$TRAIN --run rü2 $TINY", PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert "run folder r\\xfc2\n" in done.stdout and complete(tmp_path / "rü2") == 4


# 9. Two runs in one second.


def test_two_runs_that_start_in_the_same_second_get_two_folders(call, tmp_path, monkeypatch):
    now = starting.datetime.now()
    monkeypatch.setattr(starting, "datetime", type("Stopped", (), {"now": lambda: now}))
    outs = [call(train, *TINY, "--seed", seed) for seed in (1, 2, 3)]
    assert [status for status, _, _ in outs] == [0, 0, 0]
    name = f"d2sac-paper-{now:%Y%m%d-%H%M%S}"
    assert sorted(os.listdir(tmp_path / "runs")) == [name, f"{name}--2", f"{name}--3"]
    for (_, out, _), folder in zip(outs, (name, f"{name}--2", f"{name}--3")):
        assert f"run folder runs/{folder}\n" in out
    assert newest(tmp_path / "runs" / f"{name}--2")["run"]["seed"] == 2


# 10. Special files.


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


# 11. A state of another run; a clock set back.


def test_a_state_of_another_run_is_refused(call, refused, finished):
    call(train, "--run", "b", *TINY)
    (finished / "checkpoint-000007.pt").write_bytes(checkpoints(finished.parent / "b")[-1].read_bytes())
    refused(train, "a/checkpoint-000007.pt is of another run than the folder; move it away", "--resume", "a")
    (finished / "checkpoint-000007.pt").unlink()
    assert call(train, "--resume", "a")[0] == 0


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


# 13. Memory.


def test_a_final_table_beyond_the_memory_is_refused_before_the_run(refused):
    flags = "--num-slots 100000 --final-episodes 2000".split()
    refused(train, "GB in all is not below 80 % of the memory here", *flags)


# 14. Small ones.


@pytest.mark.parametrize("text", ["１２", "1_000", " 1 ", "١", "1\n"])
@pytest.mark.parametrize("flag", ["seed", "load"])
def test_only_plain_digits_are_numbers(refused, flag, text):
    refused(train, f"{flag}: {text!r} is not a ", *TINY, f"--{flag}", text)


def test_the_line_to_go_on_with_can_be_pasted_into_a_shell(call, stop_after, tmp_path):
    stop_after(1)
    _, _, err = call(train, "--run", "my $run", *TINY)
    stop_after(0)
    python, _, program, *argv = shlex.split(err.splitlines()[-1].split("go on with: ")[1])
    assert (python, program) == ("python", "edgediff.train") and call(train, *argv)[0] == 0
    assert newest(tmp_path / "my $run")["progress"]["epoch"] == 4


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
            path = tmp_path / "r" / what
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    monkeypatch.setattr(Checkpointer, "after_epoch", after_epoch)
    assert call(train, "--run", "r", *TINY)[0] == 0
    if what == "tensorboard":
        assert call(train, "--resume", "r")[0] == 0  # the curves come back with the next start
    assert outcome(tmp_path / "r") == outcome(finished)


def test_a_folder_that_is_removed_while_training_is_one_line(call, monkeypatch, tmp_path):
    right = Checkpointer.after_epoch

    def after_epoch(self):
        if self.progress.epoch == 2:
            shutil.rmtree(tmp_path / "r")
        right(self)

    monkeypatch.setattr(Checkpointer, "after_epoch", after_epoch)
    status, _, err = call(train, "--run", "r", *TINY)
    last = err.splitlines()[-1]
    assert status == 2 and last.startswith("edgediff.train: run: r") and "start a new run" in last


@pytest.mark.slow
def test_no_space_for_the_first_byte_is_one_line_and_leaves_nothing(tmp_path):
    done = shell(tmp_path, "ulimit -f 0; $TRAIN --run r $TINY")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "cannot be written" in done.stderr, done.stderr
    assert not (tmp_path / "r").exists()


def test_a_failed_write_leaves_no_temporary_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written"):
        files.write_atomically(tmp_path / "x", b"content")
    assert os.listdir(tmp_path) == []


def test_run_program_gives_the_hook_of_threads_back():
    before = threading.excepthook
    assert run_program("x", lambda _: 0, []) == 0 and threading.excepthook is before


@pytest.mark.slow
def test_importing_the_package_changes_no_signal_handler_and_no_environment():
    code = (
        "import os, signal; before = dict(os.environ), signal.getsignal(signal.SIGINT); import edgediff.train, "
        "edgediff.evaluate; assert before == (dict(os.environ), signal.getsignal(signal.SIGINT))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=60).returncode == 0


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.usefixtures("signals_heard")
def test_an_interrupt_while_importing_prints_no_traceback(tmp_path):
    (tmp_path / "torch.py").write_text("import time; open('reached', 'w').close(); time.sleep(60)")
    process = subprocess.Popen(TRAIN, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for(lambda: (tmp_path / "reached").exists())
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT and out == b""


def test_extending_a_run_says_which_evaluation_stays(call, tmp_path):
    call(train, "--run", "a", *TINY, "--epochs", 3)
    _, out, _ = call(train, "--resume", "a", "--epochs", 4)
    assert "epochs: 3 -> 4, after epoch 3; evaluation.csv keeps the evaluation at the old end\n" in out
    assert [row["epoch"] for row in rows(tmp_path / "a/evaluation.csv")] == ["0", "2", "3", "4"]


# And the files of the version before.


def test_files_of_the_version_before_are_refused_in_one_line(refused, finished, monkeypatch):
    monkeypatch.setattr(files, "VERSION", 3)
    files.write(finished / "checkpoint-000003.pt", KIND, {"progress": {"epoch": 1}, "tables": {}})
    files.write(finished / "last.pt", "weights of edgediff", {"world": {}, "learner": {}, "epoch": 1, "weights": {}})
    monkeypatch.undo()
    os.chdir(finished.parent)
    refused(train, "run: a/checkpoint-000003.pt has version 3; this program reads version 4\n", "--resume", "a")
    refused(evaluate, "run: a/last.pt has version 3; this program reads version 4\n", "a")
