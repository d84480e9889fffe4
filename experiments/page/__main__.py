"""Write the paper, annotated by the code: `python -m experiments.page` makes results/annotated_paper.html.

One static page without scripts and without network access: equations as printed and as corrected, derivations, the
functions that compute them, their tests, what is printed wrong, Algorithm 1 with the code of each line, Table 1 beside
its fields, the pictures, and what was found. It is made from the sources; the LaTeX and the words between are in
`paper_text.py`, `equations.md`, `derivations.md` and `discussion.md`.
"""

import os
import sys
from collections import Counter
from dataclasses import fields
from html import escape
from importlib.metadata import version
from pathlib import Path

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError
from edgediff.run.atomic import write_atomically
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from experiments import RESULTS, ROOT
from experiments.html import font
from experiments.html.markup import REPOSITORY, picture, table, words
from experiments.own_file import refuse_foreign
from experiments.page.deviations import KINDS
from experiments.page.paper_text import AUTHORS, RESULT_PICTURES, SECTIONS, TITLE, Section
from experiments.page.prose import sections
from experiments.page.writer import Writer

MARK = '<meta name="generator" content="experiments/page'  # by which a page of ours is known
PAGE = RESULTS / "annotated_paper.html"
STYLES = Path(__file__).with_name("annotate.css"), font.SIDEWAYS


class Chapters:
    """The chapters of the page and its contents."""

    def __init__(self):
        self.body: list[str] = []
        self.contents: list[str] = []

    def add(self, anchor: str, title: str, *parts: str, equations: tuple[int, ...] = ()) -> None:
        """Append a chapter, and its line of the contents with its equations."""
        numbers = " ".join(f'<a href="#eq{n}">({n})</a>' for n in equations)
        self.contents.append(f'<li><a href="#{anchor}">{title}</a> <span>{numbers}</span></li>')
        self.body.append("\n".join([f'<section id="{anchor}"><h2>{title}</h2>', *filter(None, parts), "</section>"]))


def section(writer: Writer, results: Path, of: Section) -> list[str]:
    """Return the parts of a section of the paper."""
    parts = [f"<p>{words(of.words)}</p>"]
    for n in of.equations:
        parts.append(writer.equation(n))
        parts += [picture(results / file, caption) for file, caption, after in of.pictures if after == n]
    parts += [picture(results / file, caption) for file, caption, after in of.pictures if after == 0]
    return [*parts, writer.deviations(lambda row: row.where == f"Section {of.number}")]


def settings() -> str:
    """Return the table of Section 5.1."""
    rows = [(f"<code>{f.name}</code>", escape(str(f.default)), escape(f.metadata["text"])) for f in fields(WorldConfig)]
    return f"<details><summary>All {len(rows)} settings</summary>{table(rows)}</details>"


def legend(writer: Writer) -> str:
    """Return what the kinds of deviation mean, and how many there are of each."""
    count = Counter(row.kind for row in writer.rows)
    kinds = [
        f'<li class="deviation {kind.name}"><span class="kind">{kind.word}</span> ({count[kind]}) {kind.legend}</li>'
        for kind in KINDS
    ]
    same = words(
        r"letter that only has another name: \(g\) for \(b\), \(s_t\) for \(s_i\), \(z\) for the second "
        r"\(\epsilon\). Grey boxes derive what the paper only states."
    )
    return (
        f"<p>Where the code differs from the paper, a bar says so. There are {len(writer.rows)} such places, of "
        f'three kinds:</p><ul class="legend">{"".join(kinds)}</ul>'
        '<p>In a formula "as computed here", what is not as printed is <span class="new">coloured</span>, except a '
        f"{same}</p><p>To look inside a single decision, write a page of an episode:</p>"
        "<pre tabindex=0>python -m experiments.look experiments/results/agent --output decisions.html</pre>"
        "<p>There every flow can be opened, with its chain, its critics, and Eqs. (1) to (13) in its own numbers."
        '</p><p class="narrow">An arrow at the lower right of a formula, code, a table or a picture: it goes on, '
        "scroll it to the side.</p>"
    )


def chapters(results: Path, writer: Writer) -> Chapters:
    """Return all chapters in the order of the paper."""
    made = Chapters()
    for each in SECTIONS:
        parts = section(writer, results, each)
        made.add(f"section-{each.number}", f"{each.number} {each.title}", *parts, equations=each.equations)
        if each.number == "4.2":
            says = "<p>Each line in short, with the code that does it and where it differs.</p>"
            made.add("algorithm-1", "Algorithm 1", says, writer.algorithm())
    says = "<p>The settings of the learner, and the fields that hold them.</p>"
    made.add("table-1", "Table 1", says, writer.table_1())
    says = "<p>The fields of <code>WorldConfig</code>: what the paper says, and what a simulation needs besides.</p>"
    deviations = writer.deviations(lambda row: row.where == "Section 5.1")
    made.add("section-5.1", "5.1 Simulation setup", says, settings(), deviations)
    found = []
    for title, texts in sections("discussion.md").items():
        found.append(f"<h3>{title}</h3>" + "".join(f"<p>{words(text)}</p>" for text in texts))
    pictures = [picture(results / file, caption) for file, caption in RESULT_PICTURES]
    made.add("section-5.2", "5.2 Results", *found, "<h3>Pictures</h3>", *pictures)
    made.add("not-said", "What the paper does not say", writer.deviations(lambda row: row not in writer.placed))
    return made


def page(results: Path = RESULTS, home: str = "../..") -> str:
    """Return the whole page; `home` is the way from the page to the folder of the project."""
    writer = Writer()
    made = chapters(results, writer)
    style = "".join(path.read_text("utf-8") for path in STYLES)
    text = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{MARK} with latex2mathml {version("latex2mathml")}">
<title>The paper, annotated by the code</title>
<link rel="icon" href="data:,">
<style>
{font.rule()}
{style}</style>
</head>
<body>
<nav><b>Contents</b><ul>{"".join(made.contents)}</ul></nav>
<main>
<h1>The paper, annotated by the code</h1>
<p>{escape(AUTHORS)}, <i>{escape(TITLE)}</i>. This page goes through the paper in its order. It shows each equation with
a derivation where the paper has none, the function that computes it, its tests, and what is different here and why. All
code, tests and differences are copied from the sources of edgediff by <code>python -m experiments.page</code>. Links to
files work where this page lies in a copy of the repository.</p>
{legend(writer)}
{"".join(made.body)}
</main>
</body>
</html>
"""
    return text.replace(f'href="{REPOSITORY}', f'href="{home}/')


def main(argv: list[str]) -> int:
    """Write the paper, annotated by the code, as one HTML page."""
    parser = Parser("python -m experiments.page", main.__doc__)
    parser.add_argument("page", metavar="FILE", nargs="?", default=str(PAGE), help="[results/annotated_paper.html]")
    path = Path(parser.parse(argv).page)
    if path.suffix != ".html":
        raise ConfigError(
            f"page: {path} does not end with .html; for the page of a run: python -m experiments.look RUN"
        )
    refuse_foreign(path, MARK, "page")
    text = page(home=Path(os.path.relpath(ROOT, path.resolve().parent)).as_posix())
    write_atomically(path, text.encode())
    print(f"{path} ({len(text) / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("annotate", main))
