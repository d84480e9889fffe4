"""A temporary folder that does not outlive its program, also if a signal ends that."""

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgediff.run.process import StopSignals

PREFIX = "EDGEDIFF_SCRATCH"  # in the environment: how the name begins, for whoever removes what a kill has left


@contextlib.contextmanager
def scratch_folder(place: str | None = None) -> Iterator[Path]:
    """Yield a new folder in a place, by default that of the system; at the end or at a signal, remove it."""
    try:
        beginning = os.environ.get(PREFIX)
        with StopSignals(_interrupt) as signals, tempfile.TemporaryDirectory(prefix=beginning, dir=place) as folder:
            try:
                yield Path(folder)
            finally:
                signals.on_stop = None  # nothing interrupts the removal
    finally:
        if signals.number:
            signal.raise_signal(signals.number)  # now it does what it would have done


def _interrupt(_) -> None:
    raise KeyboardInterrupt
