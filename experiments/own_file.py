"""What a program may write over: a page or a table of its own. Whatever it writes is whole or not there."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from edgediff.errors import ConfigError
from edgediff.run.atomic import write_atomically


def refuse_foreign(path: Path, mark: str, field: str) -> None:
    """Raise `ConfigError` if what is at the path does not begin with a mark of ours, or if it has no folder."""
    if not path.parent.is_dir():
        raise ConfigError(f"{field}: {path.parent} is not a folder")
    if not os.path.lexists(path):
        return
    try:
        ours = False
        if path.is_file():  # a pipe would have us wait for its writer
            with path.open("rb") as file:
                ours = mark.encode() in file.read(1000)
    except OSError as error:
        raise ConfigError(f"{field}: {path} cannot be written ({error.strerror})") from None
    if not ours:
        raise ConfigError(f"{field}: {path} was not written by this program, and is left as it is; give another name")


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet; `ConfigError` if it is, or cannot be written."""
    if os.path.lexists(path):
        raise ConfigError(f"file: {path} exists, and is left as it is")
    write_atomically(path, text.encode())


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write rows as a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    write_atomically(path, text.getvalue().encode())
