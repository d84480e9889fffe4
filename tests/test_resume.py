"""A run that is stopped and goes on, at any step and however often, ends with the same bits."""

import csv
import hashlib
import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from edgediff import storage, train
from edgediff.agents import CLASSES
from edgediff.commandline import guard
from edgediff.keeper import Keeper
from edgediff.runfolder import KIND, generations, lock, newest_state
from edgediff.weights import WEIGHTS

# Episodes of 15 slots end while collecting, the ring of 60 transitions is written over, PPO shuffles three times.
TINY = """--epochs 4 --collect-per-epoch 20 --num-envs 4 --updates-per-epoch 3 --batch-size 16 --hidden 8 --passes 3
 --denoising-steps 2 --eval-every 2 --eval-episodes 2 --final-episodes 2 --num-slots 15 --buffer-size 60""".split()


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run the program in an empty folder; return status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def _call(*argv):
        status = guard("edgediff.train", train.main, [*map(str, argv)])
        return status, *capsys.readouterr()

    return _call


@pytest.fixture
def stop_after(monkeypatch):
    """Let a signal come at a given call of `Keeper.check` or `.tick`, counted anew at every start; 0: never."""
    right = {"check": Keeper.check, "tick": Keeper.tick}

    def _stop_after(calls, method):
        seen = []

        def counted(self):
            seen.append(1)
            if len(seen) == calls:
                os.kill(os.getpid(), signal.SIGTERM)
            right[method](self)

        monkeypatch.setattr(Keeper, method, counted)

    return _stop_after


def digest(content) -> str:
    """Return the SHA-256 of nested content, tensors by their bytes."""
    sha = hashlib.sha256()

    def add(value):
        if isinstance(value, dict):
            for key in sorted(value):
                sha.update(key.encode())
                add(value[key])
        elif isinstance(value, (list, tuple)):
            sha.update(str(len(value)).encode())
            for each in value:
                add(each)
        elif isinstance(value, torch.Tensor):
            sha.update(f"{value.dtype}{tuple(value.shape)}".encode() + value.contiguous().numpy().tobytes())
        else:
            sha.update(repr(value).encode())

    add(content)
    return sha.hexdigest()


def outcome(run):
    """Return all that a run has led to: the digest of its last state, its tables, its curves."""
    curves = EventAccumulator(str(run)).Reload()
    points = {tag: [(e.step, e.value) for e in curves.Scalars(tag)] for tag in curves.Tags()["scalars"]}
    tables = [(run / name).read_text() for name in ("train.csv", "evaluation.csv")]
    weights = [storage.read(run / name, WEIGHTS) for name in ("last.pt", "best.pt")]
    return digest(newest_state(run)), *tables, digest(points), digest(weights)


def stopped_again_and_again(call, stop_after, name, steps, *flags, method="check"):
    """Run, stop after a few steps, go on, and so forth; return how often it was stopped."""
    argv, stops = ("--run", name, *TINY, *flags), 0
    for calls in steps:
        stop_after(calls, method)
        status, _, err = call(*argv)
        for path in Path(name).glob("events*"):  # those of one process and second are not in the order of their names
            path.rename(path.with_name(f"tfevents.{stops:03d}"))
        if status == 0:
            return stops
        assert status == 143 and "all is saved" in err, err
        argv, stops = ("--resume", name), stops + 1
    raise AssertionError("never came to its end")


@pytest.mark.parametrize("agent", CLASSES)
def test_a_stopped_run_ends_with_the_same_bits(call, stop_after, tmp_path, agent):
    assert call("--run", "a", *TINY, "--agent", agent)[0] == 0
    steps = np.random.default_rng(0).integers(2, 45, 100)  # short of an evaluation, or beyond it
    assert stopped_again_and_again(call, stop_after, "b", steps, "--agent", agent) >= 4
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")
    assert [row["epoch"] for row in csv.DictReader(open("b/train.csv"))] == ["1", "2", "3", "4"]


def test_stopped_at_every_single_step(call, stop_after, tmp_path):
    """Each start does one step of collecting or learning, or one evaluation."""
    before = signal.getsignal(signal.SIGINT)
    call("--run", "a", *TINY, "--epochs", 2)
    stops = stopped_again_and_again(call, stop_after, "b", [1] * 50, "--epochs", 2, method="tick")
    assert signal.getsignal(signal.SIGINT) is before  # the loop gives its signals back
    assert stops == 1 + 2 * (5 + 3 + 1) and outcome(tmp_path / "a") == outcome(tmp_path / "b")


STREAMS = {
    "replay": lambda saved, fresh: saved | {"sampling": fresh.sampling.get_state()},
    "acting": lambda saved, fresh: saved | {"agent": saved["agent"] | {"streams": saved["agent"]["streams"]
                                            | {"act_stream": fresh.agent.act_stream.get_state()}}},
    "learning": lambda saved, fresh: saved | {"agent": saved["agent"] | {"streams": saved["agent"]["streams"]
                                              | {"learn_stream": fresh.agent.learn_stream.get_state()}}},
    "moments": lambda saved, fresh: saved | {"agent": saved["agent"] | {"moments": fresh.agent.snapshot()["moments"]}},
    "simulator": lambda saved, fresh: saved | {"simulator": {name: torch.from_numpy(value.copy()) for name, value
                                                             in fresh.simulator.snapshot().items()}},
}  # fmt: skip


@pytest.mark.parametrize("left_out", STREAMS)
def test_a_state_that_lacks_something_is_found_out(call, stop_after, tmp_path, monkeypatch, left_out):
    """Negative control: what is left out of the state starts afresh, and the comparison fails."""
    right = train.reinstate
    monkeypatch.setattr(train, "reinstate", lambda saved, parts: right(STREAMS[left_out](saved, parts), parts))
    call("--run", "a", *TINY)
    assert stopped_again_and_again(call, stop_after, "b", [13, 0], method="tick") == 1
    assert outcome(tmp_path / "a") != outcome(tmp_path / "b")


def test_more_epochs_extend_a_run(call, tmp_path):
    call("--run", "a", *TINY, "--epochs", 6)
    call("--run", "b", *TINY, "--epochs", 4)
    status, out, _ = call("--resume", "b", "--epochs", 6, "--checkpoint-every-s", 7)
    assert status == 0 and "extended: epochs: 4 -> 6, in epoch 5" in out
    assert "extended: checkpoint_every_s: 50.0 -> 7.0" in out and "4 -> 6" in (tmp_path / "b/config.json").read_text()
    for mine, other in zip(outcome(tmp_path / "a")[1:4], outcome(tmp_path / "b")[1:4]):
        assert mine == other
    states = [newest_state(tmp_path / run)["agent"] for run in "ab"]
    assert digest(states[0]) == digest(states[1])


def test_an_extension_outlives_a_kill_before_the_next_save(call, tmp_path, monkeypatch):
    call("--run", "a", *TINY, "--epochs", 3)
    monkeypatch.setattr(train.Simulator, "step", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call("--resume", "a", "--epochs", 4)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    status, out, _ = call("--resume", "a")
    assert status == 0 and "4 epochs" in out and newest_state(tmp_path / "a")["progress"]["epoch"] == 5


def test_a_run_killed_before_its_first_state_starts_anew(call, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "save_state", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call("--run", "a", *TINY)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    status, _, err = call("--resume", "a")
    assert status == 2 and "holds no state-*.pt to go on from" in err
    assert call("--run", "a", *TINY)[0] == 0 and call("--run", "b", *TINY)[0] == 0
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")


def test_a_signal_in_the_last_save_counts(call, monkeypatch):
    right = Keeper.save

    def save(self):
        right(self)
        if newest_state(Path("a"))["progress"]["epoch"] > 4:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Keeper, "save", save)
    assert call("--run", "a", *TINY)[0] == 143


def test_a_table_that_is_a_link_is_replaced_not_followed(call, stop_after, tmp_path):
    (tmp_path / "victim").write_text("precious")
    stop_after(8, "tick")
    call("--run", "a", *TINY)
    (tmp_path / "a/train.csv").unlink()
    (tmp_path / "a/train.csv").symlink_to(tmp_path / "victim")
    stop_after(0, "tick")
    assert call("--resume", "a")[0] == 0 and (tmp_path / "victim").read_text() == "precious"


def test_a_full_disk_outside_the_states_is_one_line_too(call, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edgediff.report.Table.write", full)
    status, _, err = call("--run", "a", *TINY)
    assert status == 2 and "No space left" in err and "Traceback" not in err


def test_a_finished_run_shows_its_table_again(call):
    _, first, _ = call("--run", "a", *TINY)
    _, again, _ = call("--resume", "a")
    assert first.splitlines()[-11:] == again.splitlines()[-11:]


@pytest.mark.parametrize(
    "flags, message",
    [
        ("--seed 1", "seed: 1 is not 0, as in the run"),
        ("--threads 2", "threads: 2 is not 1, as in the run"),
        ("--matmul-precision high", "matmul_precision: high is not highest"),
        ("--agent ppo", "agent: ppo is not d2sac"),
        ("--batch-size 32", "batch_size: 32 is not 16"),
        ("--load 2", "load: 2.0 is not 1.0"),
        ("--preset quick", "preset: quick is given beside --resume"),
        ("--epochs 3", "epochs: 3 is not at least 4, as in the run"),
        ("--run b", "run: b is given beside --resume"),
        ("--hidden 0", "hidden: 0 is not"),
    ],
)
def test_what_would_change_the_result_is_refused_by_name(call, tmp_path, flags, message):
    call("--run", "a", *TINY)
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    status, out, err = call("--resume", "a", *flags.split())
    assert status == 2 and out == "" and err.count("\n") == 1
    assert message in err
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}


def test_a_changed_trace_is_refused(call, tmp_path):
    log = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(
        f"2024-05-10 00:00:{k:02d}.5,{9 + k},{1 + k % 5}\n" for k in range(50)
    )
    (tmp_path / "log.csv").write_text(log)
    call("--run", "a", *TINY, "--trace", "log.csv")
    assert call("--resume", "a")[0] == 0
    (tmp_path / "log.csv").rename(tmp_path / "moved.csv")
    assert call("--resume", "a")[0] == 2
    assert call("--resume", "a", "--trace", "moved.csv")[0] == 0
    (tmp_path / "log.csv").write_text(log.replace(",9,", ",8,"))
    status, _, err = call("--resume", "a", "--trace", "log.csv")
    assert status == 2 and "trace: log.csv is not what it was when the run began" in err


def test_one_run_per_folder(call, tmp_path):
    call("--run", "a", *TINY)
    with lock(tmp_path / "a"):
        status, out, err = call("--resume", "a")
        assert status == 2 and out == "" and "run: a is in use by another process" in err
    assert call("--resume", "a")[0] == 0  # the lock file is still there, and nobody holds it


def test_a_folder_that_cannot_be_written_to(call, tmp_path):
    call("--run", "a", *TINY)
    (tmp_path / "a/lock").unlink()
    (tmp_path / "a/lock").mkdir()  # also for root, who may write everywhere else
    status, out, err = call("--resume", "a")
    assert status == 2 and out == "" and "run: a cannot be written to" in err and err.count("\n") == 1


@pytest.mark.parametrize("name", ["none", "file", "empty"])
def test_no_folder_of_a_run(call, tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    status, out, err = call("--resume", name)
    assert status == 2 and out == "" and err.startswith("edgediff.train: resume: ") and err.count("\n") == 1
    assert sorted(os.listdir()) == ["empty", "file"] and os.listdir("empty") == []


def test_a_damaged_state_is_refused_and_the_older_one_goes_on(call, stop_after, tmp_path):
    call("--run", "a", *TINY)
    stopped_again_and_again(call, stop_after, "b", [9, 9, 0])
    older, newest = generations(tmp_path / "b")
    newest.write_bytes(newest.read_bytes()[:-1])
    before = {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    status, out, err = call("--resume", "b")
    assert status == 2 and out == "" and "is damaged or no file of edgediff" in err
    assert f"move it away to go on from {older.name}" in err and err.count("\n") == 1
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    newest.unlink()
    assert call("--resume", "b")[0] == 0 and outcome(tmp_path / "a") == outcome(tmp_path / "b")


def change(content, path, value):
    """Set one entry of nested content, or what a function makes of it; the path has slashes."""
    *outer, last = path.split("/")
    for key in outer:
        content = content[key]
    content[last] = value(content[last]) if callable(value) else value


HOSTILE = {
    "a huge network": ("learner/hidden", 10**9, "hidden: 1000000000 is not"),
    "another network": ("learner/hidden", 4096, "does not fit"),
    "a huge world": ("world/num_slots", 1_000_000, "no state that its own settings"),
    "more environments": ("learner/num_envs", 20, "no state that its own settings"),
    "another state size": ("world/num_gateways", 4, "no state that its own settings"),
    "another agent": ("learner/agent", "ppo", "does not fit"),
    "settings of a newer program": ("learner/more", 1, "other settings"),
    "no progress": ("progress", [], "no state that its own settings"),
    "an epoch before the first": ("progress/epoch", -1, "no state that its own settings"),
    "an epoch beyond the last": ("progress/epoch", 10**18, "no state that its own settings"),
    "too many transitions": ("progress/transitions", 10**30, "no state that its own settings"),
    "a score that is no number": ("progress/best_reward", "high", "no state that its own settings"),
    "decisions of another shape": ("progress/decisions", torch.zeros(2, 2), "does not fit"),
    "updates that are no losses": ("progress/updates", [{"loss_q": torch.zeros(())}], "does not fit"),
    "a weight that is not finite": ("agent/weights/actor/first.bias", lambda w: w * torch.nan, "not finite"),
    "weights of another shape": ("agent/weights/actor/first.bias", torch.zeros(3), "does not fit"),
    "moments of another shape": ("agent/moments/actor_optimiser", lambda m: [{}] + m[1:-1], "does not fit"),
    "a stream of another kind": ("agent/streams/act_stream", torch.zeros(3, dtype=torch.uint8), "does not fit"),
    "a stream too few": ("agent/streams", {}, "does not fit"),
    "more rows than the ring has": ("memory/reward", torch.zeros(16, 4), "does not fit"),
    "an action out of range": ("memory/action", lambda a: a + 24, "does not fit"),
    "a reward that is not finite": ("memory/reward", lambda r: r * torch.nan, "does not fit"),
    "a negative backlog": ("simulator/backlog_bits", lambda q: q - 1e9, "does not fit"),
    "a cursor beyond the episode": ("simulator/cursor", lambda c: c + 10**6, "does not fit"),
    "a negative episode": ("simulator/episode", lambda e: e - 99, "does not fit"),
    "no tables": ("tables", {}, "no state that its own settings"),
    "a ring beyond the memory": ("world/num_gateways", 256, "no state that its own settings"),
    "an endless trace": ("world/trace", "/dev/zero", "is no file"),
    "whole numbers as moments": (
        "agent/moments/actor_optimiser",
        lambda m: [{k: v.int() for k, v in each.items()} for each in m],
        "does not fit",
    ),
    "endless reservations": ("simulator/held_bps", lambda h: h + torch.inf, "does not fit"),
    "vectors for losses": (
        "progress/updates",
        lambda u: [{k: v.repeat(2) for k, v in each.items()} for each in u],
        "does not fit",
    ),
    "tables that are no text": ("tables", {"train": 1, "evaluation": 2}, "no state that its own settings"),
    "a table of another run": ("tables/train", "epoch,nonsense\n", "does not fit"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_forged_state_is_refused(call, stop_after, tmp_path, what):
    """The digest is right, the content is not: one line, the folder as it was, and no memory taken."""
    stop_after(8, "tick")  # after two gradient steps of the first epoch
    call("--run", "a", *TINY)
    path = generations(tmp_path / "a")[-1]
    content = storage.read(path, KIND)
    place, value, reason = HOSTILE[what]
    change(content, place, value)
    storage.write(path, KIND, content)
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status, _, err = call("--resume", "a")
    assert status == 2 and err.count("\n") == 1 and reason in err, err
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kib < 500_000
