"""The README's equation index is true: each function exists and says its equation, each test exists and is selected."""

import ast
import functools
import importlib
import re
import subprocess
import sys

import pytest
from equation_index import ROOT, ROWS, keywords, read_index

EQUATIONS, LINES = range(1, 28), range(1, 26)  # of the paper, and of its Algorithm 1


@functools.cache
def defined():
    """Return (file, function) for every test there is, in any folder."""
    trees = {path.name: ast.parse(path.read_text()) for path in ROOT.joinpath("tests").rglob("test_*.py")}
    return {
        (name, node.name) for name, tree in trees.items() for node in tree.body if isinstance(node, ast.FunctionDef)
    }


def test_every_equation_has_a_row():
    assert {n for row in ROWS for n in row.equations} == set(EQUATIONS)


def test_every_line_of_algorithm_1_has_a_row():
    assert {n for row in ROWS for n in row.lines} == set(LINES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.cell)
def test_functions_exist_and_carry_their_equation(row, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    assert row.functions
    for folder, name in row.functions:
        parts = name.split(".")
        depth = max(k for k in range(len(parts)) if is_module(folder, parts[:k]))  # the rest are names within
        found = importlib.import_module(".".join(([folder] if folder == "edgediff" else []) + parts[:depth]))
        for part in parts[depth:]:
            found = getattr(found, part)
        for number in row.equations:
            assert f"Eq. ({number})" in found.__doc__, name


def is_module(folder, parts):
    path = ROOT.joinpath(folder, *parts)
    return path.is_dir() or path.with_suffix(".py").is_file()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.cell)
def test_tests_exist(row):
    missing = set(row.tests) - defined()
    assert row.tests and not missing


def test_every_equation_and_every_line_selects_a_test():
    """With `pytest -k`, in both spellings: eq5 and eq05."""
    selected = {}
    for row in ROWS:
        for word in keywords(row):
            selected.setdefault(word, set()).update(set(row.tests) & defined())
    wanted = [("eq", n) for n in EQUATIONS] + [("line", n) for n in LINES]
    assert all(selected.get(f"{word}{n}") and selected.get(f"{word}{n:02}") for word, n in wanted)


def test_pytest_selects_by_equation_and_by_line():
    """Exactly the tests of the rows with that number, out of all files that these rows name."""
    words = ["eq05", "eq21", "eq25", "line16"]
    tests = {word: {test for row in ROWS if word in keywords(row) for test in row.tests} for word in words}
    names = {file for group in tests.values() for file, _ in group}
    files = [str(path) for path in ROOT.joinpath("tests").rglob("test_*.py") if path.name in names]
    options = ["--collect-only", "-q", "-o", "addopts=", "-p", "no:cacheprovider"]
    program = f"import sys, pytest; [pytest.main([*{options}, '-k', word, *sys.argv[1:]]) for word in {words}]"
    run = subprocess.run([sys.executable, "-c", program, *files], cwd=ROOT, capture_output=True, text=True, timeout=120)
    # Each of them ends with a line like "3/70 tests collected (67 deselected) in 0.02s".
    listings = re.split(r"^.*\d+ deselected\).*\n?", run.stdout, flags=re.M)[:-1]
    assert len(listings) == len(words), run.stdout + run.stderr
    for word, listing in zip(words, listings):
        found = set(re.findall(r"^(?:\S*/)?(\w+\.py)::(\w+)", listing, re.M))
        assert found == tests[word] and found, word


def test_the_index_is_read_as_it_is_meant():
    text = """## Equation index
| equation | what | function | test |
|---|---|---|---|
| (4), (7) | grants | `world.delay.allocate` | `test_delay.py::test_a` `test_simulator.py::test_b` |
| lines 13-14 | a step | `learner.losses.critic_loss` | `test_losses.py::test_c` |
| line 17 | another | `experiments: variants.reverse` | `test_variants.py::test_d` |
| Table 1 | values | `config.LearnerConfig` | `test_config.py::test_table_1` |

## Glossary
| (9) | | `a` | `b::c` |
"""
    grants, step, another, table = read_index(text)
    assert grants.equations == {4, 7} and not grants.lines and keywords(grants) == {"eq4", "eq04", "eq7", "eq07"}
    assert grants.functions == (("edgediff", "world.delay.allocate"),)
    assert grants.tests == (("test_delay.py", "test_a"), ("test_simulator.py", "test_b"))
    assert step.lines == {13, 14} and not step.equations and keywords(step) == {"line13", "line14"}
    assert another.lines == {17} and another.functions == (("experiments", "variants.reverse"),)
    assert not table.lines | table.equations and not keywords(table)


def test_every_test_that_the_readme_names_exists():
    named = set(re.findall(r"\btest_\w+\b(?!\.py)", ROOT.joinpath("README.md").read_text()))
    missing = named - {function for _, function in defined()}
    assert named and not missing


def test_ci_runs_the_readmes_command():
    command = 'pip install -e ".[test]" && pytest'
    assert command in ROOT.joinpath("README.md").read_text() and command in ROOT.joinpath(".ci/run").read_text()
