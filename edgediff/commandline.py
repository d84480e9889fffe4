"""The command line, made from the fields of the configurations. A user's mistake is one line and exit status 2."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import NoReturn

import torch

from edgediff.config import LearnerConfig, describe_allowed
from edgediff.errors import ConfigError, NonFiniteError


class Parser(argparse.ArgumentParser):
    """An argument parser that refuses abbreviations, and raises `ConfigError` where others print and exit."""

    def __init__(self, prog: str, description: str):
        super().__init__(prog=prog, usage=f"{prog} [--flag value ...]", description=description, allow_abbrev=False)

    def add_fields(self, config_class) -> None:
        """Add one flag per field, named after it; the help shows meaning, allowed values and default."""
        group = self.add_argument_group(config_class.__doc__.strip())
        for f in fields(config_class):
            text = f"{f.metadata['text']}; {describe_allowed(f)}".replace("%", "%%")
            group.add_argument(
                f"--{f.name.replace('_', '-')}", dest=f.name, metavar="X", help=f"{text} [{f.default!r}]"
            )

    def error(self, message: str) -> NoReturn:
        """Report a mistake in the flags themselves."""
        raise ConfigError(f"{message} (see --help)")


def given_fields(args: argparse.Namespace, config_class) -> dict:
    """Return the fields of a configuration that stand on the command line, as numbers where they are numbers."""
    given = {f: getattr(args, f.name) for f in fields(config_class) if getattr(args, f.name, None) is not None}
    return {f.name: _convert(f, text) for f, text in given.items()}


def _convert(f, text: str):
    try:
        return f.type(text)
    except ValueError:
        raise ConfigError(f"{f.name}: {text!r} is not {describe_allowed(f)}") from None


def set_up_torch(config: LearnerConfig) -> None:
    """Apply device, threads and precision to this process; denormals are slow and worth nothing here."""
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device: cuda is not available here, allowed: cpu")
    torch.set_num_threads(config.threads)
    torch.set_float32_matmul_precision(config.matmul_precision)
    torch.set_flush_denormal(True)


def guard(program: str, main: Callable[[list[str]], int], argv: list[str] | None = None) -> int:
    """Run a program's main and turn a user's mistake into one line on stderr and status 2."""
    try:
        return main(sys.argv[1:] if argv is None else argv)
    except (ConfigError, NonFiniteError, MemoryError, RuntimeError) as error:
        out_of_memory = isinstance(error, MemoryError) or "allocate memory" in str(error)
        if isinstance(error, RuntimeError) and not out_of_memory:
            raise
        text = "not enough memory for these settings" if out_of_memory else str(error)
        print(f"{program}: {' '.join(text.split())}", file=sys.stderr)
        return 1 if isinstance(error, NonFiniteError) else 2
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
