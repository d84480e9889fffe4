"""The command line, made from the fields of the settings. A user's mistake is one line and exit status 2."""

import argparse
import difflib
import re
from dataclasses import fields
from typing import NoReturn

from edgediff.config import CONFIGS, by_configuration, describe_allowed
from edgediff.errors import ConfigError

# The settings that people change first, in the order of the help.
COMMON_SETTINGS = """agent load epochs seed trace batch_size actor_lr critic_lr n_step d2sac_denoising_steps num_envs
device""".split()


class Parser(argparse.ArgumentParser):
    """An argument parser for settings. It takes no abbreviations and no empty values, and raises `ConfigError`."""

    def __init__(self, program: str, description: str | None):
        usage = f"{program} [--setting value ...]"
        super().__init__(prog=program, usage=usage, description=description, allow_abbrev=False)

    def add_settings(self, *classes) -> None:
        """Add a flag for every field, those that people change first in a group of their own."""
        every = {f.name: f for config_class in classes for f in fields(config_class)}
        groups = {"The settings that people change first": [every[name] for name in COMMON_SETTINGS if name in every]}
        for config_class in classes:
            groups[config_class.__doc__.strip(".")] = [f for f in fields(config_class) if f.name not in COMMON_SETTINGS]
        for title, members in groups.items():
            group = self.add_argument_group(title)
            for f in members:
                text = f"{f.metadata['text']}; {describe_allowed(f)} [{f.default}]".replace("%", "%%")
                group.add_argument(f"--{f.name.replace('_', '-')}", dest=f.name, metavar="X", help=text)

    def add_run_flags(self, *names: str) -> None:
        """Add flags for the use of a saved run: which weights, the mode, and the settings `names` of `RunConfig`."""
        mode = "sample; argmax of one noise draw; mean: argmax of the average draw [d2sac: mean, others: argmax]"
        self.add_argument("--weights", metavar="X", default="last", help="which weights of a run: last or best [last]")
        self.add_argument("--mode", metavar="X", help=mode)
        for name in names:
            self.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="X", help="[as in the run]")

    def parse(self, argv: list[str]) -> argparse.Namespace:
        """Parse flags; `ConfigError` at an unknown or empty one."""
        args, unknown = self.parse_known_args(argv)
        if unknown:
            word = unknown[0]
            flag = argv[argv.index(word) - 1] if word in argv else ""
            if word[0] != "-" and flag in self._option_string_actions:  # as --json scores.json
                raise ConfigError(f"{flag} takes no value; write {flag} > {word}")
            known = difflib.get_close_matches(word.split("=")[0], self._option_string_actions, 1, 0.4)
            raise ConfigError(f"unknown setting {word}" + (f"; did you mean {known[0]}?" if known else ""))
        for name, value in vars(args).items():
            # argparse makes an empty list of --name=--
            if value in ("", []) or isinstance(value, list) and "" in value:
                raise ConfigError(f"{name}: the value is empty; leave the flag out to get the default")
            if str(value).encode(errors="replace") != str(value).encode(errors="surrogateescape"):
                raise ConfigError(f"{name}: {value} is not UTF-8")
        return args

    def error(self, message: str) -> NoReturn:
        """Report a mistake in the flags themselves."""
        raise ConfigError(f"{message} (see --help)")


def given_settings(args: argparse.Namespace) -> dict[str, dict]:
    """Return the settings on the command line by configuration: {"world": {...}, "learner": {...}, "run": {...}}."""
    known = {f.name: f for config_class in CONFIGS.values() for f in fields(config_class)}
    texts = {name: text for name, text in vars(args).items() if name in known and text is not None}
    return by_configuration({name: _convert(known[name], text) for name, text in texts.items()}, *CONFIGS)


def _convert(f, text: str):
    try:
        if f.type is not str and not re.fullmatch(r"[-+.0-9a-zA-Z]+", text):  # Python also takes 1_000 and ' 1 '
            raise ValueError
        return f.type(text)
    except ValueError:
        raise ConfigError(f"{f.name}: {text!r} is not {describe_allowed(f)}") from None
