"""The checkpoint of a run: all that its future depends on, saved between two epochs, and put back."""

import contextlib
import json
import os
import sys
import time
from typing import NamedTuple, NoReturn

import torch

from edgediff.config import Settings
from edgediff.errors import ConfigError, NonFiniteError, first_line
from edgediff.learner.agent import Agent
from edgediff.learner.replay import Replay
from edgediff.run.atomic import write_atomically
from edgediff.run.folder import Progress, RunFolder, versions
from edgediff.run.process import StopSignals
from edgediff.run.weights import write_weights
from edgediff.world.log import fingerprint
from edgediff.world.simulator import Simulator


class Stop(Exception):
    """A signal has ended a run, which is saved; `args[0]` is the number of the signal."""


def stop(number: int) -> NoReturn:
    """Raise `Stop`: what a signal does before the first checkpoint and after the last."""
    raise Stop(number)


class Training(NamedTuple):
    """What training works with, and changes."""

    simulator: Simulator
    agent: Agent
    memory: Replay
    sampling: torch.Generator


def restore(saved: dict, parts: Training) -> Progress:
    """Put a checkpoint into newly built parts; return the progress. `ConfigError` if it does not fit them."""
    try:
        parts.agent.load_snapshot(saved["agent"])
        parts.memory.load_snapshot(saved.pop("memory"))  # by far the largest part
        parts.simulator.load_snapshot(saved["simulator"])
        parts.sampling.set_state(saved["sampling"])
        return Progress(**saved["progress"])
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"resume: the newest checkpoint does not fit its own settings ({first_line(error)}); "
            "move it away to go on from the older"
        ) from None


class Checkpointer:
    """Saves a run between epochs: at the start, every so many seconds, at the end, and when a signal asks it to stop.

    A context manager. A program gives its `signals`: the first one then lets the epoch finish and saves; a second one
    ends the process at once, which harms no file. Without them, no signal is touched.
    """

    def __init__(
        self, folder: RunFolder, settings: Settings, parts: Training, progress: Progress, signals: StopSignals | None
    ):
        self.folder, self.settings, self.parts, self.progress = folder, settings, parts, progress
        self.signals = signals or StopSignals()
        self.log = fingerprint(parts.simulator.log)

    def __enter__(self) -> "Checkpointer":
        self.save()
        noted = self.settings.as_dict() | {"identity": self.folder.identity, "extended": self.progress.extended}
        try:  # for readers; no program needs it
            write_atomically(self.folder.path / "config.json", json.dumps(noted, indent=2).encode())
        except ConfigError as error:
            print(f"note: {error}; the run goes on", file=sys.stderr)
        self.outside, self.signals.on_stop = self.signals.on_stop, _say_stopping
        return self

    def __exit__(self, kind, error, _) -> None:
        self.signals.on_stop = self.outside
        if kind is NonFiniteError:
            at = f"epoch {self.progress.epoch + 1}, after gradient step {self.progress.gradient_steps}"
            raise NonFiniteError(f"{error} ({at})") from None
        if self.signals.number and kind is None:  # it came after the last epoch
            raise Stop(self.signals.number)

    def after_epoch(self) -> None:
        """Save if it is time; raise `Stop` if a signal has come."""
        due = time.monotonic() - self.saved_at >= self.settings.run.checkpoint_every_s
        if due or self.signals.number or self.progress.epoch == self.settings.learner.epochs:
            self.save()
        if self.signals.number:
            raise Stop(self.signals.number)

    def save(self) -> None:
        """Save a checkpoint; then write the weights in it once more, for users: last.pt and best.pt."""
        simulator, agent, memory, sampling = self.parts
        path, identity, best = self.folder.path, self.folder.identity, self.progress.best
        content = {
            "identity": identity,
            "versions": versions(),
            "trace": self.log,
            "progress": vars(self.progress),
            "agent": agent.snapshot(),
            "memory": memory.snapshot(),
            "simulator": simulator.snapshot(),
            "sampling": sampling.get_state(),
        }
        self.folder.save(self.settings.as_dict() | content)
        write_weights(path / "last.pt", self.settings, identity, self.progress.epoch, agent.weights())
        if best["weights"]:
            write_weights(path / "best.pt", self.settings, identity, best["epoch"], best["weights"])
        self.saved_at = time.monotonic()


def _say_stopping(_: int) -> None:
    """Say what a signal does. It runs in a signal handler, which must not use the buffered stream."""
    with contextlib.suppress(OSError, ValueError):  # the display may be lost
        os.write(sys.stderr.fileno(), b"\nstopping after this epoch; a second signal stops at once and loses it\n")
