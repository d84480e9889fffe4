"""A temporary folder that does not outlive its program, also if a signal ends that."""

import contextlib
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgediff.run.process import StopSignals


@contextlib.contextmanager
def scratch_folder(place: str | None = None) -> Iterator[Path]:
    """Yield a new folder in a place, by default that of the system; at the end or at a signal, remove it."""
    try:
        with StopSignals(_interrupt) as signals, tempfile.TemporaryDirectory(dir=place) as folder:
            try:
                yield Path(folder)
            finally:
                signals.on_stop = None  # nothing interrupts the removal
    finally:
        if signals.number:
            signal.raise_signal(signals.number)  # now it does what it would have done


def _interrupt(_) -> None:
    raise KeyboardInterrupt
