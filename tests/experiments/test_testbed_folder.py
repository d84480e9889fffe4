"""The folder of a testbed, which keeps its name for it: what is in the way is refused, and left as it is."""

import fcntl
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from edgediff.errors import ConfigError
from experiments.testbed import namespaces
from experiments.testbed.plan import Plan

PLAN = Plan("x", [1e6])


@pytest.fixture
def folder(no_network, tmp_path):
    """Return where the folder of the plan will be."""
    folder = tmp_path / "files/x-testbed"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.unlink(missing_ok=True)


def refused(words: str) -> None:
    with pytest.raises(ConfigError, match=words), namespaces.reserved(PLAN):
        pass


def test_a_name_that_a_running_testbed_has(folder):
    with namespaces.reserved(PLAN):
        refused("name: 'x' is taken by a testbed that runs")
        assert (folder / "made").exists()  # it is not disturbed
    assert not folder.exists()


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda folder: folder.symlink_to(folder.parent), "belongs to somebody else"),
        (lambda folder: folder.write_text("mine"), "belongs to somebody else"),
        (lambda folder: (folder / "notes").mkdir(parents=True), "no testbed has made .*/x-testbed"),
    ],
)
def test_what_no_testbed_has_made_is_not_touched(folder, make, words):
    make(folder)
    before = sorted(folder.parent.rglob("*"))
    refused(words)
    assert before and sorted(folder.parent.rglob("*")) == before


@pytest.mark.parametrize("own", [False, pytest.param(True, marks=pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="Linux lists namespaces in /proc"))])  # fmt: skip
def test_a_namespace_that_must_not_be_removed(folder, tmp_path, own):
    """Its processes would be killed: those of somebody else, or this one, and the shell that has started it."""
    (tmp_path / "netns").mkdir()
    (tmp_path / "netns/x-users").symlink_to("/proc/self/ns/net")
    if own:
        folder.mkdir()
        (folder / "made").touch()
        refused("name: x-users is to be removed, and this process runs in it")
        assert os.listdir(folder) == ["made"]  # a start from elsewhere needs it
    else:
        refused("name: a network namespace x-users exists, which no testbed .* remove it: ip netns delete x-users")
        assert not folder.exists()


def test_files_of_a_testbed_that_was_killed_are_removed_and_at_last_the_one_that_says_whose_they_are(
    folder, monkeypatch
):
    folder.mkdir()
    for name in ("made", "controller.sock"):
        (folder / name).touch()
    with namespaces.reserved(PLAN) as given:
        assert given == folder and os.listdir(folder) == ["made"]
        removed, right = [], Path.unlink
        monkeypatch.setattr(Path, "unlink", lambda path, **_: (removed.append(path.name), right(path)))
        for name in ("a", "z"):
            (folder / name).touch()
    assert len(removed) == 3 and removed[-1] == "made" and not folder.exists()
    monkeypatch.undo()


@pytest.mark.parametrize(
    "temporary, words", [("/" + "a" * 120, "TMPDIR: /aaa.*-testbed is too long"), (None, "TMPDIR: No usable temporary")]
)
def test_no_temporary_folder_that_can_be_used(monkeypatch, temporary, words):
    monkeypatch.setattr(tempfile, "tempdir", temporary)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    refused(words)


def test_a_folder_that_is_removed_by_the_one_before_while_this_one_waits(folder, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", lambda *_: folder.rmdir())
    refused("name: 'x' was taken until now; start again")
