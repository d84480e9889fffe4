"""The equation index is true: each function exists and says its equation, and each equation has a test that says so."""

import importlib
import re
import subprocess
import sys

import pytest

from experiments.page import index
from experiments.page.index import ROOT, ROWS, keywords, read_index

EQUATIONS, LINES = range(1, 28), range(1, 26)  # of the paper, and of its Algorithm 1


def test_every_equation_and_every_line_of_algorithm_1_has_a_row():
    assert {n for row in ROWS for n in row.equations} == set(EQUATIONS)
    assert {n for row in ROWS for n in row.lines} == set(LINES)


def test_functions_of_the_index_exist_and_carry_their_equation():
    for row in ROWS:
        assert row.functions, row.cell
        for name in row.functions:
            parts = name.split(".")
            depth = max(k for k in range(1, len(parts)) if ROOT.joinpath(*parts[:k]).with_suffix(".py").is_file())
            found = importlib.import_module(".".join(parts[:depth]))
            for part in parts[depth:]:
                found = getattr(found, part)
            for number in row.equations:
                assert f"Eq. ({number})" in found.__doc__, name


def test_every_equation_and_every_line_marks_a_test():
    every = index.tests()
    assert {n for test in every for n in test.equations} == set(EQUATIONS)
    assert {n for test in every for n in test.lines} == set(LINES)


@pytest.mark.slow
def test_links_and_the_page_of_tests_are_up_to_date():
    """After a change of lines or of markers: python -m experiments.page.index."""
    text = index.PAGE.read_text()
    assert text == index.with_line_numbers(text)
    assert ROOT.joinpath("tests/README.md").read_text() == index.page_of_tests(ROWS)


@pytest.mark.slow
def test_pytest_selects_by_equation_and_by_line():
    """Exactly the tests with that number, out of all files that have one."""
    words = ["eq05", "line16"]
    every = index.tests()
    files = sorted({str(ROOT / test.path) for test in every})
    options = ["--collect-only", "-q", "-o", "addopts=", "-p", "no:cacheprovider"]
    program = f"import sys, pytest; [pytest.main([*{options}, '-k', word, *sys.argv[1:]]) for word in {words}]"
    run = subprocess.run([sys.executable, "-c", program, *files], cwd=ROOT, capture_output=True, text=True, timeout=300)
    # Each of them ends with a line like "3/70 tests collected (67 deselected) in 0.02s".
    listings = re.split(r"^.*\d+ deselected\).*\n?", run.stdout, flags=re.M)[:-1]
    assert len(listings) == len(words), run.stdout + run.stderr
    for word, listing in zip(words, listings, strict=True):
        wanted = {test.name for test in every if word in keywords(test.equations, test.lines)}
        assert set(re.findall(r"^\S+\.py::(\w+)", listing, re.M)) == wanted and wanted, word


def test_the_index_is_read_as_it_is_meant():
    text = """## Equation index
| equation | what | function |
|---|---|---|
| (4), (7) | grants | [allocate](world/delay.py#L19) |
| lines 13-14 | a step | [D2SAC.update](learner/d2sac.py#L1), [a](../experiments/variants/agents.py#L2) |
| Table 1 | values | [LearnerConfig](edgediff/config.py#L3) |

## Glossary
| (9) | | [a](b.py#L1) |
"""
    grants, step, table = read_index(text)
    assert grants.equations == {4, 7} and not grants.lines and grants.functions == ("edgediff.world.delay.allocate",)
    assert step.lines == {13, 14} and not step.equations
    assert step.functions == ("edgediff.learner.d2sac.D2SAC.update", "experiments.variants.agents.a")
    assert not table.lines | table.equations
    assert keywords({4, 21}, {16}) == {"eq4", "eq04", "eq21", "line16"}


def test_every_test_that_the_readme_names_exists():
    names = {name for path in ROOT.joinpath("tests").rglob("test_*.py") for name in re.findall(r"^def (test_\w+)",
             path.read_text(), re.M)}  # fmt: skip
    pages = [ROOT / "README.md", ROOT / "edgediff/README.md"]
    assert not {name for page in pages for name in re.findall(r"\btest_\w+\b(?!\.py)", page.read_text())} - names


def test_ci_runs_the_readmes_command():
    command = 'pip install -e ".[test]" && pytest'
    assert command in ROOT.joinpath("README.md").read_text() and command in ROOT.joinpath(".ci/run").read_text()
