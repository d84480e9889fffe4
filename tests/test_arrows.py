"""Which part of the package may import which: world and learner do not know each other, and run knows both."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "edgediff"
ROOMS = "world", "gym", "learner", "run", "control"
MAY_IMPORT = {  # of edgediff
    "errors": set(),
    "config": {"errors"},
    "world": {"config", "errors", "world"},
    "gym": {"config", "errors", "world", "gym"},
    "learner": {"config", "errors", "learner"},
    "run": {"__version__", "config", "errors", "world", "learner", "run"},
    "train": {"config", "errors", "world", "learner", "run"},
    "evaluate": {"config", "errors", "world", "learner", "run"},
    "control": {"config", "errors", "world", "learner", "run", "control"},
    "export": {"__version__", "config", "errors", "world", "learner", "run", "control"},
    "__init__": {"config", "errors", "world", "learner", "run", "evaluate", "control"},  # when a name is used
    "__main__": set(),
}
MAY_USE = {
    "world": {"numpy"},
    "gym": {"numpy", "gymnasium", "matplotlib"},
    "learner": {"numpy", "torch"},
    "config": set(),
    "errors": set(),
    "__init__": set(),
    "__main__": set(),
}
FILES = sorted(PACKAGE.rglob("*.py"))


def part(path):
    """Return the part of the package that a file belongs to: its room, or itself."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path):
    """Return the dotted names that a file imports anywhere, also inside of functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it leads"
            inside = node.module == "edgediff"  # from edgediff import world
            names |= {f"edgediff.{alias.name}" for alias in node.names} if inside else {node.module}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_no_part_of_the_package_but_those_below_it(path):
    parts = {name.split(".")[1] for name in imported(path) if name.startswith("edgediff.")}
    assert parts <= MAY_IMPORT[part(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_world_needs_no_torch_and_the_learner_no_more_than_numpy_and_torch(path):
    others = {name.split(".")[0] for name in imported(path)} - sys.stdlib_module_names - {"edgediff"}
    if part(path) in MAY_USE:
        assert others <= MAY_USE[part(path)]


def test_no_other_room_needs_gymnasium_or_matplotlib():
    for path in FILES:
        used = {name.split(".")[0] for name in imported(path)}
        assert part(path) == "gym" or not {"gymnasium", "matplotlib"} & used


def test_only_the_agent_of_a_file_needs_onnx():
    users = {path.stem for path in FILES if any(name.startswith("onnx") for name in imported(path))}
    assert users == {"export", "onnx_agent"}


def test_the_parts_are_those_that_are_written_down_here():
    assert {part(path) for path in FILES} == set(MAY_IMPORT)


@pytest.mark.slow
def test_the_world_and_the_controller_of_a_rule_need_no_torch():
    modules = [f"edgediff.world.{path.stem}" for path in PACKAGE.joinpath("world").glob("[!_]*.py")]
    assert "edgediff.world.simulator" in modules
    modules += ["edgediff.control.__main__"]
    program = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60).returncode == 0


def test_every_room_is_part_of_what_is_installed():
    setuptools = pytest.importorskip("setuptools")
    calls = [node for node in ast.walk(ast.parse(ROOT.joinpath("setup.py").read_text())) if isinstance(node, ast.Call)]
    given = next(call.keywords for call in calls if getattr(call.func, "id", "") == "find_packages")
    arguments = {keyword.arg: ast.literal_eval(keyword.value) for keyword in given}
    assert set(setuptools.find_packages(str(ROOT), **arguments)) == {"edgediff", *(f"edgediff.{r}" for r in ROOMS)}


@pytest.mark.slow
@pytest.mark.parametrize("room", ROOMS)
def test_git_does_not_ignore_a_room(room):
    """A line `run/` in .gitignore would: then a new file there would never be committed."""

    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, timeout=60)

    if not shutil.which("git") or git("rev-parse", "--is-inside-work-tree").returncode:
        pytest.skip("no git repository")
    asked = git("check-ignore", "--no-index", "--verbose", f"edgediff/{room}", f"edgediff/{room}/new.py")
    assert (asked.returncode, asked.stdout) == (1, ""), asked.stderr
