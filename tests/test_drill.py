"""The drill: a run is killed with SIGKILL again and again and goes on, and ends with the bits of an untouched one.

`pytest` kills three times, `pytest -m drill` thirty times and every agent. Kills come at random moments and at named
points; after each, the last state must load.
"""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from test_resume import TINY, outcome

from edgediff.agents import CLASSES
from edgediff.runfolder import generations, newest_state
from edgediff.weights import load_weights

RUN = [*TINY, "--checkpoint-every-s", "0"]  # saves after every step

# Runs the program and ends it with SIGKILL when a named point is reached for the n-th time.
DRIVER = """
import os, signal, sys
from edgediff import commandline, storage, train

point, left, argv = sys.argv[1], int(sys.argv[2]), sys.argv[3:]

def reached():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def killed(module, name, before=True, only=lambda *given: True):
    right = getattr(module, name)
    def wrapped(*given, **named):
        if before and only(*given):
            reached()
        result = right(*given, **named)
        if not before and only(*given):
            reached()
        return result
    setattr(module, name, wrapped)

is_state = lambda source, target: "state-" in str(target)
if point == "before the rename":
    killed(os, "replace", only=is_state)
elif point == "after the rename":
    killed(os, "replace", before=False, only=is_state)
elif point == "in the middle of the write":
    killed(storage._Hashing, "write", before=False)
elif point == "before the old generation goes":
    killed(train.Path, "unlink")
elif point == "during evaluation":
    killed(train, "compare", before=False)
elif point == "between the weights and the state":
    killed(train, "save_weights", before=False)
sys.exit(commandline.guard("edgediff.train", train.main, argv))
"""
POINTS = ["before the rename", "after the rename", "in the middle of the write", "before the old generation goes",
          "during evaluation", "between the weights and the state", "at a random moment"]  # fmt: skip
# The kill comes at one of the first five times that the point is reached; where these are many, or take long:
WITHIN = {"in the middle of the write": 400, "during evaluation": 1, "between the weights and the state": 1}


def start(folder, argv, point="", count=0):
    command = [sys.executable, "-c", DRIVER, point, str(count), *argv]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill_once(folder, argv, point, rng) -> bool:
    """Start or go on, and kill at a point; tell whether that was before the end."""
    before = [path.name for path in generations(folder / "b")] if (folder / "b").exists() else []
    process = start(folder, argv, point, int(rng.integers(WITHIN.get(point, 5))) + 1)
    if point == "at a random moment":
        while process.poll() is None and (
            not (folder / "b").exists() or [path.name for path in generations(folder / "b")] == before
        ):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.2))
        process.kill()
    _, err = process.communicate(timeout=120)
    assert process.returncode in (0, -9), err.decode()
    return process.returncode == -9


def drill(folder, agent, kills, seed):
    """Kill a run so many times; compare its end with that of an untouched one; return the points tried."""
    rng, tried = np.random.default_rng(seed), []
    settings = [*RUN, "--agent", agent, "--epochs", str(4 + 2 * kills)]  # long enough for all of them
    assert start(folder, ["--run", "a", *settings]).wait(120) == 0
    argv = ["--run", "b", *settings]
    points = [*rng.permutation(POINTS), *rng.choice(POINTS, kills)][:kills]
    for point in points:
        if kill_once(folder, argv, point, rng):
            tried.append(point)
        if generations(folder / "b"):
            assert newest_state(folder / "b") and load_weights(folder / "b/last.pt")
            argv = ["--resume", "b"]
    assert start(folder, argv).wait(120) == 0
    assert outcome(folder / "a") == outcome(folder / "b")
    assert not list((folder / "b").glob("*.tmp")), os.listdir(folder / "b")
    return tried


def test_three_kills(tmp_path):
    assert len(drill(tmp_path, "d2sac", 3, seed=1)) == 3


@pytest.mark.drill
@pytest.mark.parametrize("agent", CLASSES)
def test_thirty_kills(tmp_path, agent):
    tried = drill(tmp_path, agent, 30, seed=len(agent))
    print(f"\n{agent}: {len(tried)} kills survived")
    assert len(tried) == 30 and set(tried) == set(POINTS)
