"""Decide flows online, as the SDN controller of Section 3.1: `python -m edgediff.control RUN`."""

from edgediff.run.process import prepare_process

if __name__ == "__main__":
    prepare_process()

import asyncio
import contextlib
import select
import selectors
import signal
import sys

from edgediff.control.controller import Controller
from edgediff.control.listen import check_address, listening
from edgediff.control.protocol import LineProtocol
from edgediff.control.server import Server, StandardStreams
from edgediff.errors import ConfigError, first_line
from edgediff.run.commandline import Parser, given_settings
from edgediff.run.process import StopSignals, run_program


def tell(line: str) -> None:
    """Write a line to standard error, unless that would block: answers must not wait for someone to read it."""
    with contextlib.suppress(OSError, ValueError):
        if select.select([], [sys.stderr], [], 0)[1]:
            sys.stderr.write(f"{line}\n")


async def serve(protocol: LineProtocol, place: str | int | None) -> OSError | None:
    """Serve standard input, or the clients of a path or port, until it ends or a signal comes.

    Return the error that standard input or output was lost with.
    """
    loop, stopped, server = asyncio.get_running_loop(), asyncio.Event(), Server(protocol.answer)
    # Not `loop.add_signal_handler`: its handlers run in the loop, and a second signal has to end one that hangs, too.
    if signal.getsignal(signal.SIGUSR1) is not signal.SIG_IGN:
        signal.signal(signal.SIGUSR1, lambda *_: loop.call_soon_threadsafe(lambda: tell(protocol.latencies())))
    with StopSignals(lambda _: loop.call_soon_threadsafe(stopped.set)):
        if place is None:
            streams = StandardStreams(sys.stdin.fileno(), sys.stdout.fileno())
            serving = server.add(server.serve(streams.reader, streams.send), streams.end_input)
            serving.add_done_callback(lambda _: stopped.set())
            await stopped.wait()
        else:
            with listening(place) as (listener, address):
                print(f"listening on {address}")
                serving = asyncio.create_task(server.accept(listener))
                await stopped.wait()
                serving.cancel()
                await asyncio.wait([serving])  # before the listener is closed
        await server.stop()
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # the loop ends
    tell(protocol.latencies())
    return None if serving.cancelled() else serving.result()


def main(argv: list[str]) -> int:
    """Decide flows online: read one JSON object a line, answer with one JSON object a line (edgediff/control)."""
    parser = Parser("python -m edgediff.control RUN", main.__doc__)
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    parser.add_argument("--weights", metavar="X", default="last", help="which weights: last or best [last]")
    modes = "sample; argmax of one noise draw; mean: argmax of the average draw [d2sac: mean, others: argmax]"
    parser.add_argument("--mode", metavar="X", help=modes)
    parser.add_argument("--probabilities", action="store_true", help="answer also with the probabilities of actions")
    where = "unix:PATH, 127.0.0.1:PORT or localhost:PORT; port 0: any [standard input and output]"
    parser.add_argument("--listen", metavar="X", help=where)
    for name in ("eval_draws", "device", "threads"):
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="X", help="[as in the run]")
    args = parser.parse(argv)
    if not hasattr(signal, "SIGUSR1"):
        raise ConfigError("system: the controller needs Linux or macOS; Controller of edgediff.control works anywhere")
    place = check_address(args.listen) if args.listen else None
    if place is None and sys.stdin is None:
        raise ConfigError("stdin: closed; give --listen, or lines on standard input")
    controller = Controller.load(args.run, args.weights, args.mode or "", **given_settings(args)["run"])
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())  # the selector that takes files, too
    with contextlib.closing(loop):
        lost = loop.run_until_complete(serve(LineProtocol(controller, args.probabilities), place))
    if lost and not isinstance(lost, BrokenPipeError):  # the reader has closed the pipe
        tell(f"edgediff.control: input or output is lost ({first_line(lost)})")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_program("edgediff.control", main))
