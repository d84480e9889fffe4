"""Time the reading of a long request log and one episode of it: `python -m experiments.timing.request_log [--rows N]`.

The log is made up, in the format of the Azure week of 2024: the longer of its two files has 27 million requests.
"""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from edgediff.world.log import load_log
from edgediff.world.windows import close_log, describe_log, largest_episode
from edgediff.world.workload import HELD_OUT, draw_traffic
from experiments.scratch import scratch_folder

WEEK_S, PART = 7 * 86400, 100_000
START = np.datetime64("2024-05-10T00:00:00", "us")


def write_log(path: Path, rows: int, seed: int = 0) -> None:
    """Write a log whose rate rises and falls by the day."""
    rng, clock_us = np.random.default_rng(seed), 0.0
    with path.open("w") as file:
        file.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        for first in range(0, rows, PART):
            size = min(PART, rows - first)
            pace = 1 + 0.8 * np.sin(2 * np.pi * clock_us / 86400e6)
            moments = clock_us + np.cumsum(rng.exponential(WEEK_S * 1e6 / rows / pace, size))
            clock_us = moments[-1]
            stamps = np.datetime_as_string(START + moments.astype(np.int64)).tolist()
            tokens = rng.integers(1, 8000, size).tolist(), rng.integers(1, 600, size).tolist()
            lines = [
                f"{stamp[:10]} {stamp[11:]}+00:00,{sent},{generated}\n"
                for stamp, sent, generated in zip(stamps, *tokens, strict=True)
            ]
            file.write("".join(lines))


def measured(label: str, call: Callable, repeats: int = 1):
    """Print the times of a call and the most memory that the process has held; return what it returns."""
    wall, cpu = time.perf_counter(), time.process_time()
    for k in range(repeats):
        result = call(k)
    wall, cpu = ((now - then) / repeats for now, then in ((time.perf_counter(), wall), (time.process_time(), cpu)))
    most_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    print(f"{label:<16} {wall:9.4f} s, {cpu:9.4f} s of CPU, at most {most_gb:.2f} GB", flush=True)
    return result


def main(argv: list[str]) -> int:
    """Write a log, read it, and cut episodes out of it."""
    parser = Parser("python -m experiments.timing.request_log", main.__doc__)
    parser.add_argument("--rows", metavar="X", default="27000000", help="requests in the log [27000000]")
    text = parser.parse(argv).rows
    if not text.isdecimal() or not 1000 <= int(text) <= 10**9:
        raise ConfigError(f"rows: {text!r} is not a whole number from 1000 to 1000000000")
    world = WorldConfig()
    with scratch_folder() as folder:
        path = folder / "week.csv"
        write_log(path, int(text))
        print(f"{int(text):,} requests, {path.stat().st_size / 1e9:.2f} GB")
        log = measured("read", lambda _: load_log(str(path)))
    closed = measured("means", lambda _: close_log(world, log))
    measured("largest episode", lambda _: largest_episode(world, log))
    print(measured("description", lambda _: describe_log(world, log)))
    measured("one episode", lambda k: draw_traffic(world, HELD_OUT, 0, k, closed), 200)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("experiments.timing.request_log", main))
