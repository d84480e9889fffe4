"""One episode: what decides in it, and its flows in the simulator and in the kernel."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgediff.config import LearnerConfig, RunConfig, Settings, WorldConfig
from edgediff.control.onnx_agent import OnnxAgent, load_onnx
from edgediff.errors import ConfigError
from edgediff.learner.agent import Agent
from edgediff.run.atomic import write_atomically
from edgediff.run.process import StopSignals, set_up_torch
from edgediff.run.scores import agent_policy
from edgediff.run.start import load_run
from edgediff.world.decision import View
from edgediff.world.rollout import rollout
from edgediff.world.rules import RULES, all_rules
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT
from experiments.testbed import namespaces
from experiments.testbed.child_processes import Processes, raise_if_stopped
from experiments.testbed.episode_result import PROCESSES
from experiments.testbed.plan import Plan

START_S, QUEUES = 30.0, ("fifo", "unsent")  # time for the users to get ready; what the controller is told as Q


class WithoutWait(Simulator):
    """Not in the paper: the simulator without T_q, for flows that are paced at their grants do not wait for each other.

    Q is 0 in what schedulers see and in what becomes of a flow: T_act = D / r + C / c, and bandwidth is held for D / r.
    """

    def view(self) -> View:
        """Return what is known at the present decision."""
        view = super().view()
        return view._replace(backlog_bits=np.zeros_like(view.backlog_bits))


class Scheduler(NamedTuple):
    """A rule or a run that decides in an episode, and the settings of the episode."""

    name: str
    settings: Settings
    agent: Agent | OnnxAgent | None  # of a run, or of a file of `edgediff.export`

    @property
    def label(self) -> str:
        """Return what a table calls it."""
        return RULES.get(self.name, f"{self.settings.learner.agent} of {self.name}")

    @property
    def traffic_seed(self) -> int:
        """Return the seed of the traffic: held-out, one for each seed, as in the grids."""
        return HELD_OUT + 1 + self.settings.run.seed

    def controller_flags(self) -> list[str]:
        """Return the arguments of `edgediff.control`. An agent decides on the CPU, as in `simulated`."""
        told = "num_gateways", "priority1_weight", "priority2_weight", "priority3_weight"
        flags = [f"--{name.replace('_', '-')}={getattr(self.settings.world, name)}" for name in told]
        return [self.name, *flags, *["--device=cpu"] * bool(self.agent)]

    def simulated(self, kind: type[Simulator] = Simulator) -> dict[str, np.ndarray]:
        """Play the flows in a simulator; return the outcome of each, as `rollout` does."""
        if self.agent:
            policy = agent_policy(self.agent, self.settings.run)[1]
        else:
            policy = all_rules()[RULES[self.name]]
        return rollout(kind.of(self.settings), policy, self.traffic_seed)


def find(name: str, given: dict[str, dict]) -> Scheduler:
    """Return the scheduler of a name; `given` are settings from the command line."""
    if name in RULES:
        return Scheduler(name, Settings(WorldConfig(), LearnerConfig(), RunConfig()).changed(given), None)
    if not Path(name).exists():
        raise ConfigError(f"scheduler: {name!r} is neither the folder of a run nor one of {', '.join(RULES)}")
    if Path(name).suffix == ".onnx" and Path(name).is_file():
        agent, settings = load_onnx(name, "last", given)
        return Scheduler(name, settings._replace(world=settings.world.at_load(settings.world.load)), agent)
    run = load_run(name, **given["world"] | given["run"] | {"device": "cpu"})
    set_up_torch(run.settings.run)
    return Scheduler(name, run.settings, run.agent)


def traffic(scheduler: Scheduler) -> dict:
    """Return the flows of the episode and the rates that background traffic leaves, as a simulator draws them."""
    simulator = Simulator.of(scheduler.settings)
    simulator.reset(scheduler.traffic_seed)
    flows = simulator.flows[0, : simulator.num_flows[0]]
    return {
        "flows": [dict(zip(flows.dtype.names, flow.item(), strict=True)) for flow in flows],
        "total_bps": simulator.total_bps[0].tolist(),
        "capacity_bps": simulator.topology.capacity_bps.tolist(),
    }


@contextlib.contextmanager
def testbed(plan: Plan) -> Iterator[tuple[Path, Processes]]:
    """Build the network of a plan; yield a folder and its processes. At the end, everything is removed.

    The first signal ends it. More of them change nothing, since it takes a moment until everything is removed.
    """
    with StopSignals(second=lambda *_: None) as signals:
        with (
            namespaces.reserved(plan) as folder,
            namespaces.built(plan, signals),
            Processes(folder, signals) as processes,
        ):
            yield folder, processes
        raise_if_stopped(signals)  # one that has come while the network was taken down


def play(scheduler: Scheduler, drawn: dict, name: str, queue: str = "fifo", paced: bool = True) -> dict:
    """Play flows in real time, at their grants or unpaced; return what `Users` have found."""
    plan, world = Plan(name, drawn["capacity_bps"]), scheduler.settings.world
    users, server = plan.namespaces
    with testbed(plan) as (folder, processes):
        job, path = folder / "job.json", folder / namespaces.SOCKET
        serving = "experiments.testbed.edge_server", str(world.server_tflops)
        deciding = "edgediff.control", *scheduler.controller_flags(), "--listen", f"unix:{path}"
        pids = {
            "edge server": processes.start("edge server", server, *serving).pid,
            "controller": processes.start("controller", users, *deciding).pid,
        }
        what = {"world": asdict(world), "name": name, "queue": queue, "paced": paced, "controller": str(path)}
        write_atomically(job, json.dumps(what | drawn | {"processes": pids}).encode())
        for process in pids:
            processes.wait_ready(process)
        processes.start("users", users, "experiments.testbed.users", str(job))
        limit_s = START_S + 1.5 * world.num_slots * world.slot_s + 2 * world.max_delay_s
        found = json.loads(processes.wait_end("users", limit_s))
        during = found["start_s"], found["end_s"]
        found["fidelity"]["stall_s"] = {each: processes.longest_stall_s(each, *during) for each in PROCESSES}
        return found
