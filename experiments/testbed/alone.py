"""How long does a flow take that is alone on its link? `python -m experiments.testbed.alone` writes alone.csv."""

import asyncio
import csv
import sys
import time
from pathlib import Path

from edgediff.errors import ConfigError
from edgediff.run.atomic import write_atomically
from edgediff.run.commandline import Parser
from experiments import RESULTS
from experiments.testbed import namespaces
from experiments.testbed.cases import ALONE_BITS, ALONE_BPS, ALONE_COLUMNS, CONNECTIONS
from experiments.testbed.child_processes import run_testbed
from experiments.testbed.connections import Connection
from experiments.testbed.episode import testbed
from experiments.testbed.plan import Link, Plan

CAPACITY_BPS, REPEATS, LONGEST_S = 200e6, 5, 2.0


async def send_all(name: str) -> list[tuple]:
    """Send flows one after another, each on a connection of its own; return rows of `ALONE_COLUMNS`."""
    link, rows = Plan(name, [CAPACITY_BPS]).links[0], []
    cases = [(rate_bps, bits) for rate_bps in ALONE_BPS for bits in ALONE_BITS if bits / rate_bps <= LONGEST_S]
    for label, segments in CONNECTIONS.items():
        for rate_bps, bits in [case for case in cases for _ in range(REPEATS)]:
            rows.append((label, rate_bps, bits, f"{await send(link, segments, bits, rate_bps):.4f}"))
    return rows


async def send(link: Link, segments: int, data_bits: float, rate_bps: float) -> float:
    """Send one flow; return its time until the last byte has arrived, over D / r."""
    messages: asyncio.Queue[tuple] = asyncio.Queue()
    connection = Connection(
        link, lambda *found: messages.put_nowait(found), lambda: sys.exit("no edge server"), segments
    )
    await asyncio.sleep(0.01)
    begun_s = time.monotonic()
    connection.send(0, data_bits, rate_bps, 0.0, 1.0)
    _, _, arrived_s = await messages.get()
    await messages.get()  # the answer
    connection.close()
    return (arrived_s - begun_s) / (data_bits / rate_bps)


def main(argv: list[str]) -> int:
    """Measure flows alone on an idle link of 200 Mbit/s, by size and granted rate."""
    parser = Parser("python -m experiments.testbed.alone", main.__doc__)
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS / "testbed"), help="where alone.csv goes")
    parser.add_argument("--inside", metavar="NAME", help="the process that runs in the namespace of the users")
    args = parser.parse(argv)
    if args.inside:
        csv.writer(sys.stdout, lineterminator="\n").writerows([ALONE_COLUMNS, *asyncio.run(send_all(args.inside))])
        return 0
    if not Path(args.results).is_dir():
        raise ConfigError(f"results: {args.results} is no folder")
    namespaces.enter()
    plan = Plan("edgediff-alone", [CAPACITY_BPS])
    users, server = plan.namespaces
    with testbed(plan) as (_, processes):
        processes.start("edge server", server, "experiments.testbed.edge_server", "3000")
        processes.wait_ready("edge server")
        processes.start("users", users, "experiments.testbed.alone", "--inside", plan.name)
        write_atomically(Path(args.results) / "alone.csv", processes.wait_end("users", 300).encode())
    return 0


if __name__ == "__main__":
    sys.exit(run_testbed("alone", main))
