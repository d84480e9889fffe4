"""What a run reports: a progress bar, a CSV line per epoch and per evaluation, and TensorBoard curves of both."""

import contextlib
import csv
import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from edgediff.config import Settings
from edgediff.errors import ConfigError, NonFiniteError, first_line
from edgediff.learner.agents import AGENTS
from edgediff.run.atomic import write_atomically
from edgediff.run.folder import Progress
from edgediff.world.rollout import SCORES

COUNTS = "epoch", "transitions", "gradient_steps"
OUTCOMES = {"reward": "reward", "completion": "completed", "latency_s": "delay_s"}  # column: entry of info


def budget(settings: Settings) -> str:
    """Return what a run will spend, in words: transitions, gradient steps, episodes."""
    world, c, _ = settings
    transitions, updates = c.epochs * c.collect_per_epoch, AGENTS[c.agent].gradient_steps(c)
    flows = world.num_slots * world.flows_per_slot
    episodes = round(transitions / flows)
    return (
        f"budget: {c.epochs} epochs x {c.collect_per_epoch} = {transitions:,} transitions "
        f"(about {episodes:,} episode{'s' * (episodes != 1)} of {flows:,.0f} flows), "
        f"{updates:,} gradient steps of {c.batch_size} samples"
    )


def mean_outcome(infos: list[dict]) -> dict[str, float]:
    """Average the outcome of an epoch's decisions."""
    values = np.array([[info[key] for key in OUTCOMES.values()] for info in infos])  # (steps, 3, E)
    return dict(zip(OUTCOMES, values.mean(axis=(0, 2)).tolist(), strict=True))


def mean_metrics(updates: list[dict[str, Tensor]], names: Sequence[str], first_step: int) -> dict[str, float]:
    """Average the metrics of an epoch's updates; raise `NonFiniteError` naming the first bad one and its step.

    LookupError if an update returns other metrics than an agent has promised.
    """
    if not updates:
        return {}
    if set(updates[0]) != set(names):
        raise LookupError(f"metrics: {', '.join(updates[0])} are not {', '.join(names)}")
    values = torch.stack([torch.stack([update[name] for name in names]) for update in updates]).cpu()
    bad = (~torch.isfinite(values)).nonzero()
    if len(bad):
        step, column = bad[0].tolist()
        raise NonFiniteError(f"{names[column]}: {values[step, column].item()} at gradient step {first_step + step}")
    return dict(zip(names, values.mean(dim=0).tolist(), strict=True))


class Report(contextlib.AbstractContextManager):
    """The outputs of a run; a context manager that closes them.

    The texts of the tables are part of the progress, and so of every checkpoint. At the start, CSV files and curves are
    written from them, so that after a kill they are exactly as long as the checkpoint is old. A table or curve that
    cannot be written is named once, and the run goes on.
    """

    def __init__(self, folder: Path, settings: Settings, metrics: tuple[str, ...], progress: Progress):
        self.folder, self.progress, self.epochs = folder, progress, settings.learner.epochs
        self.evaluations = self.epochs // settings.run.eval_every
        self.columns = {"train": (*COUNTS, *OUTCOMES, *metrics), "evaluation": (*COUNTS, *SCORES)}
        self.complaints: set[str] = set()
        self.bar = tqdm(total=self.epochs, initial=min(progress.epoch, self.epochs), unit="epoch", dynamic_ncols=True)
        self.writer: SummaryWriter | None = None
        with self._going_on("tensorboard"):
            for old in (folder / "tensorboard").glob("events.out.tfevents.*.edgediff"):
                old.unlink()
            self.writer = SummaryWriter(str(folder / "tensorboard"), filename_suffix=".edgediff")
        for name, columns in self.columns.items():
            text = progress.tables.setdefault(name, ",".join(columns) + "\n")
            with self._going_on(f"{name}.csv"):
                write_atomically(folder / f"{name}.csv", text.encode())
            for row in csv.DictReader(io.StringIO(text)):
                self._draw(name, row)

        self.since, self.evaluation_s, self.estimated = time.monotonic(), 0.0, False

    def __exit__(self, *_) -> None:
        self.bar.close()
        with self._going_on("tensorboard"):
            if self.writer:
                self.writer.close()

    def epoch(self, row: dict[str, float]) -> None:
        """Log a finished epoch; after the first that has learned, say how long the run will take."""
        if not self.estimated and self.progress.gradient_steps:
            self.estimated = True
            self.bar.write(self._estimate(time.monotonic() - self.since))
        self._log("train", row)
        shown = {name: f"{row[name]:.2f}" for name in ("reward", "completion", "loss_q", "loss_d") if name in row}
        self.bar.set_postfix(shown | {"steps": self.progress.gradient_steps}, refresh=False)
        self.bar.update()
        self.since = time.monotonic()

    def evaluation(self, score: dict[str, float]) -> None:
        """Log an evaluation and print it."""
        self._log("evaluation", score)
        self.bar.write(
            f"epoch {self.progress.epoch:>4}  held-out traffic: completion {score['completion']:.1%}, reward "
            f"{score['reward']:+.3f}, latency {score['latency_s']:.3f} s, dropped {score['dropped']:.1%}"
        )
        self.evaluation_s, self.since = time.monotonic() - self.since, time.monotonic()

    def _estimate(self, epoch_s: float) -> str:
        left = self.epochs - self.progress.epoch
        seconds = left * epoch_s + self.evaluations * self.evaluation_s
        text = f"an epoch takes {epoch_s:.1f} s here"
        if self.evaluation_s:  # none yet in a run that goes on
            text += f", an evaluation {self.evaluation_s:.1f} s"
        return f"{text}: {clock(seconds)} to go"

    def _log(self, name: str, values: dict[str, float]) -> None:
        counts = {count: getattr(self.progress, count) for count in COUNTS}
        line = io.StringIO()
        csv.DictWriter(line, self.columns[name], lineterminator="\n").writerow(counts | values)  # refuses a stranger
        before = self.progress.tables[name]
        self.progress.tables[name] = before + line.getvalue()
        path = self.folder / f"{name}.csv"
        with self._going_on(path.name):
            if path.exists() and path.stat().st_size == len(before.encode()):
                with path.open("a", newline="") as file:
                    file.write(line.getvalue())
            else:  # somebody has removed or changed it
                write_atomically(path, self.progress.tables[name].encode())
        self._draw(name, {column: str(value) for column, value in (counts | values).items()})

    def _draw(self, name: str, row: dict[str, str]) -> None:
        for column, value in row.items():
            if self.writer and column not in COUNTS and value:
                with self._going_on("tensorboard"):
                    self.writer.add_scalar(f"{name}/{column}", float(value), int(row["transitions"]))

    @contextlib.contextmanager
    def _going_on(self, what: str) -> Iterator[None]:
        """Name an output that cannot be written, once, and go on."""
        try:
            yield
        except (OSError, ConfigError) as error:
            if what not in self.complaints:
                self.complaints.add(what)
                self.bar.write(f"note: {what} cannot be written ({first_line(error)}); the run goes on")


def clock(seconds: float) -> str:
    """Return a time in words: 45 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
