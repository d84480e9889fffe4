"""Read a request log in blocks of whole lines, and turn an ordinary block of CSV into numbers at once.

Whatever is unusual in a block is left to the exact way, line by line in log_lines.py, which also names what is wrong.
"""

import gzip
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from edgediff.errors import ConfigError
from edgediff.world.log_formats import LATEST_NS, TIME, Format

BLOCK = 2**19  # bytes: what is made of a block fits into the cache of a core
_BEFORE = 15  # characters before a block, so that a number can be looked at flush right; it has no more
_ZERO, _POINT = ord("0"), ord(".")

Columns = tuple[np.ndarray, np.ndarray, np.ndarray]  # nanoseconds, tokens sent, tokens generated, all (n,)


class Layout(NamedTuple):
    """How the lines of a log are to be read."""

    path: str
    format: Format
    where: list[int]  # of CSV: where time, tokens sent and tokens generated stand
    width: int  # of CSV: columns in a line; 0: JSON lines
    stamped: bool  # times are dates, not numbers


def read_blocks(path: str) -> Iterator[tuple[int, bytes]]:
    """Go through a file, packed by gzip or not, in blocks of whole lines, each with the number of its first line."""
    line, kept, damage = 1, bytearray(), None
    with open(path, "rb") as raw:
        file = gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == b"\x1f\x8b" else raw
        more = True
        while more:
            full = len(kept) + BLOCK
            try:
                while len(kept) < full and more:
                    more = bool(piece := file.read1(BLOCK))
                    kept += piece
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                damage, more = error, False
            end = kept.rfind(b"\n") + 1 if more or damage else len(kept)
            if end:
                yield line, bytes(kept[:end])
                line += kept.count(b"\n", 0, end)
                del kept[:end]
    if damage:
        raise ConfigError(f"trace: {path}, line {line}: the gzip file is damaged or incomplete ({damage})")


def read_quickly(block: bytes, layout: Layout, after_ns: int) -> Columns | None:
    """Return the columns of a block, None if anything in it is unusual or a time is earlier than the one before."""
    if not layout.width or b'"' in block:
        return None
    text = np.frombuffer(b"0" * _BEFORE + block + b"\n" * (not block.endswith(b"\n")), np.uint8)
    marks = np.flatnonzero((text == ord(",")) | (text == ord("\n")))
    if marks.size % layout.width:
        return None
    mark = marks.reshape(-1, layout.width)
    if (text[mark] != np.array([ord(",")] * (layout.width - 1) + [ord("\n")])).any():
        return None
    start = np.column_stack([np.append(_BEFORE, mark[:-1, -1] + 1), mark[:, :-1] + 1])
    if returns := block.count(b"\r"):
        if returns != len(mark) or (text[mark[:, -1] - 1] != ord("\r")).any():
            return None
        mark[:, -1] -= 1
    fields = [(text, start[:, k], mark[:, k]) for k in layout.where]
    time_ns = _stamps(*fields[0]) if layout.stamped else _numbers(*fields[0], layout.format.unit_ns)
    sent, generated = (_numbers(*field, 1, 10**9 - 1) for field in fields[1:])
    if time_ns is None or sent is None or generated is None:
        return None
    if time_ns[0] < after_ns or (time_ns[1:] < time_ns[:-1]).any():
        return None
    return time_ns, sent.astype(np.int32), generated.astype(np.int32)


def _rows(text: np.ndarray, first: np.ndarray, width: int) -> np.ndarray:
    """Return `width` characters from each position on, (n, width)."""
    every = np.ndarray(text.size - width + 1, f"V{width}", text, strides=(1,))
    return every[first].view(np.uint8).reshape(-1, width)


def _stamps(text: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray | None:
    """Return times in UTC as nanoseconds: those of one width have their digits where the first of them has them."""
    time_ns, width = np.empty(start.size, np.int64), stop - start
    if width.min() < 1:
        return None
    for wide in np.flatnonzero(np.bincount(width)):
        chosen = slice(None) if (width == wide).all() else np.flatnonzero(width == wide)
        rows = _rows(text, start[chosen], int(wide))
        match = TIME.fullmatch(rows[0].tobytes().decode("latin-1"))
        if not match:
            return None
        end = max(match.end(4), match.end(5))
        digit = (rows[0] >= _ZERO) & (rows[0] < _ZERO + 10)
        digit[:2] = digit[end:] = False  # the century and the zone are the same in all
        if (rows[:, digit] - np.uint8(_ZERO) > 9).any() or (rows[:, ~digit] != rows[0, ~digit]).any():
            return None
        try:
            moments = np.ascontiguousarray(rows[:, :end]).view(f"S{end}")[:, 0].astype("datetime64[ns]")
        except ValueError:  # as 2023-02-30
            return None
        time_ns[chosen] = moments.view(np.int64)
    return time_ns


def _numbers(
    text: np.ndarray, start: np.ndarray, stop: np.ndarray, unit: int, most: int = LATEST_NS
) -> np.ndarray | None:
    """Return numbers in units, which must give whole ones: digits, in all rows with as many after a point, or none."""
    width = stop - start
    wide = int(width.max())
    if not 1 <= wide <= _BEFORE:
        return None
    rows = _rows(text, stop - wide, wide)
    rows[np.arange(wide) < (wide - width)[:, None]] = _ZERO  # flush right
    point = np.flatnonzero((rows == _POINT).all(axis=0))
    decimals = wide - 1 - int(point[0]) if point.size else 0
    digits = np.delete(rows, point, axis=1) - np.uint8(_ZERO)
    if width.min() < 1 + point.size + decimals or point.size > (decimals > 0) or (digits > 9).any():
        return None
    value = np.zeros(start.size, np.int64)
    for column in digits.T:
        value = 10 * value + column
    power = 10**decimals
    if int(value.max()) * unit // power > most or unit % power and (value % power).any():
        return None
    return value * (unit // power) if unit % power == 0 else value // power * unit
