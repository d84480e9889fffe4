"""Play one episode in the kernel: start the processes, wait, collect what the users have measured."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from edgediff.run.files import write_atomically
from edgediff.run.process import StopSignals
from experiments.testbed import network
from experiments.testbed.plan import Plan
from experiments.testbed.processes import Parts, raise_if_stopped
from experiments.testbed.scheduler import Scheduler

START_S, QUEUES = 30.0, ("fifo", "unsent")  # time for the users to get ready; what the controller is told as Q


def traffic(scheduler: Scheduler) -> dict:
    """Return the flows of the episode and the rates that background traffic leaves, as a simulator draws them."""
    simulator = scheduler.simulator()
    simulator.reset(scheduler.traffic_seed)
    flows = simulator.flows[0, : simulator.num_flows[0]]
    listed = [dict(zip(flows.dtype.names, flow.item(), strict=True)) for flow in flows]
    return {"flows": listed, "total_bps": simulator.total_bps[0].tolist(),
            "capacity_bps": simulator.topology.capacity_bps.tolist()}  # fmt: skip


@contextlib.contextmanager
def testbed(plan: Plan) -> Iterator[tuple[Path, Parts]]:
    """Build the network of a plan; yield a folder and its processes. At the end, everything is removed."""
    with StopSignals() as signals:
        with network.reserved(plan) as folder, network.built(plan, folder, signals), Parts(folder, signals) as parts:
            yield folder, parts
        raise_if_stopped(signals)  # one that has come while the network was taken down


def play(scheduler: Scheduler, drawn: dict, name: str, queue: str = "fifo", paced: bool = True) -> dict:
    """Play flows in real time, at their grants or unpaced; return what `Users` have found."""
    plan, world = Plan(name, drawn["capacity_bps"]), scheduler.settings.world
    users, server = plan.namespaces
    with testbed(plan) as (folder, parts):
        job, path = folder / "job.json", folder / network.SOCKET
        what = {"world": asdict(world), "name": name, "queue": queue, "paced": paced, "controller": str(path), **drawn}
        what["further_report"] = _further_report(scheduler, drawn)
        write_atomically(job, json.dumps(what).encode())
        first, *argv = scheduler.module
        argv += ["--listen", f"unix:{path}"] if scheduler.weights is not None else [str(job), str(path)]
        pids = {"controller": parts.start("controller", users, first, *argv).pid}
        serving = parts.start("edge server", server, "experiments.testbed.server", str(world.server_tflops))
        pids["edge server"] = serving.pid
        for part in ("edge server", "controller"):
            parts.wait_ready(part)
        write_atomically(job, json.dumps(what | {"processes": pids}).encode())
        parts.start("users", users, "experiments.testbed.users", str(job))
        limit_s = START_S + 1.5 * world.num_slots * world.slot_s + 2 * world.max_delay_s
        return json.loads(parts.wait_end("users", limit_s))


def _further_report(scheduler: Scheduler, drawn: dict) -> dict:
    """Return what is reported to a controller that was trained for other gateways: their capacities."""
    trained = scheduler.trained_gateways
    same = trained in (None, len(drawn["capacity_bps"]))
    return {} if same else {"capacity_bps": drawn["capacity_bps"]}
