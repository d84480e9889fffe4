"""Drills, `pytest -m drill`: parts of a grid and of the testbed are killed with SIGKILL, a hundred times each."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest
from bed import NO_NUMBERS, children, gone, needs_network

KILLS = 100
pytestmark = pytest.mark.drill
_, skip_without_network = needs_network()


def test_a_grid_whose_jobs_are_killed_has_the_results_of_one_that_was_left_alone(tmp_path):
    """A job that was killed is named as missing, and is done at the next start; nothing of it is left."""
    temporary, killed, rng, kills = tmp_path / "temporary", tmp_path / "killed/smoke", np.random.default_rng(0), 0
    temporary.mkdir()

    def start(results: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "experiments.grid", "smoke", "--results", str(tmp_path / results)]
        environment = os.environ | {"TMPDIR": str(temporary)}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def content(folder) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    assert start("alone").wait(900) == 0
    whole = content(tmp_path / "alone/smoke")
    while kills < KILLS:
        with start("killed") as runner:
            while runner.poll() is None:
                time.sleep(rng.uniform(0, 6))
                for job in children(runner.pid, "-f", "experiments.grid.job")[:1]:
                    with suppress(ProcessLookupError):
                        os.kill(job, signal.SIGKILL)
            kills += (now := runner.stdout.read().count("killed by signal 9"))
        done = content(killed)
        assert done.items() <= whole.items() and len(done) == len(whole) - now and not any(temporary.iterdir())
        if kills < KILLS:
            shutil.rmtree(killed)
    assert start("killed").wait(900) == 0 and content(killed) == whole
    print(f"\ngrid: {kills} kills survived")


@skip_without_network
def test_a_testbed_whose_parts_are_killed_says_so_and_leaves_nothing(bed):
    """Each part in turn, and the testbed itself, after which the next one takes away what is left."""
    rng, ended = np.random.default_rng(0), {}
    for part in ["users", "edge server", "controller", "tc", "testbed"] * (KILLS // 5):
        process = bed.start("--num-slots", "3000")
        pids = bed.playing() | {"testbed": process.pid}
        time.sleep(rng.uniform(0, 1))
        os.kill(pids[part], signal.SIGKILL)
        _, err = process.communicate(timeout=60)
        if part != "testbed":
            assert process.returncode == 1 and err.startswith("testbed: ") and err.count("\n") == 1, err
            assert ("tc, which" if part == "tc" else f"testbed: {part}: ended before its time") in err, err
            assert bed.namespaces() == [] and not bed.folder.exists()
        bed.started.clear()
        until = time.monotonic() + 15
        while not all(map(gone, pids.values())):
            assert time.monotonic() < until, "a process has outlived the testbed"
            time.sleep(0.05)
        ended[part] = ended.get(part, 0) + 1
    last = bed.start("--num-slots", "50")
    _, err = last.communicate(timeout=60)
    assert last.returncode == 0 or err.startswith(NO_NUMBERS), err
    print(f"\ntestbed: {ended}")
