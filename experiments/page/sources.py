"""Read from the sources what the annotated paper shows: functions, tests, deviations, numbered lines, settings."""

import inspect
import pkgutil
import re
import textwrap
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from edgediff.config import LearnerConfig
from experiments.page.deviations import KINDS, Kind
from experiments.page.index import ROOT, ROWS, Row, equations, lines, spans


class Function(NamedTuple):
    """A function or class of the index: its name there, without the folder, its source and where that is."""

    name: str
    source: str
    file: str  # from the folder of the project
    line: int


class Deviation(NamedTuple):
    """One row of the table of deviations, and the equations and lines of Algorithm 1 that it is about."""

    where: str
    printed: str
    here: str
    kind: Kind
    tests: str
    equations: frozenset[int]
    lines: frozenset[int]


class Excerpt(NamedTuple):
    """Code that carries the numbers of lines of Algorithm 1, and where it is."""

    function: str
    lines: frozenset[int]
    code: str
    file: str
    line: int


def functions(row: Row) -> list[Function]:
    """Return the functions of a row of the index, with their sources."""
    return [function(name) for name in row.functions]


def function(name: str) -> Function:
    """Return a function, class or method by its dotted name."""
    found = inspect.unwrap(pkgutil.resolve_name(name))
    code, line = inspect.getsourcelines(found)
    decorators = next(k for k, text in enumerate(code) if text.lstrip().startswith(("def ", "class ")))
    file = Path(inspect.getsourcefile(found) or "").relative_to(ROOT).as_posix()
    return Function(name.removeprefix("edgediff."), textwrap.dedent("".join(code)).rstrip(), file, line + decorators)


def rows_of_equation(number: int) -> list[Row]:
    """Return the rows of the index for an equation."""
    return [row for row in ROWS if number in row.equations]


def rows_of_algorithm() -> list[Row]:
    """Return the rows of the index for the lines of Algorithm 1, and for Table 1."""
    return [row for row in ROWS if not row.equations]


def deviations(text: str | None = None) -> list[Deviation]:
    """Read the table of deviations of edgediff/README.md."""
    text = ROOT.joinpath("edgediff/README.md").read_text() if text is None else text
    section = text.partition("## Deviations from the paper\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")][2:]  # without heading and rule
    found, kinds = [], {kind.word: kind for kind in KINDS}
    for line in table:
        where, printed, here, kind, tests = (cell.strip() for cell in line.strip().strip("|").split("|"))
        if kind not in kinds:
            raise LookupError(f"edgediff/README.md, {where}: the kind {kind!r} is not one of {', '.join(kinds)}")
        numbers = spans((n, "") for text in re.findall(r"\bEqs?\. ([\d, ]+)", where) for n in re.findall(r"\d+", text))
        found.append(Deviation(where, printed, here, kinds[kind], tests, numbers | equations(where), lines(where)))
    return found


def excerpts() -> list[Excerpt]:
    """Return the code of `train` and `D2SAC.update` that carries numbers of Algorithm 1, in order.

    A comment at the end of a line numbers that line, and the next one if the line opens a block whose first line has
    no number. A comment of its own numbers what follows, up to an empty line.
    """
    found = []
    for name in ("edgediff.train.train", "edgediff.learner.d2sac.D2SAC.update"):
        shown = function(name)
        code = shown.source.splitlines()
        for k, line in enumerate(code):
            if comment := re.search(r"# [Ll]ines? (\d+)(?:-(\d+))?", line):
                if line.lstrip().startswith("#"):
                    stop = next((n for n in range(k, len(code)) if not code[n].strip()), len(code))
                else:
                    opens = line[: comment.start()].rstrip().endswith(":")
                    stop = k + (2 if opens and "# line" not in code[k + 1] else 1)
                text = textwrap.dedent("\n".join(code[k:stop])).strip()
                found.append(Excerpt(shown.name, spans([comment.groups()]), text, shown.file, shown.line + k))
    return found


def algorithm(count: int) -> list[tuple[list[int], list[Excerpt]]]:
    """Group the lines 1 .. count by the code beside them: that with the fewest numbers, and others where they begin.

    Lines without code form a group if the same deviation is about them. A line with neither, as the end of a block,
    joins the group before it.
    """
    every, groups, before = excerpts(), [], None
    for number in range(1, count + 1):
        mine = sorted((e for e in every if number in e.lines), key=lambda e: len(e.lines))
        nearest = [e for e in mine if len(e.lines) == len(mine[0].lines)]
        wider = [e for e in mine if e not in nearest and min(e.lines) == number]
        key = nearest or [row for row in deviations() if number in row.lines]
        if groups and (not key or key == before):
            groups[-1][0].append(number)
        else:
            groups.append(([number], wider + nearest))
            before = key
    return groups


def field_of(symbol: str):
    """Return the one field of `LearnerConfig` whose text names a symbol of Table 1: begins with it, if it is short."""
    anywhere = " of " in symbol or "_" in symbol
    texts = {f: f.metadata["text"] for f in fields(LearnerConfig)}
    found = [f for f, text in texts.items() if text.startswith(symbol) or anywhere and symbol in text]
    if len(found) != 1:
        raise LookupError(f"Table 1: {symbol} is in the text of {len(found)} fields of LearnerConfig")
    return found[0]
