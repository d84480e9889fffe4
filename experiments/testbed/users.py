"""Users and gateways as a process: plays the flows of an episode in real time. Started by the testbed.

Every slot it reads the kernel's counters. It asks the controller for every flow that comes, and begins it at the rate
that it is granted.
"""

import asyncio
import gc
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from edgediff.config import WorldConfig
from edgediff.world.workload import RECENT_SLOTS, recent_load
from experiments.testbed.child_processes import cpu_seconds
from experiments.testbed.connections import Connection, Pool
from experiments.testbed.edge_server import ANSWERED, ARRIVED
from experiments.testbed.gateway_reports import Gateways
from experiments.testbed.plan import Plan

LEAD_S = 0.1  # between the last preparation and slot 0


class Users:
    """The flows of one episode; `job` is what the testbed has written for this process."""

    def __init__(self, job: dict):
        self.job, self.world = job, WorldConfig(**job["world"])
        plan = Plan(job["name"], job["capacity_bps"])
        self.gateways = Gateways(plan, self.world, np.array(job["total_bps"]), job["queue"])
        self.ledger = self.gateways.ledger
        self.pool = Pool(plan.links, self._message, lambda: self.ended.set())
        self.ended = asyncio.Event()  # the edge server is gone
        self.connections: dict[int, Connection] = {}  # of the flows on their way
        self.rows: dict[int, dict] = {}  # what became of every flow, by its number
        self.undecided: asyncio.Queue[dict] = asyncio.Queue()  # flows that have come
        self.late_s: list[float] = []
        self.asked_ms: list[float] = []  # from asking to the answer
        slots = [flow["slot"] for flow in job["flows"]]
        self.first = np.searchsorted(slots, np.arange(self.world.num_slots + 1)).tolist()

    async def play(self) -> dict:
        """Play the episode; return what was measured."""
        self.reader, self.writer = await asyncio.open_unix_connection(self.job["controller"])
        pids, world = self.job["processes"] | {"users": os.getpid()}, self.world
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        self.start_s = time.monotonic() + LEAD_S
        deciding = asyncio.create_task(self._decide_all())
        for slot in range(world.num_slots):
            due_s = self.start_s + slot * world.slot_s
            await asyncio.sleep(due_s - time.monotonic())
            self.late_s.append(time.monotonic() - due_s)
            self.gateways.begin_slot(slot)
            for flow in self.job["flows"][self.first[slot] : self.first[slot + 1]]:
                self.undecided.put_nowait(flow)
        await asyncio.sleep(self.start_s + world.num_slots * world.slot_s - time.monotonic())
        length_s = time.monotonic() - self.start_s
        share = {name: (cpu_seconds(pid) - before[name]) / length_s for name, pid in pids.items()}
        await deciding
        await self._rest()
        return {"start_s": self.start_s, "end_s": time.monotonic()} | self._found(length_s, share)

    async def _decide_all(self) -> None:
        """Have the flows decided one after another. Slots go on meanwhile: only flows wait for a slow controller."""
        for _ in self.job["flows"]:
            flow = await self.undecided.get()
            await self._decide(flow["slot"], flow)

    async def _decide(self, slot: int, flow: dict) -> None:
        """Ask for one decision and begin the flow: it does not wait for those that are decided after it."""
        recent = min(slot, RECENT_SLOTS)
        load = recent_load(self.world, self.first[slot] - self.first[slot - recent], recent)
        measured = self.gateways.measured()
        told = self.gateways.report(measured) | {"load": float(np.clip(load, 0.01, 100))}
        told["flow"] = {name: value for name, value in flow.items() if name not in ("slot", "kind")}
        asked_s = time.perf_counter()
        self.writer.write(json.dumps(told).encode() + b"\n")
        decision = json.loads(await self.reader.readline() or b'{"error": "it has ended"}')
        self.asked_ms.append(1e3 * (time.perf_counter() - asked_s))
        if "error" in decision:
            sys.exit(f"the controller does not answer: {decision['error']}")
        self._begin(slot, flow, decision, measured)

    def _begin(self, slot: int, flow: dict, decision: dict, measured: dict[str, np.ndarray]) -> None:
        """Note the flow with what the decision was made on, which may be of the slot before, and send it."""
        gateway, rate_bps, tflops = (decision[name] for name in ("gateway", "rate_bps", "compute_tflops"))
        row = {name: decision[name] for name in ("gateway", "level", "rate_bps", "compute_tflops", "dropped")}
        row |= {"number": len(self.rows), "slot": slot, "predicted_s": decision["delay_s"]}
        row |= {name: flow[name] for name in ("data_bits", "work_tflop", "deadline_s")}
        row |= {name: values[gateway] for name, values in measured.items()}
        row |= {"begun_s": self._since(slot), "arrived_s": None, "answered_s": None}
        self.rows[row["number"]] = row
        if not decision["dropped"]:
            self.ledger.begin(gateway, flow["data_bits"], rate_bps, tflops)
            self.connections[row["number"]] = connection = self.pool.take(gateway)
            pace_bps = rate_bps if self.job["paced"] else self.job["capacity_bps"][gateway]
            connection.send(row["number"], flow["data_bits"], pace_bps, flow["work_tflop"] / tflops, tflops)

    def _since(self, slot: int) -> float:
        return time.monotonic() - self.start_s - slot * self.world.slot_s

    def _message(self, number: int, kind: int, stamp_s: float) -> None:
        """Note what the server says of a flow, and free what the flow has held."""
        row = self.rows[number]
        if kind == ARRIVED:
            row["arrived_s"] = stamp_s - self.start_s - row["slot"] * self.world.slot_s
            self.ledger.arrived(row["gateway"], row["data_bits"], row["rate_bps"])
        elif kind == ANSWERED:
            row["answered_s"] = self._since(row["slot"])
            self.ledger.answered(row["compute_tflops"])
            self.pool.give(row["gateway"], self.connections.pop(number))

    async def _rest(self) -> None:
        """Wait for the flows on their way, not without end."""
        limit_s = time.monotonic() + 2 * self.world.max_delay_s
        while self.connections and time.monotonic() < limit_s:
            await asyncio.sleep(self.world.slot_s)

    def _found(self, length_s: float, share: dict[str, float]) -> dict:
        length = length_s / (self.world.num_slots * self.world.slot_s)
        answered = [row for row in self.rows.values() if row["answered_s"] is not None]
        late_s = (row["answered_s"] - row["arrived_s"] - row["work_tflop"] / row["compute_tflops"] for row in answered)
        fidelity = {"late_p99_s": float(np.quantile(self.late_s, 0.99)), "late_max_s": max(self.late_s)}
        fidelity |= {"answer_late_max_s": max(late_s, default=0.0), "length": length, **share}
        fidelity |= {"link": self.gateways.links.highest_share(), "drops": self.gateways.links.drops()}
        if not self.gateways.links.close():
            sys.exit("tc has not taken a change of a rate")
        return {"flows": list(self.rows.values()), "fidelity": fidelity, "asked_ms": self.asked_ms,
                "overgranted": float(np.mean(self.gateways.overgranted))}  # fmt: skip


async def main(job: dict) -> None:
    """Play, or end as soon as the edge server has gone."""
    users = Users(job)
    gc.collect()
    gc.freeze()
    gc.disable()
    playing, gone = asyncio.create_task(users.play()), asyncio.create_task(users.ended.wait())
    await asyncio.wait([playing, gone], return_when=asyncio.FIRST_COMPLETED)
    if not playing.done():
        sys.exit("the edge server has ended")
    print(json.dumps(playing.result()))


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
