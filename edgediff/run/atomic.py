"""Write a file whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from edgediff.errors import ConfigError, first_line

UNFINISHED = ".unfinished"  # the end of a name that no user has; a write that was killed is written over by the next


def write_atomically(path: Path, *parts: bytes | memoryview) -> None:
    """Write bytes beside `path`, flush them to the disk, and rename the file to `path`.

    At every moment, also after a power failure, `path` is the whole old file or the whole new one.
    """
    beside = path.with_name(f".{os.fsdecode(os.fsencode(path.name)[:240])}{UNFINISHED}")
    try:
        with beside.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException as error:  # also an interrupt
        with suppress(OSError):
            beside.unlink()  # it would take the last space of a full disk
        if not isinstance(error, OSError):
            raise
        raise ConfigError(
            f"file: {path} cannot be written ({error.strerror or first_line(error)}); what was there stays"
        ) from None
    with suppress(OSError):  # not every file system can flush a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
