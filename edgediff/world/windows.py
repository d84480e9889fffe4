"""Cut episodes out of a request log."""

from bisect import bisect_left
from typing import NamedTuple

import numpy as np

from edgediff.config import WorldConfig
from edgediff.world.trace import Trace

_PART = 2**16  # requests looked at together


class Circle(NamedTuple):
    """A log that goes round, closed by one mean gap, with the means by which sizes and work are divided."""

    trace: Trace
    length_s: float
    mean_size: float
    mean_work: float


def close_circle(world: WorldConfig, trace: Trace) -> Circle:
    """Compute once what all episodes of a log need."""
    count = trace.time_s.size
    size, work = _size_and_work(world, trace, slice(None))
    return Circle(trace, float(trace.time_s[-1] * count / (count - 1)), float(size.mean()), float(work.mean()))


def trace_window(world: WorldConfig, log: Circle, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Cut T slots out of a log: slot, relative size and relative work of its n requests and the next, (n + 1,).

    Time is compressed so that the mean rate is lambda * W * load flows per slot. The log goes round, closed
    by one mean gap. The window starts anywhere on it, and a short log is repeated as often as needed; a window without
    a request is moved forward so that the next request falls into it. Size follows all tokens, work follows tokens
    generated plus a fraction of those read; both have mean 1 over the log. The request after the window is moved to
    slot T: it appears in the last observation only.
    """
    count = log.trace.time_s.size
    start = rng.uniform(0, _lap_slots(world, log))
    first, stop = (_requests_before(world, log, time) for time in (start, start + world.num_slots))
    if first == stop:
        start = float(_arrival(world, log, np.array([first]))[0]) - rng.uniform(0, world.num_slots)
        stop = _requests_before(world, log, start + world.num_slots) + 1
    index = np.arange(first, stop + 2)
    slot = np.floor(_arrival(world, log, index) - start).astype(np.int64).clip(0, world.num_slots)
    inside = np.searchsorted(slot, world.num_slots)  # how many requests fall into the window
    slot, index = slot[: inside + 1], index[: inside + 1] % count
    size, work = _size_and_work(world, log.trace, index)
    return slot, size / log.mean_size, work / log.mean_work


def largest_window(world: WorldConfig, trace: Trace) -> int:
    """Return the largest number of requests that an episode of this log can hold."""
    log, largest = close_circle(world, trace), 0
    position = _position(world, log, trace.time_s)
    for first in range(0, position.size, _PART):
        start = position[first : first + _PART]
        stop = _requests_before_all(world, log, position, start + world.num_slots)
        largest = max(largest, int((stop - np.arange(first, first + start.size)).max()))
    return largest


def describe_log(world: WorldConfig, trace: Trace, windows: int = 10_000) -> str:
    """Say what was read, and how unequal its episodes are: a busy hour may hold a hundred times the flows of another.

    The loads are those at which Poisson arrivals bring as many flows as the quartiles of the log.
    """
    log = close_circle(world, trace)
    position = _position(world, log, trace.time_s)
    start = (np.arange(windows) + 0.5) / windows * _lap_slots(world, log)
    before, until = (_requests_before_all(world, log, position, time) for time in (start, start + world.num_slots))
    flows = np.maximum(until - before, 1)  # a window without a request is moved to the next one
    quartiles = np.quantile(flows, [0.25, 0.5, 0.75])
    loads = ", ".join(f"{world.load * value / (world.num_slots * world.flows_per_slot):.2g}" for value in quartiles)
    return (
        f"log ({trace.source}): {trace.time_s.size:,} requests in {trace.time_s[-1] / 3600:.3g} h, "
        f"{trace.time_s.size / log.length_s:.3g} per s, {trace.failed:,} failed ones (no output tokens) left out; "
        f"flows per episode at load {world.load:g}: quartiles "
        f"{', '.join(f'{value:.0f}' for value in quartiles)} (mean {flows.mean():.0f}), as at loads {loads}"
    )


def _size_and_work(world: WorldConfig, trace: Trace, index: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray]:
    """Return size and work of requests in tokens; each counts as at least one of both."""
    context, generated = trace.context_tokens[index], trace.generated_tokens[index]
    return np.maximum(context + generated, 1.0), np.maximum(world.trace_read_work * context + generated, 1.0)


def _lap_slots(world: WorldConfig, log: Circle) -> float:
    return log.trace.time_s.size / world.flows_per_slot


def _position(world: WorldConfig, log: Circle, time_s: np.ndarray) -> np.ndarray:
    """Return times of the log in slots."""
    share = time_s / log.length_s
    share *= _lap_slots(world, log)  # in place: a log may be of millions
    return share


def _requests_before(world: WorldConfig, log: Circle, time: float) -> int:
    """Count the requests before a time on the repeated log; it may be of millions, so that only a few are looked at."""
    laps, rest = np.divmod(time, _lap_slots(world, log))
    return int(laps) * log.trace.time_s.size + bisect_left(
        log.trace.time_s, rest, key=lambda time_s: _position(world, log, time_s)
    )


def _requests_before_all(world: WorldConfig, log: Circle, position: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Count the requests, whose positions are given, before each of many times on the repeated log."""
    laps, rest = np.divmod(time, _lap_slots(world, log))
    return np.int64(laps) * position.size + np.searchsorted(position, rest)


def _arrival(world: WorldConfig, log: Circle, index: np.ndarray) -> np.ndarray:
    """Return the times of requests on the repeated log, in slots."""
    laps, rest = np.divmod(index, log.trace.time_s.size)
    return _position(world, log, log.trace.time_s[rest]) + _lap_slots(world, log) * laps
