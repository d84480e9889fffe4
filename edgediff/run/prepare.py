"""What a program does to its process before it imports anything that takes time. It needs no other module of ours."""

import os
import signal
import sys


def prepare_program(package: str) -> None:
    """Prepare the process if Python was started to run a program of a package, which calls this; else change nothing.

    While a package is imported for `python -m`, `sys.argv` begins with `-m`; before its arguments stands the program.
    """
    program = next(iter(sys.orig_argv[-len(sys.argv) :]), "")
    if sys.argv[:1] == ["-m"] and program.split(".")[0] == package:
        # Threads of OpenMP spin at every barrier unless told otherwise, and lose whole scheduler slices when another
        # process wants their core. OpenMP reads the variable once, when torch is imported.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends imports without a traceback; see run_program
        sys.excepthook = _one_line(program, sys.excepthook)


def no_memory(error: BaseException) -> str:
    """Return the line for an error that lack of memory has led to, "" for any other."""
    text = str(error)
    if isinstance(error, ImportError) and ("failed to map segment" in text or "Cannot allocate memory" in text):
        return f"not enough memory to load a library ({' '.join(text.split())[:300]})"
    mentioned = isinstance(error, RuntimeError) and ("allocate memory" in text or "out of memory" in text)
    return "not enough memory for these settings" if mentioned or isinstance(error, MemoryError) else ""


def _one_line(program: str, before):
    """Return a hook for errors that nobody catches, such as those of imports: one line, status 2, if memory lacks."""

    def hook(kind, error, trace) -> None:
        if not (text := no_memory(error)):
            return before(kind, error, trace)
        print(f"{program}: {text}", file=sys.stderr)
        raise SystemExit(2)

    return hook
