"""The weights of an agent on disk, with the settings and the run that they belong to."""

from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import numpy as np

from edgediff.config import CONFIGS, Settings
from edgediff.errors import ConfigError, NonFiniteError, first_line
from edgediff.learner.agent import Agent
from edgediff.learner.agents import build_agent
from edgediff.run import files
from edgediff.world.state import state_dim

WEIGHTS = "weights of edgediff"


def write_weights(path: Path, settings: Settings, identity: str, epoch: int, weights: dict) -> None:
    """Write the parameters of all networks after an epoch."""
    files.write(path, WEIGHTS, settings.as_dict() | {"identity": identity, "epoch": epoch, "weights": weights})


def weights_path(folder: str | Path, which: str) -> Path:
    """Return the file of the last or the best weights of a run; `ConfigError` at another word."""
    if which not in ("last", "best"):
        raise ConfigError(f"weights: {which!r} is not one of last, best")
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
    with suppress(OSError):
        if path.with_name("lock").read_text(errors="replace")[:100] not in ("", identity):
            raise ConfigError(f"run: {path} is of another run than the folder; move it away")
    return settings, epoch, weights


def stored_settings(content: dict, path: Path) -> Settings:
    """Return the settings in a file, checked; `ConfigError` if they are not those of this program."""
    for key, config_class in CONFIGS.items():
        found = content.get(key)
        if not isinstance(found, dict) or set(found) != {f.name for f in fields(config_class)}:
            raise ConfigError(f"run: {path} was written with other settings than this program has ({key})")
    try:
        return Settings(*(config_class(**content[key]) for key, config_class in CONFIGS.items()))
    except (ConfigError, TypeError) as error:
        raise ConfigError(f"run: {path} holds settings that are not allowed: {first_line(error)}") from None


def restore_agent(weights: dict, settings: Settings) -> Agent:
    """Build an agent with given parameters; `ConfigError` if they do not fit the settings or cannot act."""
    world, seed = settings.world, np.random.SeedSequence(0)  # evaluation has random streams of its own
    entries = state_dim(world, settings.learner.network)
    agent = build_agent(entries, world.num_actions, settings.learner, seed, settings.run.device)
    try:
        agent.load_weights(weights)
        agent.check_finite(np.zeros((1, entries), np.float32))
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, NonFiniteError) as error:
        raise ConfigError(f"run: the weights are unusable: {first_line(error)}") from None
    return agent
