"""The weights of an agent on disk, with the settings and the run that they belong to."""

import os
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import numpy as np

from edgediff.config import CONFIGS, Settings
from edgediff.errors import ConfigError, NonFiniteError, first_line
from edgediff.learner.agent import Agent, Seed
from edgediff.learner.agents import AGENTS
from edgediff.run import files
from edgediff.world.state import WIDTHS, state_dim

WEIGHTS = "weights of edgediff"


def write_weights(path: Path, settings: Settings, identity: str, epoch: int, weights: dict) -> None:
    """Write the parameters of all networks after an epoch."""
    files.write(path, WEIGHTS, settings.as_dict() | {"identity": identity, "epoch": epoch, "weights": weights})


def weights_path(folder: str | Path, which: str) -> Path:
    """Return the file of the last or the best weights of a run; `ConfigError` at another word."""
    if which not in ("last", "best"):
        raise ConfigError(f"weights: {which!r} is not one of last, best")
    if os.path.isfile(folder):  # False for a name that no file can have
        raise ConfigError(f"run: {folder} is a file; give its folder")
    return Path(folder) / f"{which}.pt"


def read_weights(path: Path) -> tuple[Settings, int, dict]:
    """Return settings, epoch and parameters; `ConfigError` if the file is unusable, or of another run than its folder.

    A folder without the file `lock` is of no run: there, weights may be of any.
    """
    content = files.read(path, WEIGHTS)
    settings, epoch, weights = stored_settings(content, path), content.get("epoch"), content.get("weights")
    if not isinstance(epoch, int) or not isinstance(weights, dict):
        raise ConfigError(f"run: {path} is unusable: no epoch or no parameters")
    identity = content.get("identity")
    lock = path.with_name("lock")
    with suppress(OSError):
        if lock.is_file() and lock.read_text(errors="replace")[:100] not in ("", identity):
            raise ConfigError(f"run: {path} is of another run than the folder; move it away")
    return settings, epoch, weights


def stored_settings(content: dict, path: Path) -> Settings:
    """Return the settings in a file, checked; a setting that is newer than the file has its default.

    `ConfigError` if a part is missing, if a setting is unknown or not allowed.
    """
    for name, config_class in CONFIGS.items():
        part = content.get(name)
        if not isinstance(part, dict):
            raise ConfigError(f"run: {path} holds no settings ({name})")
        if unknown := part.keys() - {f.name for f in fields(config_class)}:
            raise ConfigError(f"run: {path} holds a setting that this program does not have ({min(unknown, key=str)})")
    try:
        return Settings(*(config_class(**renamed(content[name])) for name, config_class in CONFIGS.items()))
    except (ConfigError, TypeError) as error:
        raise ConfigError(f"run: {path} holds settings that are not allowed: {first_line(error)}") from None


def renamed(part: dict) -> dict:
    """Return settings of a file by their names of today: a network "priced" is now a shared one with priced critics."""
    return part | {"network": "shared", "critic": "priced"} if part.get("network") == "priced" else part


def new_agent(
    settings: Settings, seed: Seed = 0, agent_class: type[Agent] | None = None, entries: int | None = None
) -> Agent:
    """Build the agent of some settings, untrained.

    An experiment may give another class for it, or another number of entries of its state.
    """
    (world, learner, run), agent_class = settings, agent_class or AGENTS[settings.learner.agent]
    entries = entries or state_dim(world, learner.network)
    return agent_class(entries, world.num_actions, learner, seed, run.device, WIDTHS)


def restore_agent(weights: dict, settings: Settings) -> Agent:
    """Build an agent with given parameters; `ConfigError` if they do not fit the settings or cannot act."""
    agent = new_agent(settings)  # the seed is of no use: evaluation has random streams of its own
    try:
        agent.load_weights(weights)
        agent.check_finite(np.zeros((1, agent.state_dim), np.float32))
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, NonFiniteError) as error:
        raise ConfigError(f"run: the weights are unusable: {first_line(error)}") from None
    return agent
