"""What a run tells while it goes: progress bar, TensorBoard, a CSV line per epoch and per evaluation."""

import csv
import io
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from edgediff.checkpoint import Progress
from edgediff.config import LearnerConfig, WorldConfig
from edgediff.errors import ConfigError, NonFiniteError
from edgediff.rollout import SCORES


def budget(world: WorldConfig, config: LearnerConfig) -> str:
    """Say before training what will be spent: transitions, gradient steps, episodes."""
    transitions = config.epochs * config.collect_per_epoch
    if config.agent == "ppo":
        updates = config.epochs * config.passes * math.ceil(config.collect_per_epoch / config.batch_size)
    else:
        warm_up = math.ceil(config.batch_size / config.collect_per_epoch) - 1  # epochs before the buffer holds a batch
        updates = (config.epochs - warm_up) * config.updates_per_epoch
    flows = world.num_slots * world.flows_per_slot
    return (f"budget: {config.epochs} epochs x {config.collect_per_epoch} = {transitions:,} transitions "
            f"(about {transitions / flows:,.0f} episodes of {flows:,.0f} flows), "
            f"{updates:,} gradient steps of {config.batch_size} samples")  # fmt: skip


def mean_of_updates(updates: list[dict[str, Tensor]], first_step: int) -> dict[str, float]:
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
    """The open outputs of a run; a context manager that closes them."""

    def __init__(self, run: Path, config: LearnerConfig, metrics: tuple[str, ...], epoch: int, tables: dict[str, str]):
        """Open the outputs at an epoch; `tables` holds the CSV texts up to it, {} at the start of a run."""
        columns = {"train": ("reward", "completion", "latency_s", *metrics), "evaluation": SCORES}
        columns = {name: ("epoch", "transitions", "gradient_steps", *given) for name, given in columns.items()}
        if any(not text.startswith(",".join(columns[name]) + "\r\n") for name, text in tables.items()):
            raise ConfigError("resume: the state does not fit its own settings (tables with other columns)")
        done = max(epoch - 1, 0)
        self.bar = tqdm(total=config.epochs, initial=min(done, config.epochs), unit="epoch", dynamic_ncols=True)
        self.learning_since = None  # (epoch, time) of the first gradient step
        # TensorBoard forgets what a killed run logged beyond the state that it goes on from.
        self.writer = SummaryWriter(str(run), purge_step=done * config.collect_per_epoch + 1 if epoch else 0)
        self.tables = {name: Table(run / f"{name}.csv", columns[name], tables.get(name, "")) for name in columns}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()
        self.writer.close()
        for table in self.tables.values():
            table.file.close()

    def texts(self) -> dict[str, str]:
        """Return the CSV texts; what TensorBoard was told has then left this process."""
        self.writer.flush()
        return {name: table.text.getvalue() for name, table in self.tables.items()}

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.bar.write(text)

    def epoch(self, at: Progress, metrics: dict[str, float]) -> None:
        """Log a finished epoch: means over its decisions (reward, completed, delay_s), and over its updates."""
        epoch, steps = at.epoch, at.steps
        means = np.mean(at.decisions, axis=(0, 2)).tolist()
        row = dict(zip(("reward", "completion", "latency_s"), means)) | metrics
        self._log("train", at, row)
        shown = {name: f"{row[name]:.2f}" for name in ("reward", "completion", "loss_q", "loss_d") if name in row}
        self.bar.set_postfix(shown | {"steps": steps}, refresh=False)
        self.bar.update()
        if steps and self.learning_since is None:
            self.learning_since = epoch, time.monotonic()
        elif steps and epoch == self.learning_since[0] + 3:
            per_epoch_s = (time.monotonic() - self.learning_since[1]) / 3
            self.say(f"expected: about {per_epoch_s * (self.bar.total - epoch) / 60:.0f} minutes more")

    def evaluation(self, at: Progress, score: dict[str, float]) -> None:
        """Log an evaluation and print it."""
        self._log("evaluation", at, score)
        completion, latency_s, dropped = score["completion"], score["latency_s"], score["dropped"]
        self.say(
            f"epoch {at.epoch:>4}  held-out traffic: completion {completion:.1%}, reward {score['reward']:+.3f}, "
            f"latency {latency_s:.3f} s, dropped {dropped:.1%}"
        )

    def _log(self, name: str, at: Progress, row: dict[str, float]) -> None:
        for key, value in row.items():
            self.writer.add_scalar(f"{name}/{key}", value, at.transitions)
        self.tables[name].write({"epoch": at.epoch, "transitions": at.transitions, "gradient_steps": at.steps, **row})


class Table:
    """A CSV file that grows by a line at a time, each on disk at once."""

    def __init__(self, path: Path, columns: tuple[str, ...], text: str):
        """Start with the header, or with the `text` of a run that goes on."""
        beside, self.text = path.with_name(path.name + ".tmp"), io.StringIO(newline="")
        self.file = beside.open("w", newline="")
        self.rows = csv.DictWriter(self.text, columns, restval="")
        self.text.write(text)
        if not text:
            self.rows.writeheader()
        self._append(self.text.getvalue())
        os.replace(beside, path)

    def write(self, row: dict) -> None:
        """Append a row; what it lacks stays empty."""
        end = self.text.tell()
        self.rows.writerow(row)
        self._append(self.text.getvalue()[end:])

    def _append(self, text: str) -> None:
        self.file.write(text)
        self.file.flush()
