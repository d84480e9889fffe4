"""What a program sets for its own process, before it imports torch."""

import os
import signal


def prepare_process() -> None:
    """Let idle threads of OpenMP sleep, and let Ctrl-C end the import of torch without a traceback.

    Threads of OpenMP spin at every barrier unless told otherwise, and lose whole scheduler slices when another process
    wants their core. OpenMP reads the variable once, when torch is imported. `run_program` sets Ctrl-C back.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
