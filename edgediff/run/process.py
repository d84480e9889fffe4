"""What a program does to its own process: its environment, torch, signals and streams, and how it ends.

Only programs call these. Importing, training or loading in somebody else's process changes nothing there.
"""

import codecs
import contextlib
import errno
import io
import os
import select
import signal
import sys
import threading
from collections.abc import Callable

from edgediff.config import RunConfig
from edgediff.errors import ConfigError, NonFiniteError, first_line
from edgediff.run.prepare import no_memory

SIGNALS = "SIGINT", "SIGTERM", "SIGHUP"  # Ctrl-C, kill, a terminal that closes; Windows has no SIGHUP


def set_up_torch(run: RunConfig) -> None:
    """Apply threads and precision to this process; flush denormal numbers, which are slow, to zero."""
    import torch  # here: a program that needs none starts in a moment

    torch.set_num_threads(run.threads)
    torch.set_float32_matmul_precision(run.matmul_precision)
    torch.set_flush_denormal(True)


class StopSignals:
    """A context manager; `number` is the first SIGINT, SIGTERM or SIGHUP that has come in it, 0 if none.

    From then on, `second` handles all three. By default it is the system: a second signal ends the process at once,
    even one that hangs in a write. A signal that the process was started to ignore stays ignored. Only the main thread
    can set a handler: in any other, nothing is noted.

    `on_stop(number)` runs in the handler, between any two instructions of the program. It may set a flag, `os.write` or
    `loop.call_soon_threadsafe`, but not print: the program may be inside of the same buffered stream.
    """

    def __init__(self, on_stop: Callable[[int], object] | None = None, second=signal.SIG_DFL):
        self.number, self.on_stop, self.second = 0, on_stop, second

    def __enter__(self) -> "StopSignals":
        main = threading.current_thread() is threading.main_thread()
        given = {number: signal.getsignal(number) for name in SIGNALS if main and (number := getattr(signal, name, 0))}
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
            signal.signal(each, self.second)
        if self.on_stop:
            self.on_stop(number)


NO_STREAM = OSError(errno.EBADF, "it was closed before the start")


class Display:
    """A text stream that falls silent when its terminal, pipe or file is lost, so that no run ends with it.

    It also takes what a notebook or a test has in the place of a stream.
    """

    def __init__(self, stream):
        self.stream, self.missing = stream or open(os.devnull, "w"), stream is None
        self.lost = None  # the error that it was lost with
        self.handle = None
        if isinstance(self.stream, io.TextIOWrapper):
            self.stream.reconfigure(errors="backslashreplace")
            self.encode = codecs.getincrementalencoder(self.stream.encoding)("backslashreplace").encode
            with contextlib.suppress(OSError):  # a stream in memory has none
                self.handle = self.stream.fileno()
                self.stream.flush()

    def write(self, text: str) -> None:
        """Write all of it at once, if there is still something to write to."""
        if self.missing:
            self.lost = NO_STREAM
        try:
            if self.handle is None:
                self.stream.write(text)
                self.stream.flush()
            else:
                write_all(self.handle, self.encode(text.replace("\n", os.linesep)))
        except OSError as error:
            self.lost, self.stream = error, open(os.devnull, "w")
            if self.handle is not None:
                os.dup2(self.stream.fileno(), self.handle)  # for all who know the old number
                self.handle = None

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


def write_all(handle: int, data: bytes) -> None:
    """Write all bytes, also into a pipe that does not block: it takes a part of them, or nothing until it is read."""
    while data:
        try:
            data = data[os.write(handle, data) :]
        except BlockingIOError:
            select.select([], [handle], [])


def run_program(
    program: str, main: Callable[[list[str]], int], argv: list[str] | None = None, silent: bool = False
) -> int:
    """Run a program's main and return its status: a user's mistake is one line and 2, lost output is 1.

    Output that nobody wants, since its stream was closed before the start, is lost too, unless it may be `silent`.
    """
    streams, thread_hook = (sys.stdout, sys.stderr), threading.excepthook
    sys.stdout, sys.stderr = display, _ = [Display(stream) for stream in streams]
    # TensorBoard writes in a thread; what it cannot write is raised once more by its next call, which is caught.
    threading.excepthook = lambda error: None if issubclass(error.exc_type, OSError) else thread_hook(error)
    in_main_thread = threading.current_thread() is threading.main_thread()
    prepared = in_main_thread and signal.getsignal(signal.SIGINT) is signal.SIG_DFL  # by prepare_program
    if prepared:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        status = _status(program, main, sys.argv[1:] if argv is None else argv)
        lost = display.lost if display.lost is not NO_STREAM or not silent else None
        if status or not lost or isinstance(lost, BrokenPipeError):  # a reader that closes the pipe has seen enough
            return status
        print(f"{program}: the output cannot be written ({first_line(lost)})", file=sys.stderr)
        return 1
    finally:
        if prepared:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # the end of Python prints no traceback either
        (sys.stdout, sys.stderr), threading.excepthook = streams, thread_hook


def _status(program: str, main: Callable[[list[str]], int], argv: list[str]) -> int:
    try:
        return main(argv)
    except SystemExit as ended:  # after --help
        return int(ended.code or 0)
    except (ConfigError, NonFiniteError) as error:
        text, status = " ".join(str(error).split()), 2 if isinstance(error, ConfigError) else 1
    except (MemoryError, RuntimeError, ImportError) as error:
        text, status = no_memory(error), 2
        if not text:
            raise
    except OSError as error:
        text, status = f"{error.filename}: {error.strerror}" if error.filename else first_line(error), 2
    except KeyboardInterrupt:
        text, status = "interrupted", 130
    print(f"{program}: {text}", file=sys.stderr)
    return status
