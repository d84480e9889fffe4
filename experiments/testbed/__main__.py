"""Schedule real TCP flows through the kernel: `python -m experiments.testbed RUN|RULE`."""

import os
import re
import sys
from pathlib import Path

from edgediff.errors import ConfigError
from edgediff.run.commandline import Parser, given_settings
from edgediff.world.rules import RULES
from experiments.testbed import namespaces
from experiments.testbed.child_processes import run_testbed
from experiments.testbed.episode import QUEUES, Scheduler, find, play, traffic
from experiments.testbed.episode_result import breaches, described, merged, report, write_flows


def parser() -> Parser:
    """Return the parser of the command line."""
    result = Parser("python -m experiments.testbed RUN|RULE", main.__doc__)
    told = "what the controller is told as Q: fifo, what waits in the kernel; unsent, all that is accepted and not sent"
    flags = {
        "load": "[of the run, rules: 1]",
        "seed": "of the traffic [of the run, rules: 0]",
        "num-slots": "slots of 10 ms: the length [of the run, rules: 1000]",
        "num-gateways": "[of the run, rules: 8]",
        "queue": f"{told} [fifo]",
        "output": "file for a CSV of all flows",
        "name": "first part of the namespaces' names [edgediff]",
    }
    result.add_argument(
        "scheduler", metavar="RUN|RULE", help=f"folder of a run, NAME.onnx, or one of {', '.join(RULES)}"
    )
    for name, text in flags.items():
        result.add_argument(f"--{name}", metavar="X", help=text)
    result.add_argument("--unpaced", action="store_true", help="nobody enforces the grants: TCP does as it likes")
    result.set_defaults(queue="fifo", name="edgediff")
    return result


def check_flags(queue: str, name: str, output: str | None) -> None:
    """Raise `ConfigError` at an unknown queue, a name that namespaces cannot have, or a file that cannot be made."""
    if queue not in QUEUES:
        raise ConfigError(f"queue: {queue!r} is not one of {', '.join(QUEUES)}")
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,29}", name):
        raise ConfigError(f"name: {name!r} is not up to 30 of a-z, 0-9 and -, with a letter first")
    if output and os.path.lexists(output):
        raise ConfigError(f"output: {output} exists")
    if output and not (Path(output).parent.is_dir() and os.access(Path(output).parent, os.W_OK)):
        raise ConfigError(f"output: {Path(output).parent} is no folder that can be written to")


def heading(scheduler: Scheduler, drawn: dict, how: str, name: str) -> str:
    """Say what is played, and where."""
    world, capacities = scheduler.settings.world, drawn["capacity_bps"]
    links = f"{len(capacities)} links of {min(capacities) / 1e6:g} to {max(capacities) / 1e6:g} Mbit/s"
    flows = f"{len(drawn['flows'])} flows in {world.num_slots * world.slot_s:g} s"
    return (
        f"{links} in the namespaces {name}-users and {name}-server, {how}\n"
        f"{scheduler.label}: {flows}, load {world.load:g}, seed {scheduler.settings.run.seed}"
    )


def main(argv: list[str]) -> int:
    """Play an episode of the simulator as real TCP flows in real time, scheduled by a run or by a rule."""
    args = parser().parse(argv)
    check_flags(args.queue, args.name, args.output)
    scheduler = find(args.scheduler, given_settings(args))
    how, drawn = namespaces.enter(), traffic(scheduler)
    print(heading(scheduler, drawn, how, args.name), flush=True)
    found = play(scheduler, drawn, args.name, args.queue, not args.unpaced)
    flows = merged(found, scheduler.simulated(), scheduler.settings.world)
    if broken := breaches(found["fidelity"], flows):
        print(f"testbed: no numbers, since the run was not true to its plan: {'; '.join(broken)}", file=sys.stderr)
        print(described(found["fidelity"]))
        return 1
    print(report(flows, found))
    if args.output:
        check_flags(args.queue, args.name, args.output)  # once more: the file may have come meanwhile
        write_flows(Path(args.output), flows)
    return 0


if __name__ == "__main__":
    sys.exit(run_testbed("testbed", main))
