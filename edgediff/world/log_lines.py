"""Read a request log line by line: slow, exact, and able to say what is wrong in which line."""

import csv
import io
import json
from array import array
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from itertools import chain, islice, tee

import numpy as np

from edgediff.errors import ConfigError
from edgediff.world.log_blocks import Columns, Layout, read_blocks
from edgediff.world.log_formats import NUMBER, count, nanoseconds, recognise

Blocks = Iterable[tuple[int, bytes]]  # whole lines, and the number of the first


def open_log(path: str, columns: str) -> tuple[Layout, Iterator[tuple[int, bytes]]]:
    """Recognise a log by its first line; return how to read it, and the blocks that hold its requests."""
    blocks = read_blocks(path)
    _, block = next(blocks, (1, b""))
    block = block.removeprefix(BOM_UTF8)
    first, place = next(lines_of([(1, block)]), ""), f"trace: {path}, line 1"
    if first.startswith("{"):
        record = _record(first, place)
        layout = Layout(path, recognise(list(record), columns, place), [], 0, False)
        body = 1, block
    else:
        header = [name.strip() for name in next(_csv_rows([first], 1, path), (1, []))[1]]
        found = recognise(header, columns, place)
        layout = Layout(path, found, [header.index(name) for name in found.columns], len(header), False)
        body = 2, block[len(first.encode(errors="surrogateescape")) :]
    blocks, ahead = tee(chain([body], blocks))
    for _, (time, *_) in islice(_rows(ahead, layout), 1):
        layout = layout._replace(stamped=not NUMBER.fullmatch(time.strip()))
    return layout, blocks


def read_exactly(blocks: Blocks, layout: Layout, after_ns: int) -> Columns:
    """Return the columns of the requests in some blocks; `ConfigError` names the line to blame."""
    time_ns, sent, generated = array("q"), array("i"), array("i")
    names = layout.format.columns
    for line, (time, *tokens) in _rows(blocks, layout):
        place = f"trace: {layout.path}, line {line}"
        time_ns.append(nanoseconds(time, names[0], layout.format, layout.stamped, place))
        if time_ns[-1] < after_ns:
            raise ConfigError(f"{place}: {names[0]} {time!r} is earlier than the line before")
        after_ns = time_ns[-1]
        sent.append(count(tokens[0], names[1], place))
        generated.append(count(tokens[1], names[2], place))
    return np.array(time_ns, np.int64), np.array(sent, np.int32), np.array(generated, np.int32)


def lines_of(blocks: Blocks) -> Iterator[str]:
    """Go through the lines; a byte that is no UTF-8 becomes a character that no column allows."""
    for _, block in blocks:
        yield from io.StringIO(block.decode(errors="surrogateescape"), newline="")


def _rows(blocks: Blocks, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Go through the requests: line, and the texts of time, tokens sent and tokens generated."""
    blocks = iter(blocks)
    line, block = next(blocks)
    lines = lines_of(chain([(line, block)], blocks))
    if not layout.width:
        for number, text in enumerate(lines, line):
            if text.strip():
                record = _record(text, f"trace: {layout.path}, line {number}")
                yield number, [str(record.get(name, "")) for name in layout.format.columns]
        return
    for number, row in _csv_rows(lines, line, layout.path):
        if len(row) != layout.width:
            raise ConfigError(f"trace: {layout.path}, line {number}: {len(row)} values under {layout.width} columns")
        yield number, [row[k] for k in layout.where]


def _csv_rows(lines: Iterable[str], line: int, path: str) -> Iterator[tuple[int, list[str]]]:
    """Go through the rows that are not empty, each with the number of its last line.

    One that is not CSV, as where a quote is never closed, is named by its first line.
    """
    reader = csv.reader(lines, strict=True)
    while True:
        first = line + reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ConfigError(f"trace: {path}, line {first}: not CSV ({error})") from None
        if row:
            yield line + reader.line_num - 1, row


def _record(text: str, place: str) -> dict[str, object]:
    """Return a line of JSON with its numbers as they are written."""
    try:
        record = json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: not JSON ({getattr(error, 'msg', 'nested too deeply')})") from None
    if not isinstance(record, dict):
        raise ConfigError(f"{place}: not a JSON object")
    return record
