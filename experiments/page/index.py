"""The equation index: which functions and which tests stand for an equation of the paper or a line of Algorithm 1.

The table in edgediff/README.md names the functions; tests say theirs by markers, `@pytest.mark.eq(21)` or `.line(16)`.
`python -m experiments.page.index` writes the line numbers in the table's links, and the list of tests: tests/README.md.
"""

import ast
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from edgediff.run.atomic import write_atomically
from experiments import ROOT

HEADING = "## Equation index\n"
PAGE = ROOT / "edgediff/README.md"
LINK = re.compile(r"\[([\w.]+)\]\(((?:\.\./)?[\w/]+\.py)#L\d+\)")  # from the folder of the page


class Row(NamedTuple):
    """One row of the table."""

    cell: str  # the first cell as it stands there
    what: str
    equations: frozenset[int]
    lines: frozenset[int]  # of Algorithm 1
    functions: tuple[str, ...]  # dotted names: edgediff.learner.diffusion.reverse_mean

    def tests(self) -> list["Test"]:
        """Return the tests whose markers name an equation or a line of this row, those of its first function first."""
        return tests_of([self], self.functions)


class Test(NamedTuple):
    """A test function that has a marker."""

    path: str  # from the folder of the project
    name: str
    equations: frozenset[int]
    lines: frozenset[int]


def read_index(text: str) -> list[Row]:
    """Read the table under the heading `## Equation index`: | equation | what | function |."""
    rows = []
    for line in text.partition(HEADING)[2].partition("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and "](" in cells[2]:
            names = tuple(f"{in_project(path)[:-3].replace('/', '.')}.{name}" for name, path in LINK.findall(cells[2]))
            rows.append(Row(cells[0], cells[1], equations(cells[0]), lines(cells[0]), names))
    return rows


def in_project(link: str) -> str:
    """Return the path of a link of the page, from the folder of the project."""
    return link.removeprefix("../") if link.startswith("../") else f"edgediff/{link}"


def equations(cell: str) -> frozenset[int]:
    """Return the equations of a cell: `(4), (7)`, or `(2)-(8)`."""
    return spans(re.findall(r"\((\d+)\)(?: *- *\((\d+)\))?", cell))


def lines(cell: str) -> frozenset[int]:
    """Return the lines of Algorithm 1 of a cell: `line 17`, `lines 13-14`, `lines 1-4, 9`."""
    listed = re.findall(r"\blines? +([\d, -]+)", cell)
    return spans(span for text in listed for span in re.findall(r"(\d+)(?: *- *(\d+))?", text))


def spans(pairs) -> frozenset[int]:
    """Return all numbers of spans (first, last), of which the last may be empty."""
    return frozenset(n for first, last in pairs for n in range(int(first), int(last or first) + 1))


@cache
def tests() -> list[Test]:
    """Return all tests with a marker, read from the files of tests/ in order."""
    found = []
    for path in sorted(ROOT.joinpath("tests").rglob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                marked = _marked(node, "eq"), _marked(node, "line")
                if any(marked):
                    found.append(Test(path.relative_to(ROOT).as_posix(), node.name, *marked))
    return found


def tests_of(rows: list[Row], functions: Sequence[str]) -> list[Test]:
    """Return the tests of some rows: first those in the files of the functions' own modules, in order of the functions.

    The tests of `learner.diffusion.reverse_mean` in tests/learner/test_diffusion.py come before all others; a file has
    the simplest test of an equation first.
    """
    equations, lines = ({n for row in rows for n in each(row)} for each in (lambda r: r.equations, lambda r: r.lines))

    def place(test: Test) -> int:
        stem = Path(test.path).stem.removeprefix("test_")
        return next((k for k, name in enumerate(functions) if stem in name.split(".")), len(functions))

    return sorted((test for test in tests() if test.equations & equations or test.lines & lines), key=place)


def _marked(node: ast.FunctionDef, marker: str) -> frozenset[int]:
    """Return the numbers in the markers of a test: 21 for `@pytest.mark.eq(21)`."""
    calls = [each for each in node.decorator_list if isinstance(each, ast.Call)]
    own = [call for call in calls if ast.unparse(call.func) == f"pytest.mark.{marker}"]
    return frozenset(ast.literal_eval(argument) for call in own for argument in call.args)


def keywords(test_equations: frozenset[int], test_lines: frozenset[int]) -> set[str]:
    """Return the words that select a test: eq5 and eq05 (`-k` matches parts of words), line16."""
    numbered = [("eq", n) for n in test_equations] + [("line", n) for n in test_lines]
    return {f"{word}{n:{width}}" for word, n in numbered for width in ("", "02")}


def with_line_numbers(text: str) -> str:
    """Return the page with the line of each function in its link."""
    head, heading, rest = text.partition(HEADING)
    table, end, tail = rest.partition("\n## ")
    table = LINK.sub(lambda link: f"[{link[1]}]({link[2]}#L{_line_of(*link.groups())})", table)
    return head + heading + table + end + tail


def _line_of(name: str, path: str) -> int:
    """Return the line at which a function, class or method is defined."""
    body = ast.parse(ROOT.joinpath(in_project(path)).read_text()).body
    for part in name.split("."):
        named = [node for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == part]
        if not named:
            raise LookupError(f"{path}: the equation index names {name}, which is not there")
        body = named[0].body
    return named[0].lineno


def page_of_tests(rows: list[Row]) -> str:
    """Return tests/README.md: the tests of each equation and of each line of Algorithm 1."""
    parts = [
        "# Tests by equation\n",
        "`pytest -k eq21` runs the tests of Eq. 21, `pytest -k line16` those of line 16 of Algorithm 1. Write two",
        "digits, `eq02`, since `-k eq2` selects Eqs. 2 and 20 to 27.",
        f"{len(tests())} tests name their equations or lines by a marker, `@pytest.mark.eq(21)`.",
        "Each says in its docstring what it asks, with the number by hand where there is one.",
        "The first test of a row is the simplest one.\n",
        "`pytest -x -k eq21 --mine my_eq21.py` lets them judge a function that you wrote",
        "([exercises](../experiments/exercises/README.md)).",
        '`pytest -m "not slow"` leaves out the tests that start processes.',
        "This page is written by `python -m experiments.page.index`.\n",
    ]
    for row in rows:
        if listed := row.tests():
            parts.append(f"**{row.cell}** {row.what}\n")
            parts += [f"- [{t.name}]({t.path.removeprefix('tests/')})" for t in listed]
            parts.append("")
    return "\n".join(parts)


def main() -> None:
    """Write both pages."""
    write_atomically(PAGE, with_line_numbers(PAGE.read_text()).encode())
    write_atomically(ROOT / "tests/README.md", page_of_tests(ROWS).encode())


ROWS = read_index(PAGE.read_text())

if __name__ == "__main__":
    main()
