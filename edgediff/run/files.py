"""Atomic, checksummed files of plain content: tensors, numbers, texts, lists and dicts.

A file is what `torch.save` writes, followed by 32 bytes: the SHA-256 of all before them.
"""

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import torch

from edgediff.errors import ConfigError, DamagedFile, first_line
from edgediff.run.atomic import write_atomically

VERSION = 4


def write(path: Path, kind: str, content: dict) -> None:
    """Write content of a kind. Raises `ConfigError` if the disk refuses; the old file stays then."""
    buffer = io.BytesIO()
    torch.save(to_plain({"kind": kind, "version": VERSION, **content}), buffer)
    write_atomically(path, buffer.getbuffer(), hashlib.sha256(buffer.getbuffer()).digest())


def read(path: Path, kind: str) -> dict:
    """Return the content of a file of a kind; nothing in it is ever executed.

    Raises `ConfigError` if the file is missing, no regular file, damaged, of another kind or of another version.
    """
    try:
        if not path.is_file():
            reason = "is not a regular file" if os.path.lexists(path) else "does not exist; give the folder of a run"
            raise ConfigError(f"run: {path} {reason}")
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"run: {path} cannot be read ({first_line(error)})") from None
    if hashlib.sha256(data[:-32]).digest() != data[-32:]:
        raise DamagedFile(f"run: {path} is damaged or no file of edgediff (its SHA-256 does not match)")
    try:
        content = dict(torch.load(io.BytesIO(data[:-32]), map_location="cpu", weights_only=True))
    except Exception as error:  # torch can fail in any way on a file that it did not write
        raise DamagedFile(f"run: {path} holds more than plain content ({first_line(error)})") from None
    if content.pop("kind", None) != kind:
        raise DamagedFile(f"run: {path} holds no {kind}")
    if (version := content.pop("version", None)) != VERSION:
        raise ConfigError(f"run: {path} has version {version!s:.20}; this program reads version {VERSION}")
    return content


def to_plain(content):
    """Return a copy of nested content in which arrays are tensors on the CPU; TypeError at what cannot be saved."""
    if isinstance(content, dict):
        return {key: to_plain(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [to_plain(value) for value in content]
    if isinstance(content, (np.ndarray, torch.Tensor)):
        return torch.as_tensor(content).detach().cpu().clone()
    if type(content) not in (bool, int, float, str):
        raise TypeError(f"a {type(content).__name__} cannot be saved")
    return content
