"""Turn LaTeX, short texts, Python and pictures into parts of a page that needs nothing from outside."""

import base64
import re
import struct
import tokenize
from collections.abc import Iterable
from html import escape
from io import StringIO
from pathlib import Path

try:
    from latex2mathml.converter import convert
except ModuleNotFoundError:
    raise SystemExit('latex2mathml is not installed: pip install -e ".[experiments]"') from None

from edgediff.errors import ConfigError

REPOSITORY = "repository:"  # begins a link to a file of the repository, until the page knows where it lies
ACCENT = re.compile(r'<mover>((?:(?!<mover>).)*?)<mo stretchy="\w+">(&#x000AF;|&#x0007E;)</mo></mover>')
SIGNS = {"&#x000AF;": "&#x000AF;", "&#x0007E;": "&#x002DC;"}  # a bar, and a tilde as large as an accent
THIN = '<mspace width="0.167em" />'


def maths(latex: str, display: str = "inline") -> str:
    """Typeset LaTeX as MathML; indices that are words stand upright, and a bar over a letter can be seen."""
    upright = re.sub(r"([\^_])\{([a-z/]{2,})\}", r"\1{\\text{\2}}", latex)
    html = ACCENT.sub(
        lambda found: f'<mover accent="true">{found[1]}<mo>{SIGNS[found[2]]}</mo></mover>',
        convert(upright, display=display),
    )
    html = html.replace("<mi>ln</mi>", f"{THIN}<mi>ln</mi>{THIN}").replace("<mo>;</mo>", f"<mo>;</mo>{THIN}")
    return html.replace("<mi>&#x0007E;</mi>", "<mo>&#x0223C;</mo>")  # a relation, with space around it


def equation(latex: str, number: int, kind: str, says: str) -> str:
    """Typeset a numbered equation in a box that scrolls."""
    return f'<div class="equation {kind}"><span class="says">{says}</span>{display(latex)}<span>({number})</span></div>'


def display(latex: str) -> str:
    """Typeset a formula without a number in a box that scrolls."""
    return f'<div class="scroll" tabindex=0>{maths(latex, "block")}</div>'


def words(text: str) -> str:
    r"""Escape a text and typeset what stands between \( and \); `code`, **bold** and [links](file) are as in Markdown.

    A link that does not start with # is to a file of the repository.
    """
    parts = re.split(r"\\\((.*?)\\\)", text)
    return "".join(maths(part) if k % 2 else _plain(part) for k, part in enumerate(parts))


def _plain(text: str) -> str:
    """Escape a text without LaTeX."""
    html = re.sub(r"`([^`]+)`", lambda found: f"<code>{breakable(found[1])}</code>", escape(text, quote=False))
    html = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", html)
    html = re.sub(r"(?<=\d) %", "&nbsp;%", html)  # a line does not begin with a unit
    html = re.sub(r"\[([^\]]+)\]\((#[^)]+)\)", r'<a href="\2">\1</a>', html)
    return re.sub(r"\[([^\]]+)\]\((?:\.\./)?(\w[^)]+)\)", rf'<a href="{REPOSITORY}\2">\1</a>', html)


def breakable(name: str) -> str:
    """Allow a line to end after each underscore and dot of a long name."""
    return re.sub(r"([_.])(?=\w)", r"\1<wbr>", name)


def to_file(file: str, line: int, text: str) -> str:
    """Link to a file of the repository, or to a line of it."""
    return f'<a href="{REPOSITORY}{file}{f"#L{line}" if line else ""}">{text}</a>'


def code(source: str) -> str:
    """Show Python code, its comments and docstrings in a quieter colour."""
    quiet, starts = [], [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    try:
        for token in tokenize.generate_tokens(StringIO(source).readline):
            text = token.type == tokenize.STRING and token.string.startswith(('"""', 'r"""'))
            if token.type == tokenize.COMMENT or text:
                quiet.append(tuple(starts[row - 1] + column for row, column in (token.start, token.end)))
    except (tokenize.TokenError, IndentationError):
        pass  # a part of a block; what was found so far is right
    result, at = [], 0
    for start, stop in quiet:
        result += [escape(source[at:start], quote=False), "<i>", escape(source[start:stop], quote=False), "</i>"]
        at = stop
    return f"<pre tabindex=0>{''.join(result)}{escape(source[at:], quote=False)}</pre>"


def table(rows: Iterable[Iterable[str]], header: str = "") -> str:
    """Put cells of HTML into a table that scrolls."""
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll" tabindex=0><table>{header}{lines}</table></div>'


def picture(path: Path, caption: str) -> str:
    """Embed a PNG or SVG file; on a phone it scrolls."""
    try:
        data = path.read_bytes()
    except OSError as error:
        advice = "experiments/README.md says what draws it"
        raise ConfigError(f"pictures: {path} cannot be read ({error.strerror}); {advice}") from None
    kind, (width, height) = ("svg+xml", svg_size(data)) if path.suffix == ".svg" else ("png", png_size(data))
    source, words = f"data:image/{kind};base64,{base64.b64encode(data).decode()}", escape(caption)
    image = f'<img src="{source}" width="{width}" height="{height}" alt="{words}">'
    return f'<figure><div class="scroll" tabindex=0>{image}</div><figcaption>{words}</figcaption></figure>'


def png_size(data: bytes) -> tuple[int, int]:
    """Return width and height, which are in the header of every PNG."""
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def svg_size(data: bytes) -> tuple[int, int]:
    """Return width and height in pixels of an SVG of matplotlib, which gives them in points."""
    found = re.search(rb'width="([\d.]+)pt" height="([\d.]+)pt"', data)
    if not found:
        raise ConfigError("pictures: an SVG without a size in points; experiments.pictures draws them")
    return round(float(found[1]) * 4 / 3), round(float(found[2]) * 4 / 3)
