"""What a program may write over: a page of its own, and else nothing."""

from pathlib import Path

from edgediff.errors import ConfigError


def refuse_foreign(path: Path, mark: str, field: str) -> None:
    """Raise `ConfigError` if what is at the path does not begin with a mark of ours, or if it has no folder."""
    if not path.parent.is_dir():
        raise ConfigError(f"{field}: {path.parent} is not a folder")
    try:
        with path.open("rb") as file:
            ours = mark.encode() in file.read(1000)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{field}: {path} cannot be written ({error.strerror})") from None
    if not ours:
        raise ConfigError(f"{field}: {path} is there and is no page of this program; give another one")


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet; `ConfigError` if it is, or cannot be written."""
    try:
        with path.open("x") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"file: {path} cannot be written ({error.strerror})") from None
