"""The first signal to stop is noted, so that a program can end in order; a second one ends it at once."""

import signal
from collections.abc import Callable

NAMES = "SIGINT", "SIGTERM", "SIGHUP"  # Ctrl-C, kill, a terminal that closes; Windows has no SIGHUP


class StopSignals:
    """A context manager; `number` is the first SIGINT, SIGTERM or SIGHUP that has come in it, 0 if none.

    From then on, the default of the system holds: a second signal ends the process at once, even one that hangs in a
    write. A signal that the process was started to ignore stays ignored. Only the main thread can use it.

    `on_stop(number)` runs in the handler, between any two instructions of the program. It may set a flag, `os.write` or
    `loop.call_soon_threadsafe`, but not print: the program may be inside of the same buffered stream.
    """

    def __init__(self, on_stop: Callable[[int], object] | None = None):
        self.number, self.on_stop = 0, on_stop

    def __enter__(self) -> "StopSignals":
        given = {number: signal.getsignal(number) for name in NAMES if (number := getattr(signal, name, 0))}
        self.before = {number: handler for number, handler in given.items() if handler is not signal.SIG_IGN}
        for number in self.before:
            signal.signal(number, self._note)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: a handler that Python did not set

    def _note(self, number: int, _) -> None:
        self.number = number
        for each in self.before:
            signal.signal(each, signal.SIG_DFL)
        if self.on_stop:
            self.on_stop(number)
