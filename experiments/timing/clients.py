"""Load the controller with clients: `python -m experiments.timing.clients RUN` writes results/clients.csv.

Half of 64 clients ask a line at a time; the others send as many lines as the system takes from them, and never read an
answer. On each kind of socket the askers' times are measured, and the memory of the controller before and after.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np

from edgediff.errors import ConfigError
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from experiments import RESULTS, ROOT
from experiments.own_file import write_table
from experiments.scratch import scratch_folder

ASKING, SILENT = 32, 32
COLUMNS = "socket", "seed", "requests", "p50_s", "p99_s", "longest_s", "memory_before_mb", "memory_after_mb"
LINE = (ROOT / "experiments/one_flow.json").read_bytes().strip() + b"\n"


@contextlib.asynccontextmanager
async def controller(name: str, place: str) -> AsyncIterator[tuple[int, str]]:
    """Start `edgediff.control` at a place; yield its process and its address."""
    command = [sys.executable, "-m", "edgediff.control", name, "--listen", place]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    try:
        said = (await process.stdout.readline()).decode()
        if "listening" not in said:
            raise ConfigError(said.strip() or "the controller has ended")
        yield process.pid, said.split()[-1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def connected(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect with a controller."""
    kind, _, place = address.rpartition(":")
    return await (asyncio.open_unix_connection(place) if kind == "unix" else asyncio.open_connection(kind, int(place)))


async def ask(address: str, requests: int, times_s: list[float]) -> None:
    """Ask one line at a time, and keep how long each answer takes."""
    reader, writer = await connected(address)
    for _ in range(requests):
        start_s = time.perf_counter()
        writer.write(LINE)
        if not await reader.readline():
            raise ConfigError("the controller has ended")
        times_s.append(time.perf_counter() - start_s)
    writer.close()


async def measure(name: str, place: str, requests: int) -> tuple[float, ...]:
    """Return the quantiles of the askers' times in s, and the controller's memory in MB before and after."""
    times_s: list[float] = []
    async with controller(name, place) as (pid, address):
        await ask(address, 100, [])
        before, silent = memory_mb(pid), [await connected(address) for _ in range(SILENT)]
        for _, writer in silent:
            writer.write(LINE * 4000)  # what the system does not take is never sent
        await asyncio.gather(*(ask(address, requests // ASKING, times_s) for _ in range(ASKING)))
        for _, writer in silent:
            writer.transport.abort()
        return *np.quantile(times_s, [0.5, 0.99, 1]), before, memory_mb(pid)


def memory_mb(pid: int) -> float:
    """Return the memory of a process that is in use, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmRSS"))


def main(argv: list[str]) -> int:
    """Measure the controller under 64 clients, half of which never read, on both kinds of socket."""
    parser = Parser("python -m experiments.timing.clients RUN|RULE", main.__doc__)
    parser.add_argument("name", metavar="RUN|RULE", help="folder of a run, NAME.onnx, or the name of a rule")
    parser.add_argument("--requests", type=int, default=100_000, help="answers that are measured, each time [100000]")
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS), help="where clients.csv goes")
    args = parser.parse(argv)
    if args.requests < ASKING:
        raise ConfigError(f"requests: {args.requests} is not a whole number from {ASKING}")
    rows = []
    with scratch_folder() as folder:
        for socket, place in (("unix", f"unix:{folder}/s"), ("tcp", "127.0.0.1:0")):
            found = asyncio.run(measure(args.name, place, args.requests))
            rows.append((socket, 0, args.requests, *(f"{value:.4g}" for value in found)))
            print(dict(zip(COLUMNS, rows[-1], strict=True)))
    write_table(Path(args.results) / "clients.csv", COLUMNS, rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("clients", main))
