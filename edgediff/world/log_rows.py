"""Read the requests of a log: blocks of ordinary CSV at once, all else line by line.

Both ways accept the patterns of log_formats.py and give the same numbers; the exact one names the line that is wrong.
"""

import csv
import gzip
import io
import json
import re
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from itertools import chain, tee
from typing import NamedTuple

import numpy as np

from edgediff.errors import ConfigError
from edgediff.world.log_formats import COUNT, LATEST_NS, NUMBER, TIME, Format, recognise, request_of

BLOCK = 2**19  # bytes: what is made of a block fits into the cache of a core
LONGEST_LINE = 2**26  # bytes
REQUEST = np.dtype([("time_ns", np.int64), ("sent", np.int32), ("generated", np.int32)])
_UNUSED = r'[^,"\r\n\0]{0,9999}'  # a value of another column
_PLAIN = r"0*[01]?\d{1,9}(?:\.\d{1,6})?"  # of NUMBER: below 2e9, where a float of 64 bits holds every millionth

Block = tuple[int, bytes]  # the number of the first line; whole lines


class Layout(NamedTuple):
    """How the lines of a log are to be read."""

    path: str
    kind: Format
    where: list[int]  # of CSV: where time, tokens sent and tokens generated stand
    width: int  # of CSV: columns in a line; 0: JSON lines
    stamped: bool = False  # times are dates, not numbers


def open_log(path: str, columns: str) -> tuple[Layout, Iterator[Block]]:
    """Recognise a log by its first line; return how to read it, and the blocks that hold its requests."""
    blocks = read_blocks(path)
    block = next(blocks, (1, b""))[1].removeprefix(BOM_UTF8)
    first, place = next(lines_of([(1, block)]), ""), f"trace: {path}, line 1"
    if re.match(r"\s*(\{|\[\s*(\{|$))", first):
        layout = Layout(path, recognise(list(_record(first, place)), columns, place), [], 0)
        body = 1, block
    else:
        header = [name.strip() for name in next(_csv_rows([first], 1, path), (1, []))[1]]
        kind = recognise(header, columns, place)
        layout = Layout(path, kind, [header.index(name) for name in kind.columns], len(header))
        body = 2, block[len(first.encode(errors="surrogateescape")) :]
    blocks, ahead = tee(chain([body], blocks))
    _, (time, *_) = next(_rows(lines_of(ahead), body[0], layout), (0, ["0"]))
    return layout._replace(stamped=not NUMBER.fullmatch(time)), blocks


def read_requests(layout: Layout, blocks: Iterator[Block]) -> Iterator[np.ndarray]:
    """Go through the requests, (n,) of REQUEST, by the blocks that hold some."""
    after_ns, ordinary = -LATEST_NS, ordinary_row(layout)
    for line, block in blocks:
        try:
            requests = read_quickly(block, layout, ordinary, after_ns)
        except ValueError:
            endless = layout.width and b'"' in block  # a quoted value may go on behind the block
            lines = lines_of(chain([(line, block)], blocks if endless else []))
            requests = np.fromiter(read_exactly(lines, line, layout, after_ns), REQUEST)
        if requests.size:
            after_ns = int(requests["time_ns"][-1])
            yield requests


def ordinary_row(layout: Layout) -> re.Pattern[bytes]:
    """Return the pattern of a row of CSV without quotes, spaces, exponents or very long values."""
    used = TIME.pattern if layout.stamped else _PLAIN, COUNT.pattern, COUNT.pattern
    values = dict(zip(layout.where, used, strict=False))
    row = ",".join(values.get(k, _UNUSED) for k in range(layout.width))
    return re.compile(rf"^{row}\r?\n".encode(), re.MULTILINE)


def read_quickly(block: bytes, layout: Layout, ordinary: re.Pattern[bytes], after_ns: int) -> np.ndarray:
    """Return the requests of a block; `ValueError` if it is to be read exactly, or a time is earlier than before."""
    if not layout.width or not block or ordinary.sub(b"", block):
        raise ValueError("not ordinary")
    kinds = np.dtype("S29,f8,f8" if layout.stamped else "f8,f8,f8")  # 29 characters: a date without its zone
    table = np.loadtxt(io.BytesIO(block), kinds, comments=None, delimiter=",", usecols=layout.where, ndmin=1)
    if layout.stamped:
        date = np.ascontiguousarray(table["f0"])
        digits = date.view(np.uint8).reshape(-1, 29)[:, 20:] - np.uint8(ord("0"))
        digits[digits > 9] = 0  # the zone, whose digits are 0, too, and what is not there
        # Text, not bytes: 2023-02-30 is a `ValueError`, and of bytes that are no date, NumPy 1 crashes.
        time_ns = date.astype("U19").astype("datetime64[s]").astype(np.int64) * 10**9
        time_ns += digits @ 10 ** np.arange(8, -1, -1)
    else:
        time_ns = np.rint(table["f0"] * 1e6).astype(np.int64) * (layout.kind.unit_ns // 10**6)
    if time_ns[0] < after_ns or (time_ns[1:] < time_ns[:-1]).any():
        raise ValueError("backwards")
    requests = np.empty(time_ns.size, REQUEST)
    requests["time_ns"], requests["sent"], requests["generated"] = time_ns, table["f1"], table["f2"]
    return requests


def read_exactly(lines: Iterable[str], line: int, layout: Layout, after_ns: int) -> Iterator[tuple[int, int, int]]:
    """Go through the requests in some lines; `ConfigError` names the one to blame."""
    for number, texts in _rows(lines, line, layout):
        try:
            request = request_of(texts, layout.kind, layout.stamped)
            if request[0] < after_ns:
                raise ValueError(f"{layout.kind.columns[0]} {texts[0]!r} is earlier than the line before")
        except ValueError as error:
            raise ConfigError(f"trace: {layout.path}, line {number}: {error}") from None
        after_ns = request[0]
        yield request


def _rows(lines: Iterable[str], line: int, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Go through the requests: line, and the texts of time, tokens sent and tokens generated."""
    if not layout.width:
        for number, text in enumerate(lines, line):
            if text.strip():
                record = _record(text, f"trace: {layout.path}, line {number}")
                yield number, [str(record.get(name, "")).strip() for name in layout.kind.columns]
        return
    for number, row in _csv_rows(lines, line, layout.path):
        if len(row) != layout.width:
            raise ConfigError(f"trace: {layout.path}, line {number}: {len(row)} values under {layout.width} columns")
        yield number, [row[k].strip() for k in layout.where]


def _csv_rows(lines: Iterable[str], line: int, path: str) -> Iterator[tuple[int, list[str]]]:
    """Go through the rows that are not empty, each with the number of its last line; what is no CSV has its first."""
    reader, first = csv.reader(lines, strict=True), line
    try:
        for row in reader:
            if row:
                yield line + reader.line_num - 1, row
            first = line + reader.line_num
    except csv.Error as error:
        raise ConfigError(f"trace: {path}, line {first}: not CSV ({error})") from None


def _record(text: str, place: str) -> dict[str, object]:
    """Return a line of JSON with its numbers as they are written."""
    reason = "not an object"
    try:
        if isinstance(record := json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=_object), dict):
            return record
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", str(error))
    raise ConfigError(f"{place}: not JSON with one record a line ({reason})")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"{max(names, key=names.count)[:40]!r} is given twice")
    return dict(pairs)


def lines_of(blocks: Iterable[Block]) -> Iterator[str]:
    """Go through the lines; a byte that is no UTF-8 becomes a character that no column allows."""
    for _, block in blocks:
        yield from io.StringIO(block.decode(errors="surrogateescape"), newline="")


def read_blocks(path: str) -> Iterator[Block]:
    """Go through a file, packed by gzip or not, in blocks of whole lines."""
    line, kept, piece, damage = 1, bytearray(), b"more", None
    with open(path, "rb") as raw:
        file = gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == b"\x1f\x8b" else raw
        while piece:
            try:
                piece = file.read1(BLOCK)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                piece, damage = b"", error
            kept += piece
            if piece and len(kept) < BLOCK:
                continue
            end = kept.rfind(b"\n") + 1 if piece or damage else len(kept)
            if end:
                yield line, bytes(kept[:end])
                line += kept.count(b"\n", 0, end) + kept.count(b"\r", 0, end) - kept.count(b"\r\n", 0, end)
                del kept[:end]
            elif len(kept) > LONGEST_LINE:
                raise ConfigError(f"trace: {path}, line {line}: longer than {LONGEST_LINE} bytes")
    if damage:
        raise ConfigError(f"trace: {path}, line {line}: the gzip file is damaged or incomplete ({damage})")
