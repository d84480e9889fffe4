"""Real arrivals: read a request log in the public LLM-inference format and cut episodes out of it."""

import csv
import hashlib
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_TIME = re.compile(r"((?:19|20)\d\d-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?:Z|\+00:00)?")


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
        if not Path(path).is_file():
            raise ConfigError(f"trace: {path}: {'is no file' if Path(path).exists() else 'No such file or directory'}")
        # A byte that is no UTF-8 becomes a character that no column allows, so that its line is named.
        with Path(path).open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            return _parse(csv.reader(file, strict=True), path)
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"trace: {path}: {getattr(error, 'strerror', None) or error}") from None


def fingerprint(trace: Trace | None) -> str:
    """Return a digest of what a trace holds, empty for none: whether a file is still the one a run began with."""
    if trace is None:
        return ""
    return hashlib.sha256(b"".join(np.ascontiguousarray(column).tobytes() for column in trace)).hexdigest()


def _parse(reader, path: str) -> Trace:
    header = [name.strip() for name in next(_rows(reader, path), [])]
    if not header:
        raise ConfigError(f"trace: {path}, line 1: no header, expected the columns {', '.join(COLUMNS)}")
    for name in COLUMNS:
        if header.count(name) != 1:
            raise ConfigError(f"trace: {path}, line 1: column {name} stands there {header.count(name)} times, not once")
    where = [header.index(name) for name in COLUMNS]
    times, tokens = [], []
    for row in _rows(reader, path):
        if not row:
            continue
        place = f"trace: {path}, line {reader.line_num}"
        if len(row) != len(header):
            raise ConfigError(f"{place}: {len(row)} values under {len(header)} columns")
        time = _time(row[where[0]], place)
        if times and time < times[-1]:
            raise ConfigError(f"{place}: TIMESTAMP {row[where[0]]!r} is earlier than the line before")
        times.append(time)
        tokens.append([_count(row[k], name, place) for k, name in zip(where[1:], COLUMNS[1:])])
    if len(times) < 2 or times[0] == times[-1]:
        raise ConfigError(
            f"trace: {path}, line {reader.line_num}: needs requests at two different times to have a rate"
        )
    tokens = np.array(tokens, float)
    since_first = np.array(times) - times[0]
    return Trace(since_first / np.timedelta64(1, "s"), tokens[:, 0], tokens[:, 1])


def _rows(reader, path: str):
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


def _time(text: str, place: str) -> np.datetime64:
    match = _TIME.fullmatch(text.strip())
    try:
        return np.datetime64(f"{match[1]}T{match[2]}", "ns")
    except (TypeError, ValueError):
        raise ConfigError(f"{place}: TIMESTAMP {text!r} is not a time like 2023-11-16 18:17:03.97") from None


def _count(text: str, name: str, place: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ConfigError(f"{place}: {name} {text!r} is not a whole number from 0 to 999999999")
    return int(text)


def trace_window(world: WorldConfig, trace: Trace, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Cut T slots out of a log: slot, relative size and relative work of its n requests and the next, (n + 1,).

    Time is compressed so that the mean rate is lambda * W * load flows per slot. The log is a circle, closed
    by one mean gap. The window starts anywhere on it, and a short log is repeated as often as needed; a window without
    a request is moved forward so that the next request falls into it. Size follows all tokens, work follows tokens
    generated plus a fraction of those read; both have mean 1 over the log. The request after the window is moved to
    slot T: it appears in the last observation only.
    """
    lap_slots, position = _circle(world, trace)
    start = rng.uniform(0, lap_slots)
    first, stop = (_requests_before(position, lap_slots, time) for time in (start, start + world.num_slots))
    if first == stop:
        start = _arrival(position, lap_slots, first) - rng.uniform(0, world.num_slots)
        stop = _requests_before(position, lap_slots, start + world.num_slots) + 1
    index = np.arange(first, stop + 2)
    slot = np.floor(_arrival(position, lap_slots, index) - start).astype(np.int64).clip(0, world.num_slots)
    inside = np.searchsorted(slot, world.num_slots)  # how many requests fall into the window
    slot, index = slot[: inside + 1], index[: inside + 1] % position.size
    # A request counts as at least one token of size and of work.
    size = np.maximum(trace.context_tokens + trace.generated_tokens, 1.0)
    work = np.maximum(world.trace_read_work * trace.context_tokens + trace.generated_tokens, 1.0)
    return slot, size[index] / size.mean(), work[index] / work.mean()


def largest_window(world: WorldConfig, trace: Trace) -> int:
    """Return the largest number of requests that an episode of this log can hold."""
    lap_slots, position = _circle(world, trace)
    return int((_requests_before(position, lap_slots, position + world.num_slots) - np.arange(position.size)).max())


def _circle(world: WorldConfig, trace: Trace) -> tuple[float, np.ndarray]:
    """Return the length of the log and the arrivals on it, (n,), both in slots."""
    count = trace.time_s.size
    lap_slots = count / world.flows_per_slot
    return lap_slots, trace.time_s / (trace.time_s[-1] * count / (count - 1)) * lap_slots


def _requests_before(position: np.ndarray, lap_slots: float, time):
    """Count the requests before a time on the repeated log."""
    laps, rest = np.divmod(time, lap_slots)
    return np.int64(laps) * position.size + np.searchsorted(position, rest)


def _arrival(position: np.ndarray, lap_slots: float, index):
    """Return the time of a request on the repeated log."""
    return position[index % position.size] + lap_slots * (index // position.size)
