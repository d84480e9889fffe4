"""Turn LaTeX, Markdown, Python and pictures into parts of a page that needs nothing from outside."""

import base64
import re
import struct
import tokenize
from html import escape
from io import StringIO
from pathlib import Path

try:
    from latex2mathml.converter import convert
except ModuleNotFoundError:
    raise SystemExit('latex2mathml is not installed: pip install -e ".[experiments]"') from None

from edgediff.errors import ConfigError


def maths(latex: str, display: str = "inline") -> str:
    """Typeset LaTeX as MathML; indices that are words stand upright."""
    upright = re.sub(r"([\^_])\{([a-z/]{2,})\}", r"\1{\\text{\2}}", latex)
    return convert(upright, display=display)


def equation(latex: str, number: int, kind: str, says: str) -> str:
    """Typeset a numbered equation in a box that scrolls."""
    return (f'<div class="equation {kind}"><span class="says">{says}</span>'
            f'<div class="scroll">{maths(latex, "block")}</div><span>({number})</span></div>')  # fmt: skip


def formulas(text: str) -> str:
    r"""Escape a text and typeset what stands between \( and \)."""
    parts = re.split(r"\\\((.*?)\\\)", text)
    return "".join(maths(part) if k % 2 else escape(part) for k, part in enumerate(parts))


def words(markdown: str) -> str:
    """Escape a cell of a table in Markdown, and mark what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(markdown, quote=False))


def tests(names) -> str:
    """List names of tests."""
    return ", ".join(f"<code>{name}</code>" for name in names)


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


def picture(path: Path, caption: str) -> str:
    """Embed a PNG file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"pictures: {path} cannot be read ({error.strerror}); pictures.py and figures.py draw them "
                          "all") from None  # fmt: skip
    width, height = struct.unpack(">II", data[16:24])  # in the header of every PNG
    text, size = base64.b64encode(data).decode(), f'width="{width}" height="{height}"'
    return (f'<figure><img src="data:image/png;base64,{text}" {size} alt="{escape(caption)}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>")  # fmt: skip
