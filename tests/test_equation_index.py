"""The README's equation index is true: each function exists and says its equation, each test exists."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| *(?P<what>[^|]+?) *\|[^|]*\| *(?P<functions>`[^|]*`) *\| *(?P<tests>`[^|]*`) *\|$", re.M)
INDEX = ROOT.joinpath("README.md").read_text().split("## Equation index")[1].split("\n## ")[0]
ROWS = [match.groupdict() for match in ROW.finditer(INDEX)]


def numbers(what):
    """The equation numbers a row is about; none for lines of Algorithm 1 and Table 1."""
    return re.findall(r"\((\d+)\)", what)


def test_every_equation_has_a_row():
    assert {int(n) for row in ROWS for n in numbers(row["what"])} == set(range(1, 28))


def test_every_line_of_algorithm_1_has_a_row():
    lines = set()
    for row in ROWS:
        if match := re.fullmatch(r"line (\d+)(?:-(\d+))?", row["what"]):
            lines |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    assert lines == set(range(1, 26))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['what']} {row['functions']}")
def test_functions_exist_and_carry_their_equation(row):
    for name in re.findall(r"`([^`]+)`", row["functions"]):
        module, *path = name.split(".")
        found = importlib.import_module(f"edgediff.{module}")
        for part in path:
            found = getattr(found, part)
        for number in numbers(row["what"]):
            assert f"Eq. ({number})" in found.__doc__, name


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['what']} {row['tests']}")
def test_tests_exist(row):
    for name in re.findall(r"`([^`]+)`", row["tests"]):
        file, test = name.split("::")
        tree = ast.parse(ROOT.joinpath("tests", file).read_text())
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


def test_every_test_that_the_readme_names_exists():
    named = set(re.findall(r"\btest_\w+\b(?!\.py)", ROOT.joinpath("README.md").read_text()))
    defined = {
        node.name
        for path in ROOT.joinpath("tests").glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert named and not named - defined


def test_ci_runs_the_readmes_command():
    command = 'pip install -e ".[test]" && pytest'
    assert command in ROOT.joinpath("README.md").read_text() and command in ROOT.joinpath(".ci/run").read_text()
