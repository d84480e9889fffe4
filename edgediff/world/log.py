"""Real arrivals: read a log of requests to large language models."""

import hashlib
from array import array
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError
from edgediff.world.log_formats import LATEST_NS, number_ns, stamp_ns
from edgediff.world.log_rows import lines_of, open_log, read_blocks, read_requests


class RequestLog(NamedTuple):
    """A request log of n lines: seconds since the first request, tokens sent, tokens generated, all (n,)."""

    time_s: np.ndarray
    context_tokens: np.ndarray
    generated_tokens: np.ndarray
    failed: int = 0  # requests without output tokens, which are left out
    source: str = "made here"  # whose format it is


def log_of(world: WorldConfig) -> RequestLog | None:
    """Read the request log of a world, if it has one."""
    if world.trace == "none":
        return None
    return load_log(world.trace, world.trace_columns, world.trace_from, world.trace_to)


def load_log(path: str, columns: str = "auto", start: str = "none", stop: str = "none") -> RequestLog:
    """Read a request log, or the part of it from `start` on and before `stop`.

    Raises `ConfigError` with file, line and reason on an unknown header, an unreadable time or number, a
    negative count, times out of order, or too few requests to have a rate. The last log is kept in memory.
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


def fingerprint(log: RequestLog | None) -> str:
    """Return a digest of what a log holds, empty for none: whether a file is still the one a run began with."""
    if log is None:
        return ""
    digest = hashlib.sha256()
    for column in (log.time_s, log.context_tokens, log.generated_tokens):
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _load(path: str, columns: str, start: str, stop: str, _state: tuple[int, ...]) -> RequestLog:
    layout, blocks = open_log(path, columns)
    kept, failed, bounds = (array("q"), array("i"), array("i")), 0, (0, 0)
    for requests in read_requests(layout, blocks):
        bounds = bounds if any(bounds) else _bounds(start, stop, layout.stamped, int(requests["time_ns"][0]))
        inside = requests[slice(*np.searchsorted(requests["time_ns"], bounds))]
        answered = inside[inside["generated"] > 0]
        failed += inside.size - answered.size
        for values, name in zip(kept, ("time_ns", "sent", "generated"), strict=True):
            values.frombytes(answered[name].tobytes())
        if requests["time_ns"][-1] >= bounds[1]:
            break
    time_ns, sent, generated = (np.asarray(values) for values in kept)
    if time_ns.size < 2 or time_ns[0] == time_ns[-1]:
        last = sum(1 for _ in lines_of(read_blocks(path)))
        where = " between trace_from and trace_to" if (start, stop) != ("none", "none") else ""
        but = f", {failed} failed ones do not count" if failed else ""
        raise ConfigError(
            f"trace: {path}, line {last}: needs requests at two different times{where} to have a rate{but}"
        )
    log = RequestLog((time_ns - time_ns[0]) / 1e9, sent, generated, failed, layout.kind.source)
    for column in (log.time_s, sent, generated):
        column.flags.writeable = False  # the next who loads it gets the same
    return log


def _bounds(start: str, stop: str, stamped: bool, first_ns: int) -> tuple[int, int]:
    """Return from which time on and before which the requests belong to the part that is asked for."""
    bounds = [first_ns, LATEST_NS + 1]
    for k, (name, text) in enumerate((("trace_from", start), ("trace_to", stop))):
        if text == "none":
            continue
        if (after_ns := number_ns(text)) is not None:
            bounds[k] = first_ns + after_ns
        elif stamped and (moment_ns := stamp_ns(text)) is not None:
            bounds[k] = moment_ns
        else:
            also = " or a time in UTC like 2023-11-16T18:17:03" * stamped
            raise ConfigError(f"{name}: {text!r} is not a number of seconds since the log's first request{also}")
    if bounds[0] >= bounds[1]:
        before = "the log's first request" if start == "none" else f"trace_from ({start})"
        raise ConfigError(f"trace_to: {stop} is not later than {before}")
    return bounds[0], bounds[1]
