"""The testbed on the real kernel, with a name of its own; skipped where no network namespace can be made."""

import csv
import os
import signal
import time

import numpy as np
import pytest
from bed import NO_NUMBERS, gone, needs_network

pytestmark = needs_network()


def test_flows_on_idle_links_take_the_time_of_their_grant(bed, tmp_path):
    for trial in range(2):
        output = tmp_path / f"{trial}.csv"
        first = bed.start("--num-slots", "200", "--load", "0.2", "--output", output)
        out, err = first.communicate(timeout=120)
        if first.returncode == 0:
            break
        assert err.startswith(NO_NUMBERS), err
    else:
        pytest.skip(err)
    assert "in the kernel" in out and "2 links of 50 to 200 Mbit/s" in out
    with output.open(newline="") as file:
        flows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    large = [flow for flow in flows if flow["data_bits"] > 1e6 and not flow["dropped"]]
    ratio = [(flow["arrived_s"] - flow["begun_s"]) * flow["rate_bps"] / flow["data_bits"] for flow in large]
    assert len(ratio) > 10 and np.median(ratio) == pytest.approx(1, abs=0.1)


def test_after_a_kill_no_process_lives_and_the_next_start_cleans_up(bed):
    killed = bed.start("--num-slots", "3000")
    pids = bed.playing()
    killed.kill()
    killed.communicate()
    limit_s = time.monotonic() + 10
    while not all(map(gone, pids.values())):
        assert time.monotonic() < limit_s, "a process has outlived the testbed"
        time.sleep(0.1)
    assert bed.folder.exists()
    _, err = bed.start("--num-slots", "50").communicate(timeout=60)
    assert bed.started[-1].returncode == 0 or err.startswith(NO_NUMBERS), err


def test_more_connections_than_a_shell_allows_files(bed):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (150, hard))
    try:
        process = bed.start("--num-slots", "50")  # 192 connections
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0 or err.startswith(NO_NUMBERS), err


@pytest.mark.parametrize("part", ["edge server", "controller"])
def test_a_part_that_is_killed_ends_all(bed, part):
    process = bed.start("--num-slots", "3000")
    os.kill(bed.playing()[part], signal.SIGKILL)
    assert process.communicate(timeout=30)[1] == f"testbed: {part}: ended before its time (killed by SIGKILL)\n"
    assert process.returncode == 1


def test_nobody_else_gets_the_name_and_ctrl_c_takes_the_network_down(bed):
    process = bed.start("--num-slots", "6000")
    pids = bed.playing()
    _, err = bed.start("--num-slots", "50").communicate(timeout=60)
    assert err == f"testbed: name: '{bed.name}' is taken by a testbed that runs; give another --name\n"
    assert bed.started[-1].returncode == 2 and process.poll() is None and not any(map(gone, pids.values()))
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[1] == "testbed: stopped by a signal; the network is taken down\n"
    assert process.returncode == 130
