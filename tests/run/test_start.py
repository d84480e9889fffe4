"""What is refused before a run starts, and the line to go on with."""

import os
import shlex
import signal

import pytest
import torch
from tiny import TINY, newest

from edgediff import train
from edgediff.config import preset_settings
from edgediff.errors import ConfigError
from edgediff.run import start
from edgediff.run.start import check_memory, departures, memory_limit

GPU = "--device", "cuda"


def test_a_final_table_beyond_the_memory_is_refused_before_the_run(refused):
    flags = "--num-slots 100000 --final-episodes 2000".split()
    refused(train, "GB in all is not below 80 % of the memory here", *flags)


def test_the_line_to_go_on_with_can_be_pasted_into_a_shell(call, stop_after, tmp_path):
    stop_after(1)
    _, _, err = call(train, "--run", "my $run", *TINY)
    stop_after(0)
    python, _, program, *argv = shlex.split(err.splitlines()[-1].split("go on with: ")[1])
    assert (python, program) == ("python", "edgediff.train") and call(train, *argv)[0] == 0
    assert newest(tmp_path / "my $run")["progress"]["epoch"] == 4


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_cannot_be_used_is_one_line(refused):
    refused(train, "device: cuda cannot be used (", "--device", "cuda")


@pytest.mark.parametrize(("free", "fits"), ((int(0.3e9), True), (int(0.2e9), False)))
def test_the_buffer_has_to_fit_into_what_is_free_on_the_gpu(monkeypatch, free, fits):
    """A million transitions are 0.18 GB."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, int(80e9)))
    settings = preset_settings("paper", {"world": {}, "learner": {}, "run": {"device": "cuda"}})
    if fits:
        check_memory(settings)
    else:
        with pytest.raises(ConfigError, match=r"buffer_size: 0.2 GB is not below 80 % of .* the GPU, 0.2 GB"):
            check_memory(settings)


def test_a_gpu_that_is_full_is_one_line(call, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(train, "train", full)
    status, _, err = call(train, "--run", "r", *TINY)
    assert status == 2 and err == "edgediff.train: not enough memory for these settings\n"


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGHUP, signal.SIGINT))
def test_a_signal_before_the_first_checkpoint_leaves_no_folder(call, monkeypatch, signals_heard, tmp_path, number):
    def stopped(*_):
        os.kill(os.getpid(), number)
        raise AssertionError("the signal was not heard")

    monkeypatch.setattr(train, "budget", stopped)
    status, _, err = call(train, "--run", "r", *TINY)
    assert (status, err) == (128 + number, "\nstopped; nothing saved yet\n") and not (tmp_path / "r").exists()


def test_scoring_needs_no_memory_for_what_learns(monkeypatch):
    """On a computer of 0.4 GB."""
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PHYS_PAGES": 100_000, "SC_PAGE_SIZE": 4096}[name])
    settings = preset_settings("paper", {"world": {}, "learner": dict(buffer_size=4_000_000), "run": {}})
    check_memory(settings, learning=False)
    with pytest.raises(ConfigError, match="^buffer_size, num_envs, final_episodes"):
        check_memory(settings)
    many = preset_settings("paper", {"world": {}, "learner": {}, "run": dict(final_episodes=3000)})
    with pytest.raises(ConfigError, match="^final_episodes, num_slots, load: "):
        check_memory(many, learning=False)


@pytest.mark.parametrize(
    "group, limit",
    [("0::/a/b", "sys/fs/cgroup/a/memory.max"), ("0::/", "sys/fs/cgroup/memory.max"),
     ("3:cpu,memory:/a", "sys/fs/cgroup/memory/a/memory.limit_in_bytes"), ("0::/a", None),
     ("0::/a\udcff/b", "sys/fs/cgroup/a\udcff/memory.max")])  # fmt: skip
def test_the_memory_of_a_container_counts(tmp_path, group, limit):
    """Of its own group or of one above it, in both versions of control groups; "max" is no limit."""
    for path, text in (("proc/self/cgroup", f"1:cpu:/\n{group}\n"), ("sys/fs/cgroup/a/b/memory.max", "max"),
                       (limit or "none", "1500000000")):  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, errors="surrogateescape")
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory_limit(tmp_path) == (min(1_500_000_000, whole) if limit else whole)


def test_a_run_says_which_settings_are_not_those_of_the_paper():
    def line(preset, **learner):
        return departures(preset_settings(preset, {"world": {}, "learner": learner, "run": dict(seed=5)}))

    assert line("paper") == line("paper", agent="dqn") == ""
    assert line("quick") == "\nnot as in the paper: epochs 100"
    assert line("paper", agent="sac", sac_critic_lr=0.5, ppo_clip=0.1) == "\nnot as in the paper: sac_critic_lr 0.5"
    deploy = line("deploy")
    assert "load_high 3, priority1_weight 0.5, priority3_weight 2, network shared, critic priced," in deploy
    assert " sac_" not in deploy and "dqn" not in deploy


def test_a_start_that_is_interrupted_leaves_no_folder_and_no_lock(monkeypatch, tmp_path):
    """Between the folder and the run; to describe a large request log takes a while."""
    monkeypatch.chdir(tmp_path)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "headline", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start.start_run("quick", folder="r")
    assert not (tmp_path / "r").exists()


def test_the_memory_of_a_checkpoint_of_the_buffer_counts(monkeypatch):
    """A buffer alone takes 0.75 GB, while it is saved 1.65 GB; on a computer of 1.6 GB, 1.28 GB are allowed."""
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PHYS_PAGES": 400_000, "SC_PAGE_SIZE": 4000}[name])
    settings = preset_settings("quick", {"learner": dict(agent="sac", buffer_size=4_000_000)})
    with pytest.raises(ConfigError, match=r"buffer_size, .*: 1\.[67]\d? GB in all is not below 80 %"):
        check_memory(settings)
