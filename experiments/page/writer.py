"""The parts of the page that are made of the sources: equations, functions, tests, deviations, Algorithm 1, Table 1."""

from html import escape

from experiments.html.markup import breakable, code, display, equation, maths, table, to_file, words
from experiments.page import sources
from experiments.page.deviations import typeset
from experiments.page.index import Row, Test
from experiments.page.paper_text import ALGORITHM, EQUATIONS, TABLE_1
from experiments.page.prose import FORMULA, Derivation, derivations
from experiments.page.sources import Deviation, Excerpt, Function

DERIVATIONS = derivations()
SHOWN_OPEN = 25  # lines of a source that is shown without a click


class Writer:
    """What is on the page so far: each function is shown once, each deviation is counted."""

    def __init__(self):
        self.shown: set[str] = set()
        self.rows = sources.deviations()
        self.placed: set[Deviation] = set()

    def functions(self, functions: list[Function], open_up_to: int = SHOWN_OPEN) -> str:
        """Show the sources of functions, or a link to where they are shown."""
        parts = []
        for each in functions:
            anchor, name = f"fn-{each.name}", f"<code>{breakable(each.name)}</code>"
            if each.name in self.shown:
                parts.append(f'<p>Code: <a href="#{anchor}">{name}</a>, shown above.</p>')
                continue
            self.shown.add(each.name)
            length = each.source.count("\n") + 1
            place = to_file(each.file, each.line, f"{breakable(each.file)}:{each.line}")
            opened = " open" if length <= open_up_to else ""
            summary = f'Code: {name} ({length} lines, <span class="quiet">{place}</span>)'
            shown = f"<summary>{summary}</summary>{code(each.source)}"
            parts.append(f'<details id="{anchor}"{opened}>{shown}</details>')
        return "\n".join(parts)

    def deviations(self, belongs) -> str:
        """Show the deviations that belong here; `belongs` says it of each."""
        found = [row for row in self.rows if belongs(row)]
        self.placed |= set(found)
        return "\n".join(map(deviation, found))

    def equation(self, number: int) -> str:
        """Show one equation with all that belongs to it."""
        title, printed, text, corrected, says = EQUATIONS[number]
        wrong = corrected and says == "as computed here"
        rows = sources.rows_of_equation(number)
        parts = [
            f'<h3 id="eq{number}">Equation {number}: {title}</h3>',
            f"<p>{words(text)}</p>",
            equation(printed, number, "wrong" if wrong else "", "as printed"),
            equation(corrected, number, "right" if wrong else "", says) if corrected else "",
            self.deviations(lambda row: number in row.equations),
            derived(f"eq{number}"),
            self.functions([function for row in rows for function in sources.functions(row)]),
            f'<p class="tests">Tests (<code>pytest -k eq{number:02}</code>): {tests(rows)}</p>',
        ]
        return "\n".join(parts)

    def row(self, row: Row) -> str:
        """Show functions and tests of a row of the index that is no equation."""
        named = f'<p class="tests">Tests: {tests([row])}</p>' if row.tests() else ""
        return self.functions(sources.functions(row), 0) + named

    def algorithm(self) -> str:
        """Show Algorithm 1 line by line, with the code of each."""
        blocks = []
        for numbers, excerpts in sources.algorithm(len(ALGORITHM)):
            lines = "".join(f'<p id="line{n}"><b>{n}</b> {words(ALGORITHM[n - 1])}</p>' for n in numbers)
            differs = self.deviations(lambda row, numbers=numbers: row.lines & set(numbers))
            blocks.append(f'<div class="lines">{lines}{"".join(map(excerpt, excerpts))}{differs}</div>')
        rows = [row for row in sources.rows_of_algorithm() if row.lines]
        below = [
            f"<h3>{escape(row.cell.capitalize())}: {words(typeset(row.what))}</h3>"
            + "".join(derived(f"line{n}") for n in sorted(row.lines))
            + self.row(row)
            for row in rows
        ]
        return "\n".join(blocks + below)

    def table_1(self) -> str:
        """Show Table 1 beside the fields of `LearnerConfig`."""
        lines = []
        for symbol, value, text in TABLE_1:
            f = sources.field_of(text)
            lines.append((maths(symbol), value, f"<code>{f.name}</code> = {f.default}", escape(f.metadata["text"])))
        rows = [row for row in sources.rows_of_algorithm() if not row.lines]
        header = "<tr><th>symbol</th><th>printed</th><th>field and default</th><th>meaning</th></tr>"
        deviations = self.deviations(lambda row: row.where == "Table 1")
        return "\n".join([table(lines, header), deviations, *map(self.row, rows)])


def deviation(row: Deviation) -> str:
    """Show one deviation with its kind, in words and in colour."""
    kind = f'<span class="kind">{row.kind.word}</span>'
    shown_by = f'<p class="tests">Shown by {words(row.tests)}</p>' if row.tests else ""
    printed, here = words(typeset(row.printed)), words(typeset(row.here))
    return (
        f'<div class="deviation {row.kind.name}"><p>{kind} <b>{escape(row.where)}.</b> In the paper: {printed}.</p>'
        f"<p>Here: {here}.</p>{shown_by}</div>"
    )


def derived(after: str) -> str:
    """Show the derivations that stand after an equation or a line of Algorithm 1."""
    return "\n".join(map(derivation, (each for each in DERIVATIONS if each.after == after)))


def derivation(each: Derivation) -> str:
    """Show one derivation: paragraphs, and displayed formulas."""
    parts = (
        display(part.removeprefix(FORMULA)) if part.startswith(FORMULA) else f"<p>{words(part)}</p>"
        for part in each.parts
    )
    return f'<div class="derivation" id="{each.anchor}"><h4>{words(each.title)}</h4>{"".join(parts)}</div>'


def excerpt(each: Excerpt) -> str:
    """Show code of Algorithm 1 with a link to its place."""
    place = to_file(each.file, each.line, f"{breakable(each.function)}, line {each.line}")
    return f'<p class="quiet">{place}</p>{code(each.code)}'


def tests(rows: list[Row]) -> str:
    """Name the tests of rows of the index, each once, with a link to its file."""
    found: dict[str, Test] = {test.name: test for row in rows for test in row.tests()}
    return ", ".join(to_file(test.path, 0, f"<code>{breakable(name)}</code>") for name, test in found.items())
