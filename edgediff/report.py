"""What a run tells while it goes: progress bar, TensorBoard, a CSV line per epoch and per evaluation."""

import csv
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from edgediff.config import LearnerConfig, WorldConfig
from edgediff.errors import NonFiniteError
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

    def __init__(self, run: Path, epochs: int, metrics: tuple[str, ...]):
        self.bar = tqdm(total=epochs, unit="epoch", dynamic_ncols=True)
        self.learning_since = None  # (epoch, time) of the first gradient step
        self.writer = SummaryWriter(str(run))
        self.tables = {
            "train": Table(run / "train.csv", ("reward", "completion", "latency_s", *metrics)),
            "evaluation": Table(run / "evaluation.csv", SCORES),
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()
        self.writer.close()
        for table in self.tables.values():
            table.file.close()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.bar.write(text)

    def epoch(self, epoch: int, transitions: int, steps: int, decisions: list, metrics: dict[str, float]) -> None:
        """Log an epoch: means over its decisions (reward, completed, delay_s), and over its updates."""
        means = np.mean(decisions, axis=(0, 2)).tolist()
        row = dict(zip(("reward", "completion", "latency_s"), means)) | metrics
        self._log("train", epoch, transitions, steps, row)
        shown = {name: f"{row[name]:.2f}" for name in ("reward", "completion", "loss_q", "loss_d") if name in row}
        self.bar.set_postfix(shown | {"steps": steps}, refresh=False)
        self.bar.update()
        if steps and self.learning_since is None:
            self.learning_since = epoch, time.monotonic()
        elif steps and epoch == self.learning_since[0] + 3:
            per_epoch_s = (time.monotonic() - self.learning_since[1]) / 3
            self.say(f"expected: about {per_epoch_s * (self.bar.total - epoch) / 60:.0f} minutes more")

    def evaluation(self, epoch: int, transitions: int, steps: int, score: dict[str, float]) -> None:
        """Log an evaluation and print it."""
        self._log("evaluation", epoch, transitions, steps, score)
        completion, latency_s, dropped = score["completion"], score["latency_s"], score["dropped"]
        self.say(
            f"epoch {epoch:>4}  held-out traffic: completion {completion:.1%}, reward {score['reward']:+.3f}, "
            f"latency {latency_s:.3f} s, dropped {dropped:.1%}"
        )

    def _log(self, name: str, epoch: int, transitions: int, steps: int, row: dict[str, float]) -> None:
        for key, value in row.items():
            self.writer.add_scalar(f"{name}/{key}", value, transitions)
        self.tables[name].write({"epoch": epoch, "transitions": transitions, "gradient_steps": steps, **row})


class Table:
    """A CSV file that grows by a line at a time, each on disk at once."""

    def __init__(self, path: Path, columns: tuple[str, ...]):
        self.file = path.open("w", newline="")
        self.rows = csv.DictWriter(self.file, ("epoch", "transitions", "gradient_steps", *columns), restval="")
        self.rows.writeheader()

    def write(self, row: dict) -> None:
        """Append a row; what it lacks stays empty."""
        self.rows.writerow(row)
        self.file.flush()
