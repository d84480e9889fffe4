"""Real arrivals: read a request log in the public LLM-inference format."""

import csv
import hashlib
import re
from array import array
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edgediff.errors import ConfigError

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_TIME = re.compile(
    r"((?:19|20)\d\d-\d\d-\d\d)[ T]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?(?:Z| ?UTC|\+00(?::?00)?)?",
    re.ASCII,
)
_COUNT = re.compile(r"(\d{1,9})(?:\.0+)?", re.ASCII)  # pandas writes 374.0 where a column has a gap


class Trace(NamedTuple):
    """A request log of n lines: seconds since the first request, tokens sent, tokens generated, all (n,)."""

    time_s: np.ndarray
    context_tokens: np.ndarray
    generated_tokens: np.ndarray


def load_trace(path: str) -> Trace:
    """Read a request log.

    Raises `ConfigError` with file, line and reason on a missing column, an unreadable time or number, a
    negative count, times out of order, or too few requests to have a rate.
    """
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise ConfigError(f"trace: {path}: not a file")
        # A byte that is no UTF-8 becomes a character that no column allows, so that its line is named.
        with Path(path).open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            return _parse(csv.reader(file, strict=True), path)
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        relative = isinstance(error, FileNotFoundError) and not Path(path).is_absolute()
        hint = "; a relative path counts from the current folder, give --trace PATH" if relative else ""
        raise ConfigError(f"trace: {path}: {getattr(error, 'strerror', None) or error}{hint}") from None


def fingerprint(trace: Trace | None) -> str:
    """Return a digest of what a trace holds, empty for none: whether a file is still the one a run began with."""
    if trace is None:
        return ""
    return hashlib.sha256(b"".join(np.ascontiguousarray(column).tobytes() for column in trace)).hexdigest()


def _parse(reader: Any, path: str) -> Trace:
    header = [name.strip() for name in next(_rows(reader, path), [])]
    where = _columns(header, f"trace: {path}, line 1")
    time_ns, context, generated = array("q"), array("d"), array("d")  # 24 bytes a line, whatever its length
    for row in _rows(reader, path):
        if not row:
            continue
        place = f"trace: {path}, line {reader.line_num}"
        if len(row) != len(header):
            raise ConfigError(f"{place}: {len(row)} values under {len(header)} columns")
        time, *tokens = (row[k] for k in where)
        time_ns.append(_nanoseconds(time, place))
        if len(time_ns) > 1 and time_ns[-1] < time_ns[-2]:
            raise ConfigError(f"{place}: TIMESTAMP {time!r} is earlier than the line before")
        context.append(_count(tokens[0], COLUMNS[1], place))
        generated.append(_count(tokens[1], COLUMNS[2], place))
    if len(time_ns) < 2 or time_ns[0] == time_ns[-1]:
        raise ConfigError(
            f"trace: {path}, line {reader.line_num}: needs requests at two different times to have a rate"
        )
    since_first_ns = np.frombuffer(time_ns, np.int64) - time_ns[0]
    return Trace(since_first_ns / 1e9, np.frombuffer(context), np.frombuffer(generated))


def _columns(header: list[str], place: str) -> list[int]:
    """Return where the columns stand."""
    if not header:
        raise ConfigError(f"{place}: no header, expected the columns {', '.join(COLUMNS)}")
    for name in COLUMNS:
        if (count := header.count(name)) != 1:
            found = repr(",".join(header)[:100])  # of a file that is no log at all, any bytes
            raise ConfigError(
                f"{place}: column {name} appears {count} times, expected once; the header is {found}, "
                f"expected {', '.join(COLUMNS)}"
            )
    return [header.index(name) for name in COLUMNS]


def _rows(reader: Any, path: str) -> Iterator[list[str]]:
    """Go through the rows; a row that is not CSV, as where a quote is never closed, is named by its first line."""
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ConfigError(f"trace: {path}, line {first}: not CSV ({error})") from None
        yield row


def _nanoseconds(text: str, place: str) -> int:
    """Return a time in UTC as nanoseconds."""
    try:
        if match := _TIME.fullmatch(text.strip()):
            day, hours, minutes, seconds, fraction = match.groups(default="")
            in_day_s = (_day_number(day) * 24 + int(hours)) * 3600 + int(minutes) * 60 + int(seconds)
            return in_day_s * 10**9 + int(fraction.ljust(9, "0"))
    except ValueError:  # as 2023-02-30
        pass
    raise ConfigError(f"{place}: TIMESTAMP {text!r} is not a time in UTC like 2023-11-16 18:17:03.97") from None


@lru_cache
def _day_number(day: str) -> int:
    return date.fromisoformat(day).toordinal() - date(1970, 1, 1).toordinal()


def _count(text: str, name: str, place: str) -> int:
    if match := _COUNT.fullmatch(text.strip()):
        return int(match[1])
    raise ConfigError(f"{place}: {name} {text!r} is not a whole number from 0 to 999999999")
