"""The state of a run: all that its future depends on, saved between two epochs, and put back."""

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch

from edgediff.config import Settings, versions
from edgediff.errors import ConfigError, NonFiniteError, first_line
from edgediff.learner.agent import Agent
from edgediff.learner.replay import Replay
from edgediff.run import files
from edgediff.run.folder import save_state
from edgediff.run.weights import write_weights
from edgediff.world.simulator import Simulator
from edgediff.world.trace import fingerprint


class Stop(Exception):
    """A signal has ended a run, which is saved; `args[0]` is the number of the signal."""


class Parts(NamedTuple):
    """All that changes while a run goes on."""

    simulator: Simulator
    agent: Agent
    memory: Replay
    sampling: torch.Generator


@dataclass
class Progress:
    """How far a run has come: counts up to the last finished epoch, its tables, its best weights."""

    epoch: int = 0
    transitions: int = 0
    steps: int = 0
    best: dict = field(default_factory=lambda: {"reward": float("-inf"), "epoch": 0, "weights": {}})
    tables: dict[str, str] = field(default_factory=dict)  # the texts of train.csv and evaluation.csv
    extended: list[str] = field(default_factory=list)  # what was changed on resume, in words

    def finish_epoch(self, transitions: int, steps: int) -> None:
        """Count an epoch and what it spent."""
        self.epoch, self.transitions, self.steps = self.epoch + 1, self.transitions + transitions, self.steps + steps


def restore(saved: dict, parts: Parts) -> Progress:
    """Put a state into newly built parts; return the progress. `ConfigError` if it does not fit them."""
    try:
        parts.agent.load_snapshot(saved["agent"])
        parts.memory.load_snapshot(saved.pop("memory"))  # by far the largest part
        parts.simulator.load_snapshot(saved["simulator"])
        parts.sampling.set_state(saved["sampling"])
        return Progress(**saved["progress"])
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"resume: the newest state does not fit its own settings ({first_line(error)}); "
                          "move it away to go on from the older") from None  # fmt: skip


class Checkpoints:
    """Saves a run between epochs: at the start, every so many seconds, at the end, and when a signal asks it to stop.

    A context manager. The first SIGINT, SIGTERM or SIGHUP lets the epoch finish and saves; a second one ends the
    process at once, which harms no file. A signal that the process was started to ignore stays ignored.
    """

    SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP

    def __init__(self, run: Path, settings: Settings, identity: str, parts: Parts, progress: Progress):
        self.run, self.settings, self.identity, self.parts, self.progress = run, settings, identity, parts, progress
        self.signal = 0

    def __enter__(self):
        self.save()
        noted = self.settings.as_dict() | {"identity": self.identity, "extended": self.progress.extended}
        files.replace(self.run / "config.json", json.dumps(noted, indent=2).encode())  # for readers only
        given = {number: signal.getsignal(number) for number in self.SIGNALS}
        self.handlers = {number: handler for number, handler in given.items() if handler is not signal.SIG_IGN}
        for number in self.handlers:
            signal.signal(number, self._note)
        return self

    def __exit__(self, kind, error, _):
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        if kind is NonFiniteError:
            at = f"epoch {self.progress.epoch + 1}, after gradient step {self.progress.steps}"
            raise NonFiniteError(f"{error} ({at})") from None
        if self.signal and kind is None:  # it came after the last epoch
            raise Stop(self.signal)

    def _note(self, number: int, _) -> None:
        self.signal = number
        for each in self.handlers:
            signal.signal(each, signal.SIG_DFL)
        with contextlib.suppress(OSError, ValueError):  # a lost display; a handler must not use the buffered stream
            os.write(sys.stderr.fileno(), b"\nstopping after this epoch; a second signal stops at once and loses it\n")

    def after_epoch(self) -> None:
        """Save if it is time; raise `Stop` if a signal has come."""
        due = time.monotonic() - self.saved_at >= self.settings.run.checkpoint_every_s
        if due or self.signal or self.progress.epoch == self.settings.learner.epochs:
            self.save()
        if self.signal:
            raise Stop(self.signal)

    def save(self) -> None:
        """Save the state; then write the weights in it once more, for users: last.pt and best.pt."""
        simulator, agent, memory, sampling = self.parts
        save_state(self.run, self.settings.as_dict() | {
            "identity": self.identity, "versions": versions(), "trace": fingerprint(simulator.trace),
            "progress": vars(self.progress), "agent": agent.snapshot(), "memory": memory.snapshot(),
            "simulator": simulator.snapshot(), "sampling": sampling.get_state(),
        })  # fmt: skip
        best = self.progress.best
        write_weights(self.run / "last.pt", self.settings, self.progress.epoch, agent.weights())
        if best["weights"]:
            write_weights(self.run / "best.pt", self.settings, best["epoch"], best["weights"])
        self.saved_at = time.monotonic()
