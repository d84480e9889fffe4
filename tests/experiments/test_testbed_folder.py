"""The folder of a testbed, which keeps its name for it: what is in the way is refused, and left as it is."""

import fcntl
import sys
import tempfile
from pathlib import Path

import pytest

from edgediff.errors import ConfigError
from experiments.testbed import network
from experiments.testbed.plan import Plan

PLAN = Plan("x", [1e6])
pytestmark = pytest.mark.usefixtures("no_network")


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
    words = "name: a network namespace x-server exists, which no testbed .* remove it: ip netns delete x-server"
    with pytest.raises(ConfigError, match=words), network.reserved(PLAN):
        pass


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux lists namespaces in /proc")
def test_a_leftover_namespace_that_this_process_runs_in_is_not_removed(tmp_path):
    """Its processes would be killed: also this one, and the shell that has started it."""
    (tmp_path / "netns").mkdir()
    (tmp_path / "netns/x-users").symlink_to("/proc/self/ns/net")
    folder = tmp_path / "files/x-testbed"
    folder.mkdir()
    for name in ("lock", "made"):
        (folder / name).touch()
    with pytest.raises(ConfigError, match="name: x-users is to be removed, and this process runs in it"):
        with network.reserved(PLAN):
            pass
    assert {path.name for path in folder.iterdir()} == {"lock", "made"}  # a start from elsewhere needs them
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


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
    (folder / "lock").touch()
    (folder / "controller.sock").touch()
    with network.reserved(PLAN) as given:
        assert given == folder and [path.name for path in folder.iterdir()] == ["lock"]


def test_a_folder_that_no_testbed_has_made_is_not_touched(tmp_path):
    notes = tmp_path / "files/x-testbed/notes.txt"
    notes.parent.mkdir()
    notes.write_text("mine")
    with pytest.raises(ConfigError, match="no testbed has made .*/x-testbed"), network.reserved(PLAN):
        pass
    assert notes.read_text() == "mine"
    notes.unlink()
    notes.parent.rmdir()


def test_a_file_with_the_name_of_the_folder_is_not_touched(tmp_path):
    (tmp_path / "files/x-testbed").write_text("mine")
    with pytest.raises(ConfigError, match="belongs to somebody else"), network.reserved(PLAN):
        pass
    assert (tmp_path / "files/x-testbed").read_text() == "mine"
    (tmp_path / "files/x-testbed").unlink()


def test_the_lock_of_a_folder_is_removed_after_all_else(monkeypatch):
    removed, right = [], Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda path: (removed.append(path.name), right(path)))
    with network.reserved(PLAN) as folder:
        (folder / "a").touch()
        (folder / "z").touch()
    assert len(removed) == 3 and removed[-1] == "lock"


def test_a_temporary_folder_that_is_too_long_for_a_socket(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", "/" + "a" * 120)
    with pytest.raises(ConfigError, match="TMPDIR: /aaa.*-testbed is too long"), network.reserved(PLAN):
        pass


def test_no_temporary_folder(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    with pytest.raises(ConfigError, match="TMPDIR: No usable temporary directory"), network.reserved(PLAN):
        pass
