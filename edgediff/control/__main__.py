"""Decide flows online, as the SDN controller of Section 3.1: `python -m edgediff.control RUN|RULE`."""

import signal

if __name__ == "__main__":
    if hasattr(signal, "SIGUSR1") and signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        signal.signal(signal.SIGUSR1, lambda *_: None)  # it would end a program that is not ready yet

import asyncio
import contextlib
import selectors
import sys
from collections.abc import Callable, Iterator
from functools import partial

from edgediff.config import WorldConfig
from edgediff.control.controller import Controller
from edgediff.control.listen import check_address, listening
from edgediff.control.onnx_agent import OnnxAgent
from edgediff.control.protocol import LineProtocol
from edgediff.control.server import BUFFER_BYTES, Selector, Server, receive, send
from edgediff.errors import ConfigError, first_line
from edgediff.run.commandline import Parser, given_settings
from edgediff.run.process import StopSignals, run_program, set_up_torch
from edgediff.world.rules import RULES

LISTEN = "unix:PATH, 127.0.0.1:PORT or localhost:PORT; port 0: any [standard input and output]"


def tell(line: str) -> None:
    """Write a line to standard error, unless that would block: answers must not wait for someone to read it."""
    with contextlib.suppress(OSError, ValueError), Selector() as selector:
        selector.register(sys.stderr, selectors.EVENT_WRITE)
        if selector.select(0):
            sys.stderr.write(f"{line}\n")


@contextlib.contextmanager
def on_request(call: Callable[[], object]) -> Iterator[None]:
    """Call at every SIGUSR1, unless the process was started to ignore it; at the end, its handler is that of before."""
    before = signal.getsignal(signal.SIGUSR1)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGUSR1, lambda *_: call())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before or signal.SIG_DFL)


async def serve(protocol: LineProtocol, place: str | int | None) -> None:
    """Serve standard input, or the clients of a path or port, until it ends or a signal comes.

    Raises what a task has died by: OSError if standard input or output is lost.
    """
    loop, server = asyncio.get_running_loop(), Server(protocol.answer)
    # Not `loop.add_signal_handler`: its handlers run in the loop, and a second signal has to end one that hangs, too.
    told = on_request(lambda: loop.call_soon_threadsafe(lambda: tell(protocol.latencies())))
    with told, StopSignals(lambda _: loop.call_soon_threadsafe(server.ended.set)):
        if place is None:
            source, sink = sys.stdin.fileno(), sys.stdout.fileno()
            serving = asyncio.create_task(server.serve(partial(receive, source), partial(send, sink)))
            serving.add_done_callback(lambda _: server.ended.set())
            await server.ended.wait()
        else:
            with listening(place) as (listener, address):
                accepting = await asyncio.start_server(server.serve_socket, sock=listener, limit=BUFFER_BYTES)
                print(f"listening on {address}")
                await server.ended.wait()
                accepting.close()
        await server.stop()
    tell(protocol.latencies())
    if place is None and not serving.cancelled():
        serving.result()
    if server.error:
        raise server.error


def main(argv: list[str]) -> int:
    """Decide flows online: read one JSON object a line, answer with one JSON object a line (edgediff/control)."""
    parser = Parser("python -m edgediff.control RUN|RULE", main.__doc__)
    which = f"folder of a run, file of edgediff.export, or rule: {', '.join(RULES)}; ./NAME is a folder of such a name"
    parser.add_argument("name", metavar="RUN|RULE", help=which)
    parser.add_run_flags("eval_draws", "device", "threads")
    parser.add_argument("--listen", metavar="X", help=LISTEN)
    parser.add_argument("--probabilities", action="store_true", help="answer also with the probabilities of actions")
    parser.add_settings(WorldConfig)
    args = parser.parse(argv)
    if not hasattr(signal, "SIGUSR1"):
        raise ConfigError("system: the controller needs Linux or macOS; Controller of edgediff.control works anywhere")
    place = check_address(args.listen) if args.listen else None
    for name in ("stdin", "stdout"):
        if place is None and getattr(sys, f"__{name}__") is None:
            raise ConfigError(f"{name}: closed; give --listen, or lines on standard input and a place for answers")
    given = given_settings(args)
    controller = Controller.load(args.name, args.weights, args.mode or "", **given["world"], **given["run"])
    if not callable(controller.scheduler) and not isinstance(controller.scheduler, OnnxAgent):
        set_up_torch(controller.settings.run)
    loop = asyncio.SelectorEventLoop(Selector())
    try:
        with contextlib.closing(loop):
            loop.run_until_complete(serve(LineProtocol(controller, args.probabilities), place))
    except BrokenPipeError:
        pass  # the reader of the answers has seen enough
    except OSError as error:
        tell(f"edgediff.control: input or output is lost ({first_line(error)})")
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(run_program("edgediff.control", main))
    finally:
        if hasattr(signal, "SIGUSR1"):
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # when Python ends, it takes back all other handlers
