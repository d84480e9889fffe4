"""Read what is written by hand for the page: equations.md, derivations.md and discussion.md beside this file."""

import re
from pathlib import Path
from typing import NamedTuple

FORMULA = "$$ "  # how a paragraph begins that is a displayed formula in LaTeX


class Equation(NamedTuple):
    """One numbered equation: its title, its LaTeX as printed, what it says, and its LaTeX as computed here.

    `says` is "as computed here" where the printed equation is wrong or incomplete, and other words where this only
    adds to it.
    """

    title: str
    printed: str
    words: str
    corrected: str = ""
    says: str = "as computed here"


class Derivation(NamedTuple):
    """One derivation: its anchor on the page, after what it stands (eq5, line16), its title and its paragraphs."""

    anchor: str
    after: str
    title: str
    parts: tuple[str, ...]


def sections(file: str) -> dict[str, tuple[str, ...]]:
    """Return the paragraphs under each heading, each on one line, as `markup.words` reads them."""
    found = {}
    for section in Path(__file__).with_name(file).read_text("utf-8").split("\n## ")[1:]:
        heading, *paragraphs = section.strip().split("\n\n")
        found[heading] = tuple(" ".join(paragraph.splitlines()) for paragraph in paragraphs)
    return found


def equations() -> dict[int, Equation]:
    """Return the equations of the paper by number."""
    found = {}
    for heading, parts in sections("equations.md").items():
        number, title = re.fullmatch(r"Eq\. (\d+): (.*)", heading).groups()
        found[int(number)] = Equation(title, *(part.removeprefix(FORMULA) for part in parts))
    return found


def derivations() -> list[Derivation]:
    """Return the derivations that the paper leaves out."""
    headings = sections("derivations.md").items()
    return [Derivation(*re.fullmatch(r"(\S+), after (\S+): (.*)", each).groups(), parts) for each, parts in headings]
