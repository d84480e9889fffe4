"""Real arrivals: read a log of requests to large language models."""

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError
from edgediff.world.log_blocks import Columns, Layout, read_blocks, read_quickly
from edgediff.world.log_formats import LATEST_NS, NUMBER, stamp_ns
from edgediff.world.log_lines import lines_of, open_log, read_exactly


class Trace(NamedTuple):
    """A request log of n lines: seconds since the first request, tokens sent, tokens generated, all (n,)."""

    time_s: np.ndarray
    context_tokens: np.ndarray
    generated_tokens: np.ndarray
    failed: int = 0  # requests without output tokens, which are left out
    source: str = "made here"  # whose format it is


def log_of(world: WorldConfig) -> Trace | None:
    """Read the request log of a world, if it has one."""
    if world.trace == "none":
        return None
    return load_trace(world.trace, world.trace_columns, world.trace_from, world.trace_to)


def load_trace(path: str, columns: str = "auto", start: str = "none", stop: str = "none") -> Trace:
    """Read a request log, or the part of it from `start` on and before `stop`.

    Raises `ConfigError` with file, line and reason on an unknown header, an unreadable time or number, a
    negative count, times out of order, or too few requests to have a rate. The log that was read last is kept.
    """
    try:
        state = Path(path).stat()
        if not Path(path).is_file():
            raise ConfigError(f"trace: {path}: not a file")
        return _load(path, columns, start, stop, (state.st_mtime_ns, state.st_size, state.st_ino))
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
    digest = hashlib.sha256()
    for column in (trace.time_s, trace.context_tokens, trace.generated_tokens):
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _load(path: str, columns: str, start: str, stop: str, _state: tuple[int, ...]) -> Trace:
    layout, blocks = open_log(path, columns)
    parts: list[Columns] = []
    failed, bounds = 0, None
    for time_ns, sent, generated in _read(layout, blocks):
        bounds = bounds or _bounds(start, stop, layout, int(time_ns[0]))
        inside = slice(*np.searchsorted(time_ns, bounds))
        answered = generated[inside] > 0
        failed += int((~answered).sum())
        parts.append((time_ns[inside][answered], sent[inside][answered], generated[inside][answered]))
        if time_ns[-1] >= bounds[1]:
            break
    return _joined(parts, failed, layout, " between trace_from and trace_to" * (start != "none" or stop != "none"))


def _read(layout: Layout, blocks: Iterator[tuple[int, bytes]]) -> Iterator[Columns]:
    """Go through the columns of the blocks that hold a request."""
    after_ns = -LATEST_NS
    for line, block in blocks:
        columns = read_quickly(block, layout, after_ns)
        if columns is None:
            endless = layout.width and b'"' in block  # a quoted value may go on behind the block
            columns = read_exactly(chain([(line, block)], blocks if endless else []), layout, after_ns)
        if columns[0].size:
            after_ns = int(columns[0][-1])
            yield columns


def _bounds(start: str, stop: str, layout: Layout, first_ns: int) -> tuple[int, int]:
    """Return from which time on and before which the requests belong to the part that is asked for."""
    bounds = [first_ns, LATEST_NS + 1]
    for k, (name, text) in enumerate((("trace_from", start), ("trace_to", stop))):
        if text == "none":
            continue
        if NUMBER.fullmatch(text) and (after_ns := Decimal(text) * 10**9) <= LATEST_NS:
            bounds[k] = first_ns + int(after_ns)
        elif (moment := stamp_ns(text)) is not None and layout.stamped:
            bounds[k] = moment
        else:
            also = " or a time in UTC like 2023-11-16T18:17:03" * layout.stamped
            raise ConfigError(f"{name}: {text!r} is not a number of seconds since the log's first request{also}")
    if bounds[0] >= bounds[1]:
        before = "the log's first request" if start == "none" else f"trace_from ({start})"
        raise ConfigError(f"trace_to: {stop} is not later than {before}")
    return bounds[0], bounds[1]


def _joined(parts: list[Columns], failed: int, layout: Layout, where: str) -> Trace:
    """Join the columns of all blocks."""
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)] or [np.zeros(0)] * 3
    time_ns, sent, generated = joined
    if time_ns.size < 2 or time_ns[0] == time_ns[-1]:
        last = sum(1 for _ in lines_of(read_blocks(layout.path)))
        but = f", {failed} failed ones do not count" if failed else ""
        raise ConfigError(
            f"trace: {layout.path}, line {last}: needs requests at two different times{where} to have a rate{but}"
        )
    time_s = (time_ns - time_ns[0]) / 1e9
    for column in (time_s, sent, generated):
        column.flags.writeable = False  # the next who loads it gets the same
    return Trace(time_s, sent, generated, failed, layout.format.source)
