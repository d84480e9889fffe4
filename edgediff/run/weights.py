"""The weights of an agent on disk, with the settings that they belong to."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from edgediff.config import CONFIGS, Settings
from edgediff.errors import ConfigError, NonFiniteError, first_line
from edgediff.learner.agent import Agent
from edgediff.learner.agents import build_agent
from edgediff.run import files

WEIGHTS = "weights of edgediff"


def write_weights(path: Path, settings: Settings, epoch: int, weights: dict) -> None:
    """Write the parameters of all networks after an epoch."""
    files.write(path, WEIGHTS, settings.as_dict() | {"epoch": epoch, "weights": weights})


def weights_path(run: str | Path, which: str) -> Path:
    """Return the file of the last or the best weights of a run; `ConfigError` at another word."""
    if which not in ("last", "best"):
        raise ConfigError(f"weights: {which!r} is not one of last, best")
    return Path(run) / f"{which}.pt"


def read_weights(path: Path) -> tuple[Settings, int, dict]:
    """Return settings, epoch and parameters; `ConfigError` if the file is of no use."""
    content = files.read(path, WEIGHTS)
    return stored_settings(content, path), content["epoch"], content["weights"]


def stored_settings(content: dict, path: Path) -> Settings:
    """Return the settings in a file, checked; `ConfigError` if they are not those of this program."""
    for key, config_class in CONFIGS.items():
        if set(content.get(key, {})) != {f.name for f in fields(config_class)}:
            raise ConfigError(f"run: {path} was written with other settings than this program has ({key})")
    try:
        return Settings(*(config_class(**content[key]) for key, config_class in CONFIGS.items()))
    except ConfigError as error:
        raise ConfigError(f"run: {path} holds settings that are not allowed: {error}") from None


def restore_agent(weights: dict, settings: Settings) -> Agent:
    """Build an agent with given parameters; `ConfigError` if they do not fit the settings or cannot act."""
    world, seed = settings.world, np.random.SeedSequence(0)  # evaluation has random streams of its own
    agent = build_agent(world.state_dim, world.num_actions, settings.learner, seed, settings.run.device)
    try:
        agent.load_weights(weights)
        agent.check_can_act(np.zeros((1, world.state_dim), np.float32))
    except (LookupError, TypeError, AttributeError, RuntimeError, NonFiniteError) as error:
        raise ConfigError(f"run: the weights are of no use ({first_line(error)})") from None
    return agent
