"""As a library, the package is quick to import, has the names that its page lists, and leaves its process alone."""

import importlib
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import TINY, newest, outcome, process_state

import edgediff
from edgediff import ConfigError, WorldConfig, evaluate, train
from edgediff.config import preset_settings
from edgediff.learner.d2sac import D2SAC
from edgediff.run.atomic import UNFINISHED
from edgediff.run.commandline import Parser, given_settings
from edgediff.run.scores import traffic_label
from edgediff.run.start import Loaded, load_run, resume_run, start_run
from edgediff.world.rules import one_step_greedy

SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def given():
    """Return the tiny settings, with two threads where this process has one."""
    parser = Parser("tiny", None)
    parser.add_settings(*(type(config) for config in preset_settings("paper", {})))
    return given_settings(parser.parse([*TINY, "--threads", "2"]))


def trained(folder):
    """Train as a library does."""
    started = start_run("paper", given(), str(folder))
    with started.folder:
        return train.train(started.settings, started.folder)


def test_the_public_names_are_those_of_the_page_and_exist():
    page = Path(edgediff.__file__).with_name("README.md").read_text()
    section = page[page.index("## What is public") :].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)", section, re.MULTILINE)) == set(edgediff.__all__)
    for name in edgediff.__all__:
        assert getattr(edgediff, name).__name__ == name and name in dir(edgediff)
    with pytest.raises(AttributeError, match="no attribute 'utils'"):
        _ = edgediff.utils


@pytest.mark.slow
def test_importing_the_package_takes_no_torch_and_less_than_50_ms():
    code = (
        "import sys, time; start = time.process_time(); import edgediff; spent = time.process_time() - start\n"
        "assert not {'torch', 'numpy'} & set(sys.modules); print(spent)"
    )
    spent = [float(subprocess.check_output([sys.executable, "-c", code], timeout=60)) for _ in range(3)]
    assert min(spent) < 0.05


@pytest.mark.slow
def test_a_library_changes_nothing_of_its_process(tmp_path, finished):
    before = process_state()
    importlib.reload(train)
    importlib.reload(evaluate)
    assert isinstance(edgediff.build_agent(4, 2, edgediff.LearnerConfig(hidden=8), np.random.SeedSequence(0)), D2SAC)
    trained(tmp_path / "r")
    loaded = load_run(tmp_path / "r", load=2)
    assert (loaded.settings.run.threads, loaded.settings.world.load) == (2, 2)
    with pytest.raises(ConfigError, match="^laod: "):
        load_run(tmp_path / "r", laod=2)
    edgediff.compare({"r": tmp_path / "r", "greedy": "greedy"}, episodes=1)
    edgediff.Controller.load(tmp_path / "r")
    assert process_state() == before


@pytest.mark.slow
def test_train_runs_in_a_thread_with_the_same_result(tmp_path):
    trained(tmp_path / "main")
    thread = threading.Thread(target=trained, args=(tmp_path / "thread",))
    thread.start()
    thread.join()
    assert outcome(tmp_path / "thread") == outcome(tmp_path / "main")


@pytest.mark.slow
def test_an_interrupted_library_call_leaves_the_last_good_checkpoint(tmp_path, monkeypatch):
    """In the third of four epochs, and inside of a write: what was begun is taken away, and the run can go on."""
    right, calls = D2SAC.update, []

    def interrupted(self, batch):
        calls.append([signal.getsignal(number) for number in SIGNALS])
        if len(calls) == 8:
            raise KeyboardInterrupt
        return right(self, batch)

    before = [signal.getsignal(number) for number in SIGNALS]
    monkeypatch.setattr(D2SAC, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "r")
    assert calls[-1] == before == [signal.getsignal(number) for number in SIGNALS]
    monkeypatch.setattr(D2SAC, "update", right)

    def full(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "fsync", full)
        again(tmp_path / "r")
    assert not list((tmp_path / "r").glob(f"*{UNFINISHED}"))
    again(tmp_path / "r")
    assert newest(tmp_path / "r")["progress"]["epoch"] == 4
    trained(tmp_path / "whole")
    assert (tmp_path / "r/train.csv").read_text() == (tmp_path / "whole/train.csv").read_text()


def again(path):
    """Go on with a run as a library does."""
    started = resume_run(path)
    with started.folder:
        return train.train(started.settings, started.folder, saved=started.saved)


@pytest.mark.slow
def test_compare_gives_the_numbers_and_the_table_of_evaluate(call, finished):
    scores = edgediff.compare({"mine": one_step_greedy, "g": "greedy", "a": "a"}, load=np.float32(2))
    _, table, _ = call(evaluate, "a", "--load", "2")
    assert list(scores) == ["mine", "g", "a"] and scores["mine"] == scores["g"]
    heading, columns, *rows = str(scores).splitlines()
    _, theirs, *lines = table.splitlines()
    assert heading == "load 2, Poisson arrivals; 2 held-out episodes" and columns.split() == theirs.split()
    for row, label in ((rows[1], "one-step greedy (knows the model)"), (rows[2], "d2sac, mean of 8")):
        expected = next(line for line in lines if line.startswith(label))
        assert row.split()[1:] == expected[len(label) :].split()


def first_gateway(world, view):
    return np.zeros(len(view.flow), int)


@pytest.mark.parametrize(
    "wrong",
    [lambda *_: np.zeros(3, int), lambda _, view: np.zeros(len(view.flow)), lambda _, view: np.full(len(view.flow), 24),
     lambda _, view: np.full(len(view.flow), -1), lambda *_: None, lambda *_: [[1], [1, 2]]],
    ids=["shape", "dtype", "above", "below", "None", "ragged"])  # fmt: skip
def test_a_scheduler_that_returns_no_action_names_itself(wrong):
    with pytest.raises(ConfigError, match="^mine: action: ") as caught:
        edgediff.compare({"fine": first_gateway, "mine": wrong}, num_slots=20, episodes=2)
    assert "\n" not in str(caught.value)


def test_an_error_inside_of_a_scheduler_is_its_own_and_has_its_label():
    with pytest.raises(ZeroDivisionError) as caught:
        edgediff.compare({"mine": lambda *_: 1 / 0}, num_slots=20, episodes=2)
    assert sys.version_info < (3, 11) or caught.value.__notes__ == ["in the scheduler 'mine'"]


@pytest.mark.parametrize(
    "schedulers, settings, name",
    [({"x": 3}, {}, "x"), ({"x": "none"}, {}, "x: run"), ({"x": "greedy"}, dict(laod=2), "laod"),
     ({"x": Loaded(None, None, 0, None)}, {}, "x: run: a Loaded, no function, is neither a folder nor one of round-.*"),
     (["greedy"], {}, "schedulers"), ("greedy", {}, "schedulers"), ({1: "greedy"}, {}, "schedulers"),
     ({"x": "greedy"}, dict(weights="best"), "weights"), ({"x": first_gateway}, dict(mode="argmax"), "mode"),
     ({"x": "greedy"}, dict(eval_draws=2), "eval_draws"), ({}, dict(episodes=1, final_episodes=1), "episodes"),
     ({"x": "greedy"}, dict(episodes=0), "final_episodes"), ({"x": "greedy"}, dict(gamma=1), "gamma")])  # fmt: skip
def test_what_cannot_be_compared_is_one_line(schedulers, settings, name):
    with pytest.raises(ConfigError, match=f"^{name}(: |$)") as caught:
        edgediff.compare(schedulers, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [np.float64(2), np.float32(2), np.int64(2), 2, torch.tensor(2.0), np.array(2)])
def test_numbers_of_numpy_and_torch_become_those_of_python(number):
    world = WorldConfig(load=number, num_slots=np.int64(20), topology_seed=torch.tensor(3), trace=np.str_("none"))
    kept = {name: type(getattr(world, name)) for name in ("load", "num_slots", "topology_seed", "trace")}
    assert world.load == 2 and kept == dict(load=float, num_slots=int, topology_seed=int, trace=str)


@pytest.mark.parametrize(
    "number", [True, np.bool_(True), torch.tensor(True), 3.0, np.float64(3), np.array([3]), 3j, "3"]
)
def test_what_is_no_whole_number_is_none(number):
    with pytest.raises(ConfigError, match="^num_slots: .* is not a whole number from 1"):
        WorldConfig(num_slots=number)


@pytest.mark.parametrize("seed", [np.random.SeedSequence(7), np.uint8(7), torch.tensor(7)])
def test_a_seed_is_a_number_or_a_seed_sequence(seed):
    simulator = edgediff.Simulator(WorldConfig(num_slots=20), 2)
    ours = simulator.reset(7)
    assert np.array_equal(simulator.reset(seed), ours)
    assert not np.array_equal(simulator.reset(np.random.SeedSequence(7).spawn(1)[0]), ours)


NOTEBOOK = [
    "import numpy as np, os, signal, threading; from edgediff import compare, evaluate, load_run, train\n"
    "from edgediff.run.process import run_program; from edgediff.learner.d2sac import D2SAC\n"
    f"TINY = {TINY}; os.environ['OMP_NUM_THREADS'] = '1'",
    "assert train.main(['--run', 'a', *TINY]) == 0",
    "assert run_program('train', train.main, ['--run', 'b', *TINY]) == 0",
    "assert run_program('train', train.main, ['--run', 'b', *TINY]) == 2",  # one line: it is there
    # an interrupt, as the button sends it
    "threading.Timer(3.0, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
    "assert train.main(['--run', 'c', *TINY, '--epochs', '1000000']) == 130",
    "assert train.main(['--resume', 'a']) == 0 and evaluate.main(['a']) == evaluate.main(['a', 'b']) == 0",
    "from edgediff import Controller; one, two = Controller.load('a'), Controller.load('a')\n"
    "report = dict(available_bps=[1e7] * 8, backlog_bits=[0] * 8, available_tflops=9.0)\n"
    "flow = dict(data_bits=1e6, work_tflop=1.0, priority=2, deadline_s=0.5)\n"
    "assert one.decide(report, flow)[:7] == two.decide(report, flow)[:7]",
    "scores = compare({'mine': lambda world, view: np.zeros(len(view.flow), int), 'a': 'a'}); scores",
]


@pytest.mark.slow
def test_a_notebook_trains_evaluates_and_compares_twice_and_after_an_interrupt(tmp_path, monkeypatch):
    client, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(Path(edgediff.__file__).parents[1]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in NOTEBOOK])
    spec = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "language": "python"}
    manager = importlib.import_module("jupyter_client").AsyncKernelManager()
    manager._kernel_spec = importlib.import_module("jupyter_client.kernelspec").KernelSpec(display_name="x", **spec)
    client.NotebookClient(book, timeout=120, km=manager, resources={"metadata": {"path": str(tmp_path)}}).execute()
    texts = ["".join(o.get("text", "") for o in cell.outputs) for cell in book.cells]
    assert "completion" in texts[1] and "run: b exists" in texts[3] and "all is saved" in texts[4]
    assert book.cells[-1].outputs[0].data["text/plain"].splitlines()[-2].startswith("mine ")


@pytest.mark.parametrize("given, label", [
    (dict(load=2.0), "load 2, Poisson arrivals"),
    (dict(load_low=0.5, load_high=3.0, load_swing=0.7), "load 0.5 to 3 that swings by 0.7, Poisson arrivals"),
    (dict(trace="a/b.csv", priority3_weight=2.5), "load 1, requests of b.csv, priorities weigh 1, 1, 2.5"),
])  # fmt: skip
def test_the_label_of_traffic_names_what_moves_and_what_weighs(given, label):
    assert traffic_label(WorldConfig(**given)) == label
