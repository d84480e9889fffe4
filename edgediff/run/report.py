"""What a run reports: a progress bar, a CSV line per epoch and per evaluation, and TensorBoard curves of both."""

import csv
import io
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from edgediff.config import Settings
from edgediff.errors import NonFiniteError
from edgediff.run import files
from edgediff.run.checkpoint import Progress
from edgediff.world.rollout import SCORES

COUNTS = "epoch", "transitions", "gradient_steps"
OUTCOMES = {"reward": "reward", "completion": "completed", "latency_s": "delay_s"}  # column: entry of info


def budget(settings: Settings) -> str:
    """Return what a run will spend, in words: transitions, gradient steps, episodes."""
    world, c, _ = settings
    transitions = c.epochs * c.collect_per_epoch
    if c.agent == "ppo":
        updates = c.epochs * c.ppo_passes * math.ceil(c.collect_per_epoch / c.batch_size)
    else:
        warm_up = math.ceil(c.batch_size / c.collect_per_epoch) - 1  # epochs before the buffer holds a batch
        updates = (c.epochs - warm_up) * c.updates_per_epoch
    flows = world.num_slots * world.flows_per_slot
    return (f"budget: {c.epochs} epochs x {c.collect_per_epoch} = {transitions:,} transitions "
            f"(about {transitions / flows:,.0f} episodes of {flows:,.0f} flows), "
            f"{updates:,} gradient steps of {c.batch_size} samples")  # fmt: skip


def mean_outcome(infos: list[dict]) -> dict[str, float]:
    """Average the outcome of an epoch's decisions."""
    values = np.array([[info[key] for key in OUTCOMES.values()] for info in infos])  # (steps, 3, E)
    return dict(zip(OUTCOMES, values.mean(axis=(0, 2)).tolist()))


def mean_metrics(updates: list[dict[str, Tensor]], first_step: int) -> dict[str, float]:
    """Average the metrics of an epoch's updates; raise `NonFiniteError` naming the first bad one and its step."""
    if not updates:
        return {}
    names = list(updates[0])
    values = torch.stack([torch.stack(list(update.values())) for update in updates]).cpu()
    bad = (~torch.isfinite(values)).nonzero()
    if len(bad):
        step, column = bad[0].tolist()
        raise NonFiniteError(f"{names[column]}: {values[step, column].item()} at gradient step {first_step + step}")
    return dict(zip(names, values.mean(dim=0).tolist()))


class Report:
    """The open outputs of a run; a context manager that closes them.

    The texts of the tables are part of the progress, and so of every state. At the start, CSV files and TensorBoard
    curves are written from them, so that after a kill they are exactly as long as the state is old.
    """

    def __init__(self, run: Path, settings: Settings, metrics: tuple[str, ...], progress: Progress):
        self.progress = progress
        self.columns = {"train": (*COUNTS, *OUTCOMES, *metrics), "evaluation": (*COUNTS, *SCORES)}
        for old in (run / "tensorboard").glob("events.out.tfevents.*.edgediff"):
            old.unlink()
        self.writer = SummaryWriter(str(run / "tensorboard"), filename_suffix=".edgediff")
        self.files = {}
        for name, columns in self.columns.items():
            text = progress.tables.setdefault(name, ",".join(columns) + "\r\n")
            files.replace(run / f"{name}.csv", text.encode())
            self.files[name] = (run / f"{name}.csv").open("a", newline="")
            for row in csv.DictReader(io.StringIO(text)):
                self._draw(name, row)
        epochs = settings.learner.epochs
        self.bar = tqdm(total=epochs, initial=min(progress.epoch, epochs), unit="epoch", dynamic_ncols=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()
        self.writer.close()
        for file in self.files.values():
            file.close()

    def epoch(self, row: dict[str, float]) -> None:
        """Log a finished epoch."""
        self._log("train", row)
        shown = {name: f"{row[name]:.2f}" for name in ("reward", "completion", "loss_q", "loss_d") if name in row}
        self.bar.set_postfix(shown | {"steps": self.progress.steps}, refresh=False)
        self.bar.update()

    def evaluation(self, score: dict[str, float]) -> None:
        """Log an evaluation and print it."""
        self._log("evaluation", score)
        self.bar.write("epoch {:>4}  held-out traffic: completion {completion:.1%}, reward {reward:+.3f}, latency "
                       "{latency_s:.3f} s, dropped {dropped:.1%}".format(self.progress.epoch, **score))  # fmt: skip

    def _log(self, name: str, values: dict[str, float]) -> None:
        counts = dict(zip(COUNTS, (self.progress.epoch, self.progress.transitions, self.progress.steps)))
        row = {column: str((counts | values).get(column, "")) for column in self.columns[name]}
        line = ",".join(row.values()) + "\r\n"
        self.progress.tables[name] += line
        self.files[name].write(line)
        self.files[name].flush()
        self._draw(name, row)

    def _draw(self, name: str, row: dict[str, str]) -> None:
        for column, value in row.items():
            if column not in COUNTS and value:
                self.writer.add_scalar(f"{name}/{column}", float(value), int(row["transitions"]))
