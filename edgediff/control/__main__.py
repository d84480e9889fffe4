"""Decide flows online, as the SDN controller of Section 3.1: `python -m edgediff.control RUN`."""

import contextlib
import os
import signal
import socket
import sys

from edgediff.control.controller import Controller
from edgediff.control.listen import check_address, listening
from edgediff.control.protocol import Answers
from edgediff.control.service import STOPPING, Service
from edgediff.errors import ConfigError, first_line
from edgediff.run.commandline import Parser, given_settings, run_program


class Signals:
    """A context in which signals arrive as bytes, to be read between two turns; an ignored one stays ignored."""

    def __enter__(self) -> socket.socket:
        self.inbox, outbox = self.pair = socket.socketpair()
        for end in self.pair:
            end.setblocking(False)
        self.handle = signal.set_wakeup_fd(outbox.fileno(), warn_on_full_buffer=False)
        heard = [n for n in (*STOPPING, signal.SIGUSR1) if signal.getsignal(n) is not signal.SIG_IGN]
        self.before = {number: signal.signal(number, lambda *_: None) for number in heard}
        return self.inbox

    def __exit__(self, *_) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self.handle)
        for end in self.pair:
            end.close()


def serve(answers: Answers, signals: socket.socket, place: str | int | None) -> OSError | None:
    """Serve standard input, or the clients of a path or port; return the error that the clients were lost with."""
    service = Service(answers.answer, signals, lambda: print(answers.latencies(), file=sys.stderr))
    with contextlib.ExitStack() as stack:
        if place is None:
            service.add(os.dup(sys.stdin.fileno()), os.dup(sys.stdout.fileno()))
        else:
            server, address = stack.enter_context(listening(place))
            service.listen(server)
            print(f"listening on {address}")
        service.run()
    print(answers.latencies(), file=sys.stderr)
    return service.lost if place is None else None


def main(argv: list[str]) -> int:
    """Decide flows online: read one JSON object a line, answer with one JSON object a line (edgediff/run/README.md)."""
    parser = Parser("python -m edgediff.control RUN", main.__doc__)
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    parser.add_argument("--weights", metavar="X", default="last", help="which weights: last or best [last]")
    parser.add_argument("--mode", metavar="X", help="sample; argmax of one noise draw; mean: argmax of the average "
                        "draw [d2sac: mean, others: argmax]")  # fmt: skip
    parser.add_argument(
        "--probabilities", action="store_true", help="answer also with the probabilities of all actions"
    )
    parser.add_argument("--listen", metavar="X", help="unix:PATH, 127.0.0.1:PORT or localhost:PORT; port 0: any "
                        "[standard input and output]")  # fmt: skip
    for name in ("eval_draws", "device", "threads"):
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="X", help="[as in the run]")
    args = parser.parse(argv)
    place = check_address(args.listen) if args.listen else None
    if place is None and sys.stdin is None:
        raise ConfigError("stdin: closed; give --listen, or lines on standard input")
    with Signals() as signals:
        controller = Controller.load(args.run, args.weights, args.mode or "", **given_settings(args)["run"])
        lost = serve(Answers(controller, args.probabilities), signals, place)
    if lost and not isinstance(lost, BrokenPipeError):  # `| head` has seen enough
        print(f"edgediff.control: input or output is lost ({first_line(lost)})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_program("edgediff.control", main))
