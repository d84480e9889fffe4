"""Schedule real TCP flows through the kernel: `python -m experiments.testbed RUN|RULE`."""

from edgediff.run.process import prepare_process

if __name__ == "__main__":
    prepare_process()

import os
import re
import sys
from pathlib import Path

from edgediff.errors import ConfigError
from edgediff.run.commandline import Parser, given_settings
from edgediff.run.process import output_status
from edgediff.world.rules import RULES
from experiments.testbed import network
from experiments.testbed.episode import QUEUES, play, traffic
from experiments.testbed.processes import run_testbed
from experiments.testbed.result import breaches, described, merged, report, write_flows
from experiments.testbed.scheduler import Scheduler, find


def parser() -> Parser:
    """Return the parser of the command line."""
    result = Parser("python -m experiments.testbed RUN|RULE", main.__doc__)
    result.add_argument("scheduler", metavar="RUN|RULE", help=f"folder of a run, or one of {', '.join(RULES)}")
    for name, text in (("load", "[of the run, rules: 1]"), ("seed", "of the traffic [of the run, rules: 0]"),
                       ("num_slots", "slots of 10 ms: the length [of the run, rules: 1000]"),
                       ("num_gateways", "[of the run, rules: 8]")):  # fmt: skip
        result.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="X", help=text)
    told = "what the controller is told as Q: fifo, what waits in the kernel; unsent, all that is accepted and not sent"
    result.add_argument("--queue", metavar="X", default="fifo", help=f"{told} [fifo]")
    result.add_argument(
        "--unpaced", action="store_true", help="nobody enforces the grants: flows send as fast as TCP can"
    )
    result.add_argument("--output", metavar="FILE", help="a CSV of all flows")
    result.add_argument(
        "--name", metavar="X", default="edgediff", help="first part of the namespaces' names [edgediff]"
    )
    return result


def check_names(queue: str, name: str) -> None:
    """Raise `ConfigError` at an unknown queue, or a name that namespaces cannot have."""
    if queue not in QUEUES:
        raise ConfigError(f"queue: {queue!r} is not one of {', '.join(QUEUES)}")
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,29}", name):
        raise ConfigError(f"name: {name!r} is not up to 30 of a-z, 0-9 and -, with a letter first")


def check_output(output: str | None) -> None:
    """Raise `ConfigError` if a file is asked for that exists, or that cannot be made."""
    if output and os.path.lexists(output):
        raise ConfigError(f"output: {output} exists")
    if output and not (Path(output).parent.is_dir() and os.access(Path(output).parent, os.W_OK)):
        raise ConfigError(f"output: {Path(output).parent} is no folder that can be written to")


def heading(scheduler: Scheduler, drawn: dict, how: str, name: str) -> str:
    """Say what is played, and where."""
    world, capacities = scheduler.settings.world, drawn["capacity_bps"]
    links = f"{len(capacities)} links of {min(capacities) / 1e6:g} to {max(capacities) / 1e6:g} Mbit/s"
    flows = f"{len(drawn['flows'])} flows in {world.num_slots * world.slot_s:g} s"
    return (f"{links} in the namespaces {name}-users and {name}-server, {how}\n"
            f"{scheduler.label}: {flows}, load {world.load:g}, seed {scheduler.settings.run.seed}")  # fmt: skip


def main(argv: list[str]) -> int:
    """Play an episode of the simulator as real TCP flows in real time, scheduled by a run or by a rule."""
    args = parser().parse(argv)
    check_names(args.queue, args.name)
    check_output(args.output)
    scheduler = find(args.scheduler, given_settings(args))
    how, drawn = network.enter(), traffic(scheduler)
    print(heading(scheduler, drawn, how, args.name), flush=True)
    found = play(scheduler, drawn, args.name, args.queue, not args.unpaced)
    flows = merged(found, scheduler.simulated(), scheduler.settings.world)
    if broken := breaches(found["fidelity"], flows):
        print(f"testbed: no numbers, since the run was not true to its plan: {'; '.join(broken)}", file=sys.stderr)
        print(described(found["fidelity"]))
        return 1
    print(report(flows, found))
    if args.output:
        check_output(args.output)  # once more: it may have come meanwhile
        write_flows(Path(args.output), flows)
    return output_status("testbed")


if __name__ == "__main__":
    sys.exit(run_testbed("testbed", main))
