"""Cut episodes out of a request log."""

from bisect import bisect_left
from typing import Any, NamedTuple

import numpy as np

from edgediff.config import WorldConfig
from edgediff.world.log import RequestLog

_PART = 2**16  # requests looked at together


class ClosedLog(NamedTuple):
    """A log that goes round, closed by one mean gap, with the means by which sizes and work are divided."""

    log: RequestLog
    length_s: float
    mean_size: float
    mean_work: float


def close_log(world: WorldConfig, log: RequestLog) -> ClosedLog:
    """Compute once what all episodes of a log need."""
    count = log.time_s.size
    size, work = _size_and_work(world, log, slice(None))
    return ClosedLog(log, float(log.time_s[-1] * count / (count - 1)), float(size.mean()), float(work.mean()))


def episode_of_log(world: WorldConfig, closed: ClosedLog, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Cut T slots out of a log: slot, relative size and relative work of its n requests and the next, (n + 1,).

    Time is compressed so that the mean rate is lambda * W * load flows per slot. The log goes round, closed
    by one mean gap. The episode starts anywhere on it, and a short log is repeated as often as needed; an episode
    without a request is moved forward so that the next request falls into it. Size follows all tokens, work follows
    tokens generated plus a fraction of those read; both have mean 1 over the log. The request after the episode is
    moved to slot T: it appears in the last observation only.
    """
    count = closed.log.time_s.size
    start = rng.uniform(0, _lap_slots(world, closed))
    first, stop = (_requests_before(world, closed, time) for time in (start, start + world.num_slots))
    if first == stop:
        start = float(_arrival(world, closed, np.array([first]))[0]) - rng.uniform(0, world.num_slots)
        stop = _requests_before(world, closed, start + world.num_slots) + 1
    index = np.arange(first, stop + 2)
    slot = np.floor(_arrival(world, closed, index) - start).astype(np.int64).clip(0, world.num_slots)
    inside = np.searchsorted(slot, world.num_slots)  # how many requests fall into the episode
    slot, index = slot[: inside + 1], index[: inside + 1] % count
    size, work = _size_and_work(world, closed.log, index)
    return slot, size / closed.mean_size, work / closed.mean_work


def largest_episode(world: WorldConfig, log: RequestLog) -> int:
    """Return the largest number of requests that an episode of this log can hold."""
    closed, largest = close_log(world, log), 0
    position = _position(world, closed, log.time_s)
    for first in range(0, position.size, _PART):
        start = position[first : first + _PART]
        stop = _requests_before(world, closed, start + world.num_slots, position)
        largest = max(largest, int((stop - np.arange(first, first + start.size)).max()))
    return largest


def describe_log(world: WorldConfig, log: RequestLog, episodes: int = 10_000) -> str:
    """Say what was read, and how unequal its episodes are: a busy hour may hold a hundred times the flows of another.

    The loads are those at which Poisson arrivals bring as many flows as the quartiles of the log.
    """
    closed = close_log(world, log)
    position = _position(world, closed, log.time_s)
    start = (np.arange(episodes) + 0.5) / episodes * _lap_slots(world, closed)
    before, until = (_requests_before(world, closed, time, position) for time in (start, start + world.num_slots))
    flows = np.maximum(until - before, 1)  # an episode without a request is moved to the next one
    quartiles = np.quantile(flows, [0.25, 0.5, 0.75])
    loads = ", ".join(f"{world.load * value / (world.num_slots * world.flows_per_slot):.2g}" for value in quartiles)
    return (
        f"log ({log.source}): {log.time_s.size:,} requests in {log.time_s[-1] / 3600:.3g} h, "
        f"{log.time_s.size / closed.length_s:.3g} per s, {log.failed:,} failed ones (no output tokens) left out; "
        f"flows per episode at load {world.load:g}: quartiles "
        f"{', '.join(f'{value:.0f}' for value in quartiles)} (mean {flows.mean():.0f}), as at loads {loads}"
    )


def _size_and_work(world: WorldConfig, log: RequestLog, index: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray]:
    """Return size and work of requests in tokens; each counts as at least one of both."""
    context, generated = log.context_tokens[index], log.generated_tokens[index]
    return np.maximum(context + generated, 1.0), np.maximum(world.trace_read_work * context + generated, 1.0)


def _lap_slots(world: WorldConfig, closed: ClosedLog) -> float:
    return closed.log.time_s.size / world.flows_per_slot


def _position(world: WorldConfig, closed: ClosedLog, time_s: np.ndarray) -> np.ndarray:
    """Return times of the log in slots."""
    share = time_s / closed.length_s
    share *= _lap_slots(world, closed)  # in place: a log may be of millions
    return share


def _requests_before(world: WorldConfig, closed: ClosedLog, time: Any, position: np.ndarray | None = None) -> Any:
    """Count the requests before times on the repeated log, given all positions; before one, only a few are needed."""
    laps, rest = np.divmod(time, _lap_slots(world, closed))
    inside: Any
    if position is None:
        inside = bisect_left(closed.log.time_s, rest, key=lambda time_s: _position(world, closed, time_s))
    else:
        inside = np.searchsorted(position, rest)
    return np.int64(laps) * closed.log.time_s.size + inside


def _arrival(world: WorldConfig, closed: ClosedLog, index: np.ndarray) -> np.ndarray:
    """Return the times of requests on the repeated log, in slots."""
    laps, rest = np.divmod(index, closed.log.time_s.size)
    return _position(world, closed, closed.log.time_s[rest]) + _lap_slots(world, closed) * laps
