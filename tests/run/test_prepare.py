"""Programs are prepared before their imports, every one of them; somebody else's process is not."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import at_import

import edgediff
from edgediff.run.prepare import no_memory
from edgediff.run.process import run_program

pytestmark = pytest.mark.slow

ROOT = Path(edgediff.__file__).parents[1]
FILES = [*ROOT.glob("edgediff/**/*.py"), *ROOT.glob("experiments/**/*.py")]
MAINS = [path.relative_to(ROOT) for path in FILES if re.search("^if __name__ == ", path.read_text(), re.MULTILINE)]
NAMES = {".".join(path.with_suffix("").parts).removesuffix(".__main__") for path in MAINS}
SHORT = {"edgediff", "experiments.page.index"}  # no import that takes time
SHORT |= {f"experiments.testbed.{name}" for name in ("edge_server", "steady_timer")}
PROGRAMS = sorted(NAMES - SHORT)
LOADER = "libtorch_cpu.so: failed to map segment from shared object"


def started(name, environment, *argv):
    """Run a program to its end; return its status and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", name, *argv], env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.usefixtures("signals_heard")
@pytest.mark.parametrize("name", PROGRAMS)
def test_an_interrupt_while_a_program_imports_prints_no_traceback(name, tmp_path):
    """At the first module that all need: those that take seconds come later."""
    environment = at_import("edgediff.errors", f"os.kill(os.getpid(), {int(signal.SIGINT)})", tmp_path)
    status, said = started(name, environment)
    if "is not installed: pip install" in said:
        pytest.skip(said)
    assert (status, said) == (-signal.SIGINT, "")


def test_the_programs_are_found():
    assert {"edgediff.train", "edgediff.control", "experiments.look", "experiments.timing.latency"} <= {*PROGRAMS}


@pytest.mark.parametrize("name", ["edgediff.train", "experiments.look"])
def test_threads_of_openmp_sleep_when_torch_is_imported(name, tmp_path):
    environment = at_import("torch", "sys.exit(os.environ.get('OMP_WAIT_POLICY'))", tmp_path)
    environment.pop("OMP_WAIT_POLICY", None)
    assert started(name, environment) == (1, "passive\n")


STATE = "(dict(os.environ), sys.excepthook, [signal.getsignal(n) for n in signal.valid_signals()])"
FOREIGN = f"import os, signal, sys; before = {STATE}; import edgediff, experiments; changed = before != {STATE}\n"
ALL = FOREIGN.replace("experiments;", "edgediff.control.__main__, edgediff.evaluate, edgediff.train;")


@pytest.mark.usefixtures("signals_heard")
@pytest.mark.parametrize("how", ["-c", "-m", "-m again"])
def test_importing_the_package_changes_nothing_of_a_process(how, tmp_path):
    """Also if that was started by `python -m`, by a package that imports ours first, and has an argument like ours."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/__init__.py").write_text(FOREIGN)
    (tmp_path / "mine/program.py").write_text("import sys, mine; sys.exit(mine.changed)")
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
    code = {"-c": ["-c", ALL + "sys.exit(changed)"], "-m": ["-m", "mine.program"]}.get(how)
    command = [sys.executable, *(code or ["-m", "mine.program", "-m", "edgediff.train"])]
    assert subprocess.run(command, env=environment, cwd=tmp_path, timeout=60).returncode == 0


@pytest.mark.parametrize("name, argv", [
    ("edgediff.train", []), ("edgediff.control", ["experiments/results/agent"]), ("experiments.look", []),
])  # fmt: skip
@pytest.mark.parametrize("error, told", [
    (f"ImportError({LOADER!r})", f"not enough memory to load a library ({LOADER})"),
    ("MemoryError", "not enough memory for these settings"),
])  # fmt: skip
def test_no_memory_for_torch_is_one_line(name, argv, error, told, tmp_path):
    status, said = started(name, at_import("torch", f"raise {error}", tmp_path), *argv)
    assert status == 2 and said.split(": ", 1)[1] == f"{told}\n", said


def test_an_import_that_fails_otherwise_is_an_error_like_any_other(tmp_path):
    status, said = started("edgediff.train", at_import("torch", "raise ImportError('libtorch.so: gone')", tmp_path))
    assert status == 1 and said.startswith("Traceback") and said.endswith("ImportError: libtorch.so: gone\n")
    assert not no_memory(ImportError("x.so: cannot allocate memory in static TLS block"))  # of another kind


def test_run_program_gives_ctrl_c_back():
    """What was prepared before the imports holds again at the end, when Python would print tracebacks of its own."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    heard = []
    try:
        assert run_program("x", lambda _: heard.append(signal.getsignal(signal.SIGINT)) or 0, []) == 0
        assert heard == [signal.default_int_handler] and signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
