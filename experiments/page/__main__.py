"""Write the paper, annotated by the code: `python -m experiments.page` makes results/annotated_paper.html.

One static page without scripts and without network access: equations as printed and as corrected, the functions that
compute them, their tests, what is printed wrong, Algorithm 1 beside `train` and `D2SAC.update`, Table 1 beside its
fields, and the pictures. It is made from the sources; the LaTeX and the words between are in `paper_text.py`.
"""

import sys
from html import escape
from importlib.metadata import version
from pathlib import Path

from edgediff.errors import ConfigError
from edgediff.run.commandline import run_program
from experiments import RESULTS
from experiments.page import sources
from experiments.page.markup import code, equation, formulas, maths, picture, tests, words
from experiments.page.paper_text import (
    ALGORITHM,
    AUTHORS,
    EQUATIONS,
    RESULT_PICTURES,
    SECTIONS,
    TABLE_1,
    TITLE,
    Equation,
)
from experiments.page.sources import Deviation, Function

PAGE = RESULTS / "annotated_paper.html"
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
        for name, source in functions:
            anchor = f"fn-{name}"
            if name in self.shown:
                parts.append(f'<p>Code: <a href="#{anchor}"><code>{escape(name)}</code></a>, shown above.</p>')
                continue
            self.shown.add(name)
            length = source.count("\n") + 1
            parts.append(f'<details id="{anchor}"{" open" if length <= open_up_to else ""}>'
                         f"<summary>Code: <code>{escape(name)}</code> ({length} lines)</summary>"
                         f"{code(source)}</details>")  # fmt: skip
        return "\n".join(parts)

    def deviations(self, belongs) -> str:
        """Show the deviations that belong here; `belongs` says it of each."""
        found = [row for row in self.rows if belongs(row)]
        self.placed |= set(found)
        return "\n".join(
            f'<div class="deviation"><p><b>{escape(row.where)}.</b> In the paper: {words(row.printed)}.</p>'
            f"<p>Here: {words(row.here)}.</p>"
            + (f'<p class="tests">Shown by {words(row.tests)}</p>' if row.tests else "") + "</div>"
            for row in found
        )  # fmt: skip

    def equation(self, number: int) -> str:
        """Show one equation with all that belongs to it."""
        printed, text, corrected, says = EQUATIONS[number]
        wrong = corrected and says == Equation._field_defaults["says"]
        rows = sources.rows_of_equation(number)
        named = {test.name: None for row in rows for test in row.tests()}
        return "\n".join([
            f'<h3 id="eq{number}">Equation {number}: {escape(", ".join(row.what for row in rows))}</h3>',
            f"<p>{escape(text)}</p>",
            equation(printed, number, "wrong" if wrong else "", "as printed"),
            equation(corrected, number, "right" if wrong else "", says) if corrected else "",
            self.deviations(lambda row: number in row.equations),
            self.functions([function for row in rows for function in sources.functions(row)]),
            f'<p class="tests">Tests (<code>pytest -k eq{number:02}</code>): {tests(named)}</p>',
        ])  # fmt: skip

    def row(self, row) -> str:
        """Show functions and tests of a row of the index that is no equation."""
        named = {test.name: None for test in row.tests()}
        return f'{self.functions(sources.functions(row), 0)}<p class="tests">Tests: {tests(named)}</p>'

    def algorithm(self) -> str:
        """Show Algorithm 1 line by line beside the code."""
        cells = []
        for numbers, excerpts in sources.algorithm(len(ALGORITHM)):
            left = "".join(f'<p id="line{n}"><b>{n}</b> {formulas(ALGORITHM[n - 1])}</p>' for n in numbers)
            right = "".join(f'<span class="quiet">{escape(e.function)}</span>{code(e.code)}' for e in excerpts)
            right += self.deviations(lambda row, numbers=numbers: row.lines & set(numbers))
            if not right:
                right = '<p class="quiet">The end of a block: the indentation ends.</p>'
            cells.append(f"<div>{left}</div><div>{right}</div>")
        rows = [row for row in sources.rows_of_algorithm() if row.lines]
        below = [f"<h3>{escape(row.cell.capitalize())}: {escape(row.what)}</h3>{self.row(row)}" for row in rows]
        return f'<div class="lines">{"".join(cells)}</div>\n' + "\n".join(below)

    def table_1(self) -> str:
        """Show Table 1 beside the fields of `LearnerConfig`."""
        lines = []
        for symbol, value, text in TABLE_1:
            f = sources.field_of(text)
            lines.append(f"<tr><td>{maths(symbol)}</td><td>{value}</td><td><code>{f.name}</code> = {f.default}</td>"
                         f"<td>{escape(f.metadata['text'])}</td></tr>")  # fmt: skip
        rows = [row for row in sources.rows_of_algorithm() if not row.lines]
        return "\n".join([
            '<div class="scroll"><table><tr><th>symbol</th><th>printed</th><th>field and default</th>'
            f"<th>meaning</th></tr>{''.join(lines)}</table></div>",
            self.deviations(lambda row: row.where == "Table 1"),
            *map(self.row, rows),
        ])  # fmt: skip


def page(results: Path = RESULTS) -> str:
    """Return the whole page."""
    writer, body, contents = Writer(), [], []

    def chapter(anchor: str, title: str, *parts: str) -> None:
        contents.append(f'<a href="#{anchor}">{title}</a>')
        body.append("\n".join([f'<section id="{anchor}"><h2>{title}</h2>', *filter(None, parts), "</section>"]))

    for number, title, text, equations, pictures in SECTIONS:
        parts = [f"<p>{escape(text)}</p>"]
        for n in equations:
            parts.append(writer.equation(n))
            parts += [picture(results / file, caption) for file, caption, after in pictures if after == n]
        parts += [picture(results / file, caption) for file, caption, after in pictures if after == 0]
        parts.append(writer.deviations(lambda row, here=f"Section {number}": row.where == here))
        chapter(f"section-{number}", f"{number} {title}", *parts)
        if number == "4.2":
            chapter("algorithm-1", "Algorithm 1", "<p>Each line in short, with the code that does it and where it "
                    "differs.</p>", writer.algorithm())  # fmt: skip
    chapter("table-1", "Table 1", "<p>The settings of the learner, and the fields that hold them.</p>",
            writer.table_1())  # fmt: skip
    lines = [f"<tr><td><code>{f.name}</code></td><td>{escape(str(f.default))}</td>"
             f"<td>{escape(f.metadata['text'])}</td></tr>" for f in sources.world_fields()]  # fmt: skip
    chapter("section-5.1", "5.1 Simulation setup",
            "<p>The fields of <code>WorldConfig</code>: what the paper says, and what a simulation needs besides.</p>",
            f'<details><summary>All {len(lines)} settings</summary><div class="scroll"><table>{"".join(lines)}</table>'
            "</div></details>", writer.deviations(lambda row: row.where == "Section 5.1"))  # fmt: skip
    chapter("section-5.2", "5.2 Results", *(picture(results / file, caption) for file, caption in RESULT_PICTURES))
    chapter("not-said", "What the paper does not say", writer.deviations(lambda row: row not in writer.placed))
    numbers = " ".join(f'<a href="#eq{n}">({n})</a>' for n in EQUATIONS)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="experiments/page with latex2mathml {version("latex2mathml")}">
<title>The paper, annotated by the code</title>
<link rel="icon" href="data:,">
<style>
{Path(__file__).with_name("annotate.css").read_text()}</style>
</head>
<body>
<main>
<h1>The paper, annotated by the code</h1>
<p>{escape(AUTHORS)}, <i>{escape(TITLE)}</i>. This page goes through the paper in its order. It shows each equation with
the function that computes it, its tests, and what is different here and why. All code, tests and differences are
copied from the sources of edgediff by <code>python -m experiments.page</code>.</p>
<nav><b>Sections</b><br>{" ".join(contents)}<br><b>Equations</b><br>{numbers}</nav>
{"".join(body)}
</main>
</body>
</html>
"""


def main(argv: list[str]) -> int:
    """Write the page, by default results/annotated_paper.html."""
    if len(argv) > 1 or argv and argv[0].startswith("-"):
        raise ConfigError(f"arguments: {' '.join(argv)!r} are not one path, that of the page")
    path = Path(argv[0]) if argv else PAGE
    text = page()
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"page: {path} cannot be written ({error.strerror})") from None
    print(f"{path} ({len(text) / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("annotate", main))
