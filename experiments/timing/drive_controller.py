"""Play episodes through the controller, as a client: `python -m experiments.timing.drive_controller NAME`.

The flows of a slot go to `python -m edgediff.control NAME` in one line, in several if there are too many. What it
decides must be, to the flow, what `evaluate` finds with the same mode and the same noise; one episode is
`evaluate --final-episodes 1`.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields

import numpy as np

from edgediff.control.controller import Controller
from edgediff.control.messages import MAX_FLOWS, Demand
from edgediff.errors import ConfigError
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program, set_up_torch
from edgediff.run.scores import agent_policy
from edgediff.world.decision import LEVEL_FACTORS, View
from edgediff.world.rollout import rollout
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT

KEPT = "completed", "delay_s", "dropped", "imbalance", "reward", "priority"  # of each flow, as `rollout` does
TOLD = {"rate_bps": "rate_bps", "compute_tflops": "compute_tflops", "delay_s": "delay_s", "in_time": "completed",
        "dropped": "dropped"}  # field of an answer: entry of the simulator's info  # fmt: skip


class Program:
    """The controller as a process: one line in, one line out; the times between them are kept."""

    def __init__(self, *argv: str):
        command = [sys.executable, "-m", "edgediff.control", *argv]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.times_ms: list[float] = []

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.process.stdin.close()  # the end of its input: it prints its latencies and ends
        self.process.wait()
        self.process.stdout.close()

    def ask(self, request: dict) -> dict:
        """Send a line and return the answer."""
        start = time.perf_counter()
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "the controller has ended"}')
        self.times_ms.append(1e3 * (time.perf_counter() - start))
        if "error" in answer:
            raise ConfigError(answer["error"])
        return answer


def request(view: View, flows: np.ndarray) -> dict:
    """Return the line that reports what is known in one environment, and asks for some flows."""
    demands = [{f.name: flow[f.name].item() for f in fields(Demand)} for flow in flows]
    return {"available_bps": view.available_bps[0].tolist(), "backlog_bits": view.backlog_bits[0].tolist(),
            "available_tflops": view.available_tflops[0].item(), "load": view.load[0].item(),
            "flows": demands}  # fmt: skip


def drive(ask: Callable[[dict], dict], simulator: Simulator, seed: int = HELD_OUT + 1) -> dict[str, np.ndarray]:
    """Play one episode of one environment, decided by answers; return the outcome of each flow, as `rollout` does.

    Every grant and every delay in an answer must be what the simulator then finds.
    """
    simulator.reset(seed)
    episode, infos = simulator.flows[0, : simulator.num_flows[0]].copy(), []
    slots = [episode[episode["slot"] == slot] for slot in np.unique(episode["slot"])]
    for flows in (slot[k : k + MAX_FLOWS] for slot in slots for k in range(0, len(slot), MAX_FLOWS)):
        for decision in ask(request(simulator.view(), flows))["decisions"]:
            action = decision["gateway"] * len(LEVEL_FACTORS) + decision["level"]
            *_, info = simulator.step(np.array([action]))
            for told, found in TOLD.items():
                if not np.isclose(decision[told], info[found][0], rtol=1e-9, atol=1e-9):
                    raise ConfigError(f"{told}: {decision[told]} in an answer is not {info[found][0]} as it came")
            infos.append(info)
    return {name: np.concatenate([info[name] for info in infos]) for name in KEPT}


def main(argv: list[str]) -> int:
    """Play held-out episodes through the controller; count the flows that `evaluate` decides in another way."""
    parser = Parser("python -m experiments.timing.drive_controller RUN|RULE", main.__doc__)
    parser.add_argument("name", metavar="RUN|RULE", help="folder of a run, NAME.onnx, or the name of a rule")
    parser.add_argument("--episodes", metavar="X", default="1", help="how many, 1 to 1000 [1]")
    parser.add_argument("--mode", metavar="X", help="mean, argmax or sample [as in evaluate]")
    args = parser.parse(argv)
    if not args.episodes.isascii() or not args.episodes.isdigit() or not 1 <= int(args.episodes) <= 1000:
        raise ConfigError(f"episodes: {args.episodes!r} is not a whole number from 1 to 1000")
    controller = Controller.load(args.name, mode=args.mode or "")
    scheduler, settings = controller.scheduler, controller.settings
    set_up_torch(settings.run)
    rule = callable(scheduler)
    label, policy = (args.name, scheduler) if rule else agent_policy(scheduler, settings.run, controller.mode)
    world, completed, differ = settings.world.at_load(settings.world.load), [], 0
    with Program(args.name, *(["--mode", args.mode] if args.mode else [])) as program:
        for episode in range(int(args.episodes)):
            driven = drive(program.ask, Simulator(world, first_env=episode, state_of_view=None))
            wanted = rollout(Simulator(world, first_env=episode, state_of_view=None), policy, HELD_OUT + 1)
            differ += int(np.any([driven[name] != wanted[name] for name in KEPT], axis=0).sum())
            completed.append(driven["completed"])
    flows = np.concatenate(completed)
    p50, p95, p99 = np.quantile(program.times_ms, [0.5, 0.95, 0.99])
    print(f"{label}: completion {flows.mean():.1%} of {flows.size} flows, episodes: {len(completed)}; "
          f"{differ} flows differ from evaluate")  # fmt: skip
    print(f"{len(program.times_ms)} lines, from asking to answer: p50 {p50:.2f} ms, p95 {p95:.2f} ms, p99 {p99:.2f} ms")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(run_program("drive_controller", main))
