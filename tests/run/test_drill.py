"""The drill: a run is killed with SIGKILL again and again and goes on, and ends with the bits of an untouched one.

`pytest` kills three times, `pytest -m drill` 25 times for every agent and network. Kills come at random moments and at
named points; after each, the newest state must load.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny import TINY, newest, outcome, wait_for

from edgediff import train
from edgediff.learner.agents import AGENTS
from edgediff.run.folder import checkpoints
from edgediff.run.weights import read_weights

# Runs the program in one child process after the other, so that torch is imported once, and ends each with SIGKILL when
# a named point is reached for the n-th time. For each line of JSON it prints the id of the child, then its status.
DRIVER = """
import json, os, signal, sys
from edgediff import train
from edgediff.run import checkpoint, files, folder

for line in sys.stdin:
    point, left, argv = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
os.dup2(os.open(os.devnull, os.O_RDWR), 1)

def reached():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def killed(owner, name, before=True, only=lambda *given: True):
    right = getattr(owner, name)
    def wrapped(*given, **named):
        if before and only(*given):
            reached()
        result = right(*given, **named)
        if not before and only(*given):
            reached()
        return result
    setattr(owner, name, wrapped)

def half_written(path, *parts):
    if left == 1 and "checkpoint-" in path.name:
        path.with_name(f".{path.name}.unfinished").write_bytes(bytes(parts[0])[: len(parts[0]) // 2])
    return "checkpoint-" in path.name

is_checkpoint = lambda source, target: "checkpoint-" in str(target)
if point == "before the rename":
    killed(os, "replace", only=is_checkpoint)
elif point == "after the rename":
    killed(os, "replace", before=False, only=is_checkpoint)
elif point == "in the middle of the write":
    killed(files, "write_atomically", only=half_written)
elif point == "before an old checkpoint goes":
    killed(train.Path, "unlink", only=lambda path, **_: "checkpoint-" in path.name)
elif point == "between the checkpoint and the weights":
    killed(folder.RunFolder, "save", before=False)
elif point == "between last.pt and best.pt":
    killed(checkpoint, "write_weights", before=False, only=lambda path, *_: path.name == "last.pt")
elif point == "during an evaluation":
    killed(train, "score", before=False)
elif point == "while curves and tables are written anew":
    killed(train.Report, "_draw", before=False)
sys.exit(train.run_program("edgediff.train", train.main, argv))
"""
# The kill comes at one of the first so many times that a point is reached:
POINTS = {
    "before the rename": 5,
    "after the rename": 5,
    "in the middle of the write": 5,
    "before an old checkpoint goes": 5,
    "between the checkpoint and the weights": 5,
    "between last.pt and best.pt": 5,
    "during an evaluation": 2,
    "while curves and tables are written anew": 9,
    "at a random moment": 1,
}


@pytest.fixture
def driver(tmp_path):
    """A process that runs the program as often as it is told to."""
    command = [sys.executable, "-c", DRIVER]
    with subprocess.Popen(command, cwd=tmp_path, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.stdin.close()


def kill_once(driver, folder, argv, point, rng) -> bool:
    """Start or go on, and kill at a point; tell whether that was before the end."""
    there = (folder / "b").exists
    before = checkpoints(folder / "b") if there() else []
    print(json.dumps([point, int(rng.integers(POINTS[point])) + 1, argv]), file=driver.stdin, flush=True)
    child = int(driver.stdout.readline())
    if point == "at a random moment":
        wait_for(lambda: there() and checkpoints(folder / "b") != before)
        time.sleep(rng.uniform(0, 0.2))
        with contextlib.suppress(ProcessLookupError):  # it has come to its end
            os.kill(child, signal.SIGKILL)
    status = int(driver.stdout.readline())
    assert status in (0, -signal.SIGKILL)
    return status != 0


def drill(call, driver, folder, kills, seed, *flags):
    """Kill a run so many times; compare its end with that of an untouched one; return the points tried."""
    rng, tried = np.random.default_rng(seed), []
    settings = [*TINY, "--checkpoint-every-s", "0", "--epochs", str(6 * kills), *flags]  # for all kills
    assert call(train, "--run", "a", *settings)[0] == 0
    argv = anew = ["--run", "b", *settings]
    for point in [*rng.permutation(list(POINTS)), *rng.choice(list(POINTS), kills)][:kills]:
        if kill_once(driver, folder, argv, point, rng):
            tried.append(point)
        argv = ["--resume", "b"]
        if not checkpoints(folder / "b"):  # killed before its first state: there is nothing to go on from
            shutil.rmtree(folder / "b")
            argv = anew
        elif newest(folder / "b") and (folder / "b/last.pt").exists():
            assert read_weights(folder / "b/last.pt")
    assert call(train, *argv)[0] == 0
    assert outcome(folder / "a") == outcome(folder / "b")
    assert not list((folder / "b").glob("*.unfinished"))
    return tried


@pytest.mark.slow
def test_three_kills(call, driver, tmp_path):
    assert len(drill(call, driver, tmp_path, 3, 1, "--agent", "dqn")) == 3


@pytest.mark.drill
@pytest.mark.parametrize("network", ["mlp", "shared"])
@pytest.mark.parametrize("agent", AGENTS)
def test_twenty_five_kills(call, driver, tmp_path, agent, network):
    flags = ["--agent", agent, "--network", network, *["--critic", "priced"] * (network == "shared")]
    tried = drill(call, driver, tmp_path, 25, len(agent), *flags)
    print(f"\n{agent}, {network}: {len(tried)} kills survived")
    assert len(tried) == 25 and set(tried) == set(POINTS)
