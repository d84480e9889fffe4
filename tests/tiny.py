"""What the tests of runs share: tiny settings, the programs as processes, and all that a run has led to."""

import csv
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import torch

from edgediff.run import files
from edgediff.run.folder import KIND, checkpoints
from edgediff.run.weights import WEIGHTS, read_weights

# Episodes of 15 slots end while collecting, the ring of 60 transitions is written over, PPO shuffles three times.
TINY = """--epochs 4 --collect-per-epoch 20 --num-envs 4 --updates-per-epoch 3 --batch-size 16 --hidden 8
 --ppo-passes 3 --d2sac-denoising-steps 2 --eval-every 2 --eval-episodes 2 --final-episodes 2 --num-slots 15
 --buffer-size 60""".split()
TRAIN = [sys.executable, "-m", "edgediff.train"]
EVALUATE = [sys.executable, "-m", "edgediff.evaluate"]
LOG = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(
    f"2024-05-10 00:00:{k:02d}.5,{100 + 7 * k},{1 + k % 5}\n" for k in range(50)
)


def newest(run) -> dict:
    """Return the newest state of a run."""
    return files.read(checkpoints(run)[-1], KIND)


def rows(path) -> list[dict]:
    """Return the rows of a table."""
    with open(path) as file:
        return list(csv.DictReader(file))


def points(run) -> dict:
    """Return the points of all TensorBoard curves of a run."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # a second

    curves = EventAccumulator(str(run / "tensorboard")).Reload()
    return {tag: [(e.step, e.value) for e in curves.Scalars(tag)] for tag in curves.Tags()["scalars"]}


def contents(folder) -> dict:
    """Return the bytes of every file in a folder."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def digest(content) -> str:
    """Return the SHA-256 of nested content, tensors by their bytes."""
    sha = hashlib.sha256()

    def add(value):
        if isinstance(value, dict):
            for key in sorted(value):
                sha.update(key.encode())
                add(value[key])
        elif isinstance(value, (list, tuple)):
            sha.update(str(len(value)).encode())
            for each in value:
                add(each)
        elif isinstance(value, torch.Tensor):
            sha.update(f"{value.dtype}{tuple(value.shape)}".encode() + value.contiguous().numpy().tobytes())
        else:
            sha.update(repr(value).encode())

    add(content)
    return sha.hexdigest()


def outcome(run) -> dict:
    """Return all that a run has led to, but for its identity: newest checkpoint, tables, curves, weights."""
    saved = {"checkpoint": newest(run)} | {name: files.read(run / name, WEIGHTS) for name in ("last.pt", "best.pt")}
    digests = {name: digest({**content, "identity": ""}) for name, content in saved.items()}
    tables = {name: (run / name).read_text() for name in ("train.csv", "evaluation.csv")}
    return digests | tables | {"points": points(run)}


def process_state() -> dict:
    """Return what a library must not change of its process."""
    return {
        "threads": torch.get_num_threads(),
        "denormal numbers": (torch.tensor(1e-40) * 1.0).item(),
        "precision": torch.get_float32_matmul_precision(),
        "generators": (torch.get_rng_state().tolist(), str(np.random.get_state())),  # noqa: NPY002
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "environment": dict(os.environ),
        "streams": (sys.stdout, sys.stderr, threading.excepthook),
    }


def wait_for(condition) -> None:
    """Return once a condition holds, within a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def start(folder) -> subprocess.Popen:
    """Start a run r that would take hours; return once it has been through two epochs."""
    process = subprocess.Popen([*TRAIN, "--run", "r", *TINY, "--epochs", "100000"], cwd=folder, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    table = folder / "r/train.csv"
    wait_for(lambda: table.exists() and len(table.read_text().splitlines()) > 2)
    return process


def at_import(module, code, folder) -> dict[str, str]:
    """Return the environment of a Python that runs a line of code when a module is first looked for."""
    (folder / "sitecustomize.py").write_text(f"""
import os, sys
class First:
    def find_spec(self, name, *_):
        if name == {module!r}:
            sys.meta_path.remove(self)
            {code}
sys.meta_path.insert(0, First())
""")
    return os.environ | {"PYTHONPATH": str(folder)}


def shell(folder, line: str, **env) -> subprocess.CompletedProcess:
    """Run a line of bash as a user would, with $TRAIN, $EVALUATE and $TINY; every part of a pipe counts."""
    names = {"TRAIN": " ".join(TRAIN), "EVALUATE": " ".join(EVALUATE), "TINY": " ".join(TINY)}
    return subprocess.run(["bash", "-o", "pipefail", "-c", line], cwd=folder, env=os.environ | names | env,
                          capture_output=True, text=True, errors="surrogateescape", timeout=120)  # fmt: skip


FILES = {"lock", "checkpoint-000001.pt", "checkpoint-000002.pt", "last.pt", "best.pt", "config.json", "train.csv",
         "evaluation.csv", "tensorboard"}  # fmt: skip


def complete(folder) -> int:
    """Check that a run folder is whole; return its last epoch."""
    assert set(os.listdir(folder)) == FILES
    assert newest(folder)["progress"]["epoch"] == len(rows(folder / "train.csv")) == read_weights(folder / "last.pt")[1]
    return newest(folder)["progress"]["epoch"]


def is_caught(process, number):
    """Tell whether a process has a handler for a signal; afterwards, the default of the system holds."""
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{process.pid}/status").read_text())[1]
    return int(caught, 16) >> number - 1 & 1
