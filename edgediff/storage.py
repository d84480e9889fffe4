"""Files that are whole or not there: written beside the old one, checked on reading, never able to run code.

A file is what `torch.save` writes, followed by 32 bytes: the SHA-256 of all before them.
"""

import hashlib
import io
import os
import pickletools
import re
import warnings
from pathlib import Path

import numpy as np
import torch

from edgediff.errors import ConfigError, DamagedFile

VERSION = 2
DIGEST_BYTES = 32
PLAIN = bool, int, float, str
_REBUILT = "torch._utils _rebuild_tensor_v2", "collections OrderedDict"
_STORAGE = re.compile(r"torch [A-Z][A-Za-z0-9]*Storage")


def write(path: Path, kind: str, content: dict, durable: bool = True) -> None:
    """Put tensors, arrays, numbers, texts, lists and dicts into a file of a kind.

    `path` holds the old file or the new one at every moment, if `durable` also when the machine stops. Raises
    `ConfigError` if the disk refuses; the old file stays then.
    """
    beside, content = path.with_name(path.name + ".tmp"), compact({"kind": kind, "version": VERSION, **content})
    try:
        with beside.open("wb") as file:
            hashing = _Hashing(file)
            torch.save(content, hashing)
            file.write(hashing.sha256.digest())
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(beside, path)
        if durable:
            sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        try:
            beside.unlink(missing_ok=True)
        except OSError:
            pass  # the first error is the one to tell
        while not isinstance(error, OSError) and error.__context__:
            error = error.__context__  # torch fails once more, in its own words, while it closes the archive
        raise ConfigError(f"run: {path} cannot be written ({first_line(error)}); what was there stays") from None


def read(path: Path, kind: str) -> dict:
    """Return the content of a file of a kind.

    Raises `ConfigError` if it is missing, damaged, foreign, or of another version. Nothing in it is run, and
    nothing larger than the file itself is unpacked.
    """
    try:
        data = memoryview(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(f"run: {path} does not exist; give the folder of a run") from None
    except OSError as error:
        raise ConfigError(f"run: {path} cannot be read ({first_line(error)})") from None
    data, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
    if hashlib.sha256(data).digest() != digest:
        raise DamagedFile(f"run: {path} is damaged or no file of edgediff (its SHA-256 does not match)")
    try:
        content = _unpack(data)
    except Exception:  # a foreign file can make the reader fail in any way
        content = None
    if content is None:
        raise DamagedFile(f"run: {path} holds more than tensors, numbers, texts, lists and dicts")
    if not isinstance(content, dict) or not _same(content.pop("kind", None), kind):
        raise DamagedFile(f"run: {path} holds no {kind}")
    version = content.pop("version", None)
    if not _same(version, VERSION):
        found = version if type(version) is int else "none"
        raise ConfigError(f"run: {path} has version {found}; this program reads version {VERSION}")
    return content


def _unpack(data: memoryview):
    """Load an archive, or return None if there is more in it than `write` puts there.

    The archive is what torch's own reader sees: every entry as large as it says, all together no larger than the
    file. Tensors are rebuilt and nothing else is called, not even what `weights_only` would allow.
    """
    reader = torch._C.PyTorchFileReader(io.BytesIO(data))
    if sum(map(reader.get_record_size, reader.get_all_records())) > len(data):
        return None
    for operation, name, _ in pickletools.genops(reader.get_record("data.pkl")):
        if operation.name == "GLOBAL" and name not in _REBUILT and not _STORAGE.fullmatch(name):
            return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return content if _is_plain(content) else None


def _is_plain(content) -> bool:
    """Tell whether nested content is what `compact` leaves: no tensor is larger than what lies in the file."""
    if isinstance(content, dict):
        return all(type(key) is str and _is_plain(value) for key, value in content.items())
    if type(content) is list:
        return all(map(_is_plain, content))
    if type(content) is torch.Tensor:
        return content.untyped_storage().nbytes() == content.nbytes
    return type(content) in PLAIN


def _same(value, wanted) -> bool:
    return type(value) is type(wanted) and value == wanted


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def compact(content):
    """Return nested content with arrays as tensors, and no tensor that drags a larger storage along."""
    if isinstance(content, dict):
        return {key: compact(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [compact(value) for value in content]
    if isinstance(content, np.ndarray):
        content = torch.from_numpy(np.ascontiguousarray(content))
    if isinstance(content, torch.Tensor):
        content = content.detach().cpu()
        return content if content.untyped_storage().nbytes() == content.nbytes else content.clone()
    if type(content) not in PLAIN:
        raise TypeError(f"a {type(content).__name__} cannot be saved")
    return content


def first_line(error: Exception) -> str:
    """Return what an error says, short enough for one line."""
    return _lines(error)[0]


def last_line(error: Exception) -> str:
    """Return the last of what an error says, where torch comes to the point, short enough for one line."""
    return _lines(error)[-1]


def _lines(error: Exception) -> list[str]:
    return [line.strip()[:120] for line in (str(error).strip() or type(error).__name__).splitlines()]


class _Hashing:
    """A file that takes the SHA-256 of what is written to it."""

    def __init__(self, file):
        self.file, self.sha256 = file, hashlib.sha256()
        self.flush = file.flush

    def write(self, data) -> int:
        self.sha256.update(data)
        return self.file.write(data)
