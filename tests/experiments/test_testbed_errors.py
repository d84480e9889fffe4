"""What the testbed refuses, in one line each, before it touches anything."""

import fcntl
import sys
import tempfile
from pathlib import Path

import pytest

from edgediff.errors import ConfigError
from experiments.testbed import __main__ as testbed
from experiments.testbed import network
from experiments.testbed.plan import Plan

PLAN = Plan("x", [1e6])


@pytest.fixture(autouse=True)
def untouched(monkeypatch, tmp_path):
    """Let no test build a network, and keep the files of all in a folder that must be empty in the end."""
    monkeypatch.setattr(network, "NETNS", tmp_path / "netns")
    monkeypatch.setattr(network, "run", lambda command: pytest.fail(f"{command} was run"))
    folder = tmp_path / "files"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "flags, words",
    [
        (["nobody"], "scheduler: 'nobody' is neither the folder of a run nor one of round-robin,"),
        (["greedy", "--queue", "all"], "queue: 'all' is not one of fifo, unsent"),
        (["greedy", "--name", "../x"], "name: '../x' is not up to 30 of a-z, 0-9 and -, with a letter first"),
        (["greedy", "--load", "0"], "load: 0.0 is not a number from"),
        (["greedy", "--num-gateways", "257"], "num_gateways: 257 is not a whole number from 1 to 256"),
        (["greedy", "--output", "."], "output: . exists"),
        (["greedy", "--output", "nowhere/a.csv"], "output: nowhere is no folder that can be written to"),
    ],
)
def test_bad_flags(call, flags, words):
    status, out, err = call(testbed, *flags)
    assert status == 2 and not out and words in err and err.count("\n") == 1


def test_a_run_of_another_number_of_gateways(call, finished):
    status, out, err = call(testbed, finished, "--num-gateways", "4")
    assert (status, out) == (2, "") and "num_gateways: 4 is not 8, as in the run, whose network is mlp\n" in err


def test_a_folder_that_is_no_run(call, tmp_path):
    status, out, err = call(testbed, tmp_path)
    assert (status, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("missing", ["ip", "tc"])
def test_a_program_is_missing(call, monkeypatch, missing):
    monkeypatch.setattr(network.shutil, "which", lambda program: None if program == missing else program)
    status, out, err = call(testbed, "greedy")
    assert (status, out) == (2, "")
    assert err.endswith(f"system: {missing} is missing; the testbed needs Linux, iproute2, procps and util-linux\n")


def test_neither_root_nor_user_namespaces(call, monkeypatch):
    monkeypatch.setattr(network.shutil, "which", lambda program: program)
    monkeypatch.setattr(network, "_error", lambda command: "unshare: unshare failed: Operation not permitted")
    status, out, err = call(testbed, "greedy")
    assert (status, out) == (2, "")
    assert "system: neither root nor user namespaces may make a network here (unshare: unshare failed" in err


def test_ctrl_c_does_not_reach_a_command_that_builds_the_network():
    alone = "import os, sys; sys.exit(None if os.getsid(0) == os.getpid() else 'in the session of the testbed')"
    assert network._error([sys.executable, "-c", alone]) == ""
    assert network._error([sys.executable, "-c", "import sys; sys.exit('why\\nand how')"]) == "why"


def test_a_name_that_a_running_testbed_has(tmp_path):
    folder = tmp_path / "files/x-testbed"
    folder.mkdir()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="name: 'x' is taken by a testbed that runs"), network.reserved(PLAN):
            pass
        assert (folder / "lock").exists()  # it is not disturbed
        (folder / "lock").unlink()
    folder.rmdir()


def test_a_name_that_somebody_elses_namespace_has(tmp_path):
    (tmp_path / "netns").mkdir()
    (tmp_path / "netns/x-server").touch()
    words = "name: a network namespace x-server exists that no testbed has made"
    with pytest.raises(ConfigError, match=words), network.reserved(PLAN):
        pass


def test_a_folder_that_is_a_link(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = Path(tempfile.gettempdir()) / "x-testbed"
    link.symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="belongs to somebody else"), network.reserved(PLAN):
        pass
    link.unlink()


def test_files_of_a_testbed_that_was_killed_are_removed_and_the_folder_goes_in_the_end(tmp_path):
    folder = tmp_path / "files/x-testbed"
    folder.mkdir()
    (folder / "controller.sock").touch()
    with network.reserved(PLAN) as given:
        assert given == folder and [path.name for path in folder.iterdir()] == ["lock"]
