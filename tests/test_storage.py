"""Files: what comes back is what went in; everything else is refused in one line, and runs nothing."""

import copy
import hashlib
import io
import os
import zipfile

import numpy as np
import pytest
import torch

from edgediff import storage
from edgediff.errors import ConfigError

CONTENT = {"numbers": [1, 2.5, True, -float("inf")], "text": "s", "nested": {"w": torch.arange(6.0).view(2, 3)}}


@pytest.fixture
def saved(tmp_path):
    storage.write(tmp_path / "file.pt", "things", CONTENT)
    return tmp_path / "file.pt"


def with_digest(path, data):
    """Write bytes as a forger would: followed by their own SHA-256."""
    path.write_bytes(data + hashlib.sha256(data).digest())


def forged(path, content):
    """Write anything that torch can pickle, with a right digest."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with_digest(path, buffer.getvalue())


def refused(path, reason="run"):
    before = sorted(os.listdir(path.parent)), path.read_bytes() if path.is_file() else None
    with pytest.raises(ConfigError, match=reason) as error:
        storage.read(path, "things")
    message = str(error.value)
    assert message.startswith("run: ") and path.name in message and "\n" not in message and len(message) < 400
    assert before == (sorted(os.listdir(path.parent)), path.read_bytes() if path.is_file() else None)


def test_round_trip(saved):
    content = storage.read(saved, "things")
    assert content.pop("nested")["w"].equal(CONTENT["nested"]["w"])
    assert content == {"numbers": CONTENT["numbers"], "text": "s"}
    assert os.listdir(saved.parent) == ["file.pt"]  # nothing is left beside it


def test_arrays_become_tensors_and_views_lose_what_lies_behind_them(tmp_path):
    large = torch.zeros(1000, 1000)
    storage.write(tmp_path / "f.pt", "things", {"view": large[:2, :2], "array": np.arange(8)[::2]})
    assert (tmp_path / "f.pt").stat().st_size < 10_000
    content = storage.read(tmp_path / "f.pt", "things")
    assert content["view"].shape == (2, 2) and content["array"].tolist() == [0, 2, 4, 6]


def test_only_plain_things_are_written(saved):
    before = saved.read_bytes()
    for strange in (np.float64(1), None, {1, 2}, lambda: 1):
        with pytest.raises(TypeError, match="cannot be saved"):
            storage.write(saved, "things", {"x": strange})
    assert saved.read_bytes() == before and os.listdir(saved.parent) == ["file.pt"]


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 100, 500, -33, -32, -31, -1])
def test_truncated(saved, length):
    saved.write_bytes(saved.read_bytes()[:length])
    refused(saved, "damaged")


def test_every_length_is_refused(saved):
    data = saved.read_bytes()
    for length in range(0, len(data), 37):
        saved.write_bytes(data[:length])
        refused(saved, "damaged")


@pytest.mark.parametrize("k", range(200))
def test_a_flipped_bit_is_refused(saved, k):
    data = bytearray(saved.read_bytes())
    bit = np.random.default_rng(k).integers(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    saved.write_bytes(data)
    refused(saved, "damaged")


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"hello", b"PK\x03\x04", b"\x80\x04N."], ids=range(5))
def test_foreign_bytes(saved, data):
    saved.write_bytes(data)
    refused(saved, "damaged")
    with_digest(saved, data)
    refused(saved, "holds more than tensors, numbers")


def test_missing_and_not_a_file(tmp_path):
    refused(tmp_path / "none.pt", "does not exist")
    (tmp_path / "folder.pt").mkdir()
    refused(tmp_path / "folder.pt", "cannot be read")


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


class Large:
    """`weights_only` alone would allow this call."""

    def __reduce__(self):
        return bytearray, (1_000_000_000,)


@pytest.mark.parametrize(
    "strange", [Evil(), Large(), {1, 2}, (1, 2), None, torch.nn.Parameter(torch.ones(2))], ids=repr
)
def test_nothing_but_plain_things_is_rebuilt(saved, monkeypatch, strange):
    monkeypatch.chdir(saved.parent)
    forged(saved, {"kind": "things", "version": storage.VERSION, "x": [strange]})
    refused(saved, "holds more than tensors, numbers")


@pytest.mark.parametrize(
    "content",
    [torch.zeros(1).expand(10**9), torch.zeros(10)[:5], {1: 2}],
    ids=["a tensor larger than its storage", "a part of a storage", "a key that is no text"],
)
def test_what_would_grow_is_not_taken(saved, content):
    forged(saved, {"kind": "things", "version": storage.VERSION, "x": content})
    refused(saved, "holds more than tensors, numbers")


def repacked(data, compression, double=1):
    """Write an archive anew with another compression, or with entries that the directory names twice."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as plain, zipfile.ZipFile(buffer, "w", compression) as packed:
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry))
        largest = max(packed.filelist, key=lambda entry: entry.file_size)
        for k in range(double - 1):
            twin = copy.copy(largest)
            twin.filename = f"{largest.filename}{k}"
            packed.filelist.append(twin)
    return buffer.getvalue()


def test_a_packed_file_is_not_unpacked(tmp_path):
    """A gigabyte of zeros packs into a megabyte; and a directory may name the same bytes a hundred times."""
    path = tmp_path / "file.pt"
    storage.write(path, "things", {"w": torch.zeros(1_000_000)})
    data = path.read_bytes()[: -storage.DIGEST_BYTES]
    for forged_data in (repacked(data, zipfile.ZIP_DEFLATED), repacked(data, zipfile.ZIP_STORED, double=100)):
        with_digest(path, forged_data)
        refused(path, "holds more than tensors, numbers")


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"kind": "others"}, "holds no things"),
        ({"kind": torch.ones(2)}, "holds no things"),
        ({"version": storage.VERSION + 1}, f"version {storage.VERSION + 1}; this program reads"),
        ({"version": True}, "version none; this program reads"),
        ({"version": torch.ones(2)}, "version none"),
    ],
)
def test_another_kind_or_version(saved, change, reason):
    forged(saved, {"kind": "things", "version": storage.VERSION, **CONTENT} | change)
    refused(saved, reason)
    forged(saved, [1, 2])
    refused(saved, "holds no things")


def test_a_disk_that_fills_in_the_middle_is_called_by_its_name(saved, monkeypatch):
    right, calls, before = storage._Hashing.write, [], saved.read_bytes()

    def full(self, data):
        calls.append(1)
        if len(calls) > 3:
            raise OSError(28, "No space left on device")
        return right(self, data)

    monkeypatch.setattr(storage._Hashing, "write", full)
    with pytest.raises(ConfigError, match="cannot be written .*No space left.*; what was there stays"):
        storage.write(saved, "things", {"x": torch.ones(1000)})
    assert saved.read_bytes() == before and os.listdir(saved.parent) == ["file.pt"]


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_write_that_fails_is_seen_and_the_old_file_stays(saved, monkeypatch, call):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(storage.os, call, full)
    with pytest.raises(ConfigError, match="cannot be written .*No space left.*; what was there stays"):
        storage.write(saved, "things", {"x": 1})
    assert saved.read_bytes() == before and os.listdir(saved.parent) == ["file.pt"]
