"""The equation index of the README, read: which function and which test stand for which equation.

`conftest.py` makes keywords of it (`pytest -k eq21`, `-k line16`); `test_equation_index.py` holds it against the code.
"""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Row(NamedTuple):
    """One row of the index; a function is (folder, dotted name), a test (file, function)."""

    cell: str  # the first cell as it stands there
    what: str  # the second cell
    equations: frozenset[int]
    lines: frozenset[int]  # of Algorithm 1
    functions: tuple[tuple[str, str], ...]
    tests: tuple[tuple[str, str], ...]


def read_index(text: str) -> list[Row]:
    """Read the table under the heading `## Equation index`: | equation | what | function | test |."""
    section = text.partition("## Equation index\n")[2].partition("\n## ")[0]
    rows = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and "`" in cells[3]:
            functions, tests = (re.findall(r"`([^`]+)`", cell) for cell in cells[2:])
            rows.append(Row(cells[0], cells[1], equations(cells[0]), lines(cells[0]), tuple(map(place, functions)),
                            tuple(tuple(name.split("::")) for name in tests)))  # fmt: skip
    return rows


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


def place(name: str) -> tuple[str, str]:
    """Say where a function of the index is: in the package, or in `experiments: ` and there."""
    outside = name.startswith("experiments:")
    return ("experiments", name.removeprefix("experiments:").strip()) if outside else ("edgediff", name)


def keywords(row: Row) -> set[str]:
    """Return the words that select the tests of a row: eq5 and eq05 (`-k` matches parts of words), line16."""
    numbered = [("eq", n) for n in row.equations] + [("line", n) for n in row.lines]
    return {f"{word}{n:{width}}" for word, n in numbered for width in ("", "02")}


ROWS = read_index(ROOT.joinpath("README.md").read_text())
