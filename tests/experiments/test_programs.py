"""Every program that takes a RUN starts on the committed agent, and on a tiny run of each agent and network."""

import importlib
import re
import sys

import pytest
from tiny import TINY

from edgediff import train
from edgediff.errors import ConfigError
from edgediff.run import files
from edgediff.run.process import run_program
from edgediff.run.weights import WEIGHTS
from experiments import ROOT

PATHS = [*ROOT.glob("edgediff/**/*.py"), *ROOT.glob("experiments/**/*.py")]
TAKES_RUN = re.compile(r'add_argument\(\s*"\w+", metavar="RUN')
FOUND = [path.relative_to(ROOT).with_suffix("").parts for path in PATHS if TAKES_RUN.search(path.read_text())]
PROGRAMS = sorted(".".join(parts) for parts in FOUND)
KINDS = "d2sac mlp", "d2sac shared", "d2sac priced", "sac priced", "dqn shared", "ppo mlp", "ppo shared"
NETWORKS = {"mlp": [], "shared": ["--network", "shared"], "priced": ["--network", "shared", "--critic", "priced"]}
OPTIONS = {"evaluate": ["--final-episodes", "1"], "transfer": ["--results", "."], "pictures": ["--output", "pictures"]}
OPTIONS |= {"look": ["--output", "page.html"], "lag": ["--results", "."], "export": ["agent.onnx"]}
OPTIONS |= {"compare": ["--results", "."]}
OPTIONS |= {"clients": ["--requests", "32", "--results", "."], "rhythm": ["--requests", "1", "--results", "."]}


def may_refuse(program, kind):
    """Tell which runs a program is not made for; it says so in one line."""
    return "transfer" in program and "mlp" in kind or "lag" in program and "priced" not in kind


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Make a run once: train it, or copy the committed agent, with episodes of 60 slots."""
    folder = tmp_path_factory.mktemp("runs")

    def _runs(kind):
        (name, _, network), run = kind.partition(" "), folder / kind.replace(" ", "-")
        if not run.exists() and network:
            argv = ["--run", str(run), *TINY, "--agent", name, *NETWORKS[network]]
            assert run_program("edgediff.train", train.main, argv) == 0
        elif not run.exists():
            content = files.read(ROOT / "experiments/results/agent/last.pt", WEIGHTS)
            content["world"]["num_slots"] = 60
            run.mkdir()
            files.write(run / "last.pt", WEIGHTS, content)
        return run

    return _runs


@pytest.fixture
def prepared(monkeypatch, tmp_path):
    """Give the controller an empty input, and let the testbed end where it would build a network."""

    def _prepared(module):
        if module.__name__.startswith("edgediff.control"):
            monkeypatch.setattr(sys, "stdin", (tmp_path / "input").open("w+"))
        if module.__name__.startswith("experiments.testbed"):

            def play(*_):
                raise ConfigError("here the flows would be played")

            monkeypatch.setattr(module.namespaces, "enter", lambda: "nowhere")
            monkeypatch.setattr(module, "play", play)
        return module

    return _prepared


def test_the_programs_are_found():
    assert len(PROGRAMS) >= 8 and {"edgediff.evaluate", "edgediff.control.__main__"} <= {*PROGRAMS}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["committed", *KINDS])
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_starts(name, kind, runs, prepared, tmp_path, monkeypatch, capfd):
    if ("drive_controller" in name or "clients" in name) and kind != "committed":
        pytest.skip("it starts processes, and is the controller's client")
    try:
        program = prepared(importlib.import_module(name))
    except SystemExit as missing:
        pytest.skip(str(missing))  # an extra
    for constant, few in (("EPISODES", 1), ("DECISIONS", 20)):
        if hasattr(program, constant):
            monkeypatch.setattr(program, constant, few)
    monkeypatch.chdir(tmp_path)
    given = [option for part, options in OPTIONS.items() if part in name.split(".") for option in options]
    run = runs(kind)
    capfd.readouterr()
    status = run_program(name, program.main, [str(run), *given])
    err = capfd.readouterr().err
    if status == 2 and "is not installed: pip install" in err and err.count("\n") == 1:
        pytest.skip(err)  # an extra that is needed later
    if may_refuse(name, kind):
        assert status in (0, 2) and err.count("\n") <= 1, err
    elif "testbed" in name:
        lines = [line for line in err.splitlines() if line and "run/s" not in line]  # without the bar
        assert (status, lines) == (2, [f"{name}: here the flows would be played"])
    else:
        assert status == 0, err
