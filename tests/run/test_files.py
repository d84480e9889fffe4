"""Files: what comes back is what went in; everything else is refused in one line, and runs nothing."""

import hashlib
import io
import os
import stat

import numpy as np
import pytest
import torch

from edgediff.errors import ConfigError, DamagedFile
from edgediff.run import files
from edgediff.run.atomic import write_atomically

CONTENT = {"numbers": [1, 2.5, True, -float("inf")], "text": "s", "nested": {"w": torch.arange(6.0).view(2, 3)}}


@pytest.fixture
def saved(tmp_path):
    files.write(tmp_path / "file.pt", "things", CONTENT)
    return tmp_path / "file.pt"


def forge(path, content):
    """Write anything that torch can pickle, with a right digest."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getvalue() + hashlib.sha256(buffer.getvalue()).digest())


def refused(path, reason, error=DamagedFile):
    before = sorted(os.listdir(path.parent)), path.read_bytes() if path.is_file() else None
    with pytest.raises(error, match=reason) as caught:
        files.read(path, "things")
    message = str(caught.value)
    assert message.startswith("run: ") and path.name in message and "\n" not in message and len(message) < 400
    assert before == (sorted(os.listdir(path.parent)), path.read_bytes() if path.is_file() else None)


def test_what_comes_back_is_what_went_in(saved):
    content = files.read(saved, "things")
    assert content.pop("nested")["w"].equal(CONTENT["nested"]["w"])
    assert content == {"numbers": CONTENT["numbers"], "text": "s"}
    assert os.listdir(saved.parent) == ["file.pt"]  # nothing is left beside it


def test_arrays_become_tensors_and_views_lose_what_lies_behind_them(tmp_path):
    large = torch.zeros(1000, 1000)
    files.write(tmp_path / "f.pt", "things", {"view": large[:2, :2], "array": np.arange(8)[::2]})
    assert (tmp_path / "f.pt").stat().st_size < 10_000
    content = files.read(tmp_path / "f.pt", "things")
    assert content["view"].shape == (2, 2) and content["array"].tolist() == [0, 2, 4, 6]


def test_what_is_kept_does_not_change_with_what_it_was_made_from():
    weights = torch.zeros(3)
    kept = files.to_plain({"w": weights})
    weights += 1
    assert kept["w"].sum() == 0


@pytest.mark.parametrize("strange", [np.float64(1), None, {1, 2}, lambda: 1], ids=type)
def test_only_plain_things_are_written(saved, strange):
    before = saved.read_bytes()
    with pytest.raises(TypeError, match="cannot be saved"):
        files.write(saved, "things", {"x": strange})
    assert saved.read_bytes() == before and os.listdir(saved.parent) == ["file.pt"]


def test_a_file_of_any_shorter_length_is_refused(saved):
    data = saved.read_bytes()
    for length in [*range(40), *range(40, len(data), 37), *range(len(data) - 40, len(data))]:
        saved.write_bytes(data[:length])
        refused(saved, "damaged")


def test_a_flipped_bit_is_refused_wherever_it_lies(saved):
    data, rng = saved.read_bytes(), np.random.default_rng(0)
    for bit in rng.integers(8 * len(data), size=200):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        saved.write_bytes(flipped)
        refused(saved, "damaged")


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"hello", b"PK\x03\x04", b"\x80\x02N."], ids=range(5))
def test_foreign_bytes_are_refused_also_with_a_right_digest(saved, data):
    saved.write_bytes(data)
    refused(saved, "damaged")
    saved.write_bytes(data + hashlib.sha256(data).digest())
    refused(saved, "holds more than plain content")


def test_what_is_missing_or_no_regular_file_is_refused(tmp_path):
    refused(tmp_path / "none.pt", "does not exist", ConfigError)
    (tmp_path / "folder.pt").mkdir()
    refused(tmp_path / "folder.pt", "is not a regular file", ConfigError)
    (tmp_path / "link.pt").symlink_to("nowhere")
    refused(tmp_path / "link.pt", "is not a regular file", ConfigError)


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_a_pickle_that_would_run_code_runs_nothing(saved, monkeypatch):
    monkeypatch.chdir(saved.parent)
    forge(saved, {"kind": "things", "version": files.VERSION, "x": [Evil()]})
    refused(saved, "holds more than plain content")
    assert os.listdir(saved.parent) == ["file.pt"]


@pytest.mark.parametrize(
    "change, reason, error",
    [
        ({"kind": "others"}, "holds no things", DamagedFile),
        ({"kind": [1]}, "holds no things", DamagedFile),
        ({"version": files.VERSION + 1}, f"has version {files.VERSION + 1}; this program reads", ConfigError),
        ({"version": 2}, "has version 2; this program reads version 4", ConfigError),
    ],
)
def test_another_kind_or_version_is_refused(saved, change, reason, error):
    forge(saved, {"kind": "things", "version": files.VERSION, **CONTENT} | change)
    refused(saved, reason, error)


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_write_that_fails_is_seen_and_the_old_file_stays(saved, monkeypatch, call):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(os, call, full)
    with pytest.raises(ConfigError, match=r"cannot be written .*No space left.*; what was there stays"):
        files.write(saved, "things", {"x": 1})
    assert saved.read_bytes() == before and os.listdir(saved.parent) == ["file.pt"]
    monkeypatch.undo()
    files.write(saved, "things", {"x": 1})
    assert files.read(saved, "things") == {"x": 1} and os.listdir(saved.parent) == ["file.pt"]


def test_a_write_touches_no_file_beside_it_and_takes_the_longest_name(tmp_path):
    theirs, longest = tmp_path / "x.csv.tmp", tmp_path / ("é" * 127)
    theirs.write_text("precious")
    for path in (tmp_path / "x.csv", longest):
        write_atomically(path, b"1")
    assert theirs.read_text() == "precious" and longest.read_bytes() == b"1" and len(os.listdir(tmp_path)) == 3


def test_a_folder_that_cannot_be_flushed_keeps_what_was_written(tmp_path, monkeypatch):
    """As on some network file systems. Nothing stays open."""
    right, opened = os.fsync, set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()

    def refused(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(22, "Invalid argument")
        right(handle)

    monkeypatch.setattr(os, "fsync", refused)
    write_atomically(tmp_path / "x", b"1")
    assert (tmp_path / "x").read_bytes() == b"1"
    assert not opened or set(os.listdir("/proc/self/fd")) == opened
