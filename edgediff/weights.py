"""The weights of an agent on disk, with the settings that they belong to."""

from dataclasses import fields
from pathlib import Path

import torch

from edgediff import storage
from edgediff.agents import build_agent
from edgediff.config import LearnerConfig, WorldConfig, as_dict
from edgediff.errors import ConfigError, NonFiniteError
from edgediff.learner import Learner

WEIGHTS = "weights of edgediff"


def save_weights(path: Path, agent: Learner, world: WorldConfig, epoch: int) -> None:
    """Write the agent's networks and configuration; `path` holds the old file or the new one, never half of one.

    Raises `NonFiniteError` if a weight is not finite, `ConfigError` if the disk refuses; the old file stays then.
    """
    check_weights(agent)
    content = {"epoch": epoch, "weights": agent.weights(), **as_dict(world, agent.config)}
    storage.write(path, WEIGHTS, content, durable=False)  # the state of the run is, and holds the same weights


def load_weights(path: Path) -> dict:
    """Read a file of `save_weights`, with `world` and `learner` as checked configurations.

    Raises `ConfigError` if it is missing, damaged, foreign, or of another version.
    """
    content = with_configurations(storage.read(path, WEIGHTS), path)
    if type(content.get("epoch")) is not int:
        raise ConfigError(f"run: {path} has epoch {content.get('epoch')!s:.20}, which is no whole number")
    return content


def with_configurations(content: dict, path: Path) -> dict:
    """Turn the stored settings into checked configurations; `ConfigError` if they are not this program's."""
    for key, config_class in (("world", WorldConfig), ("learner", LearnerConfig)):
        given = content.get(key)
        if not isinstance(given, dict) or set(given) != {f.name for f in fields(config_class)}:
            raise ConfigError(f"run: {path} was written with other settings than this program has ({key})")
        try:
            content[key] = config_class(**given)
        except ConfigError as error:
            raise ConfigError(f"run: {path} holds settings that are not allowed: {error}") from None
    return content


def check_weights(agent: Learner) -> None:
    """Raise `NonFiniteError` unless all parameters are finite."""
    for network, tensors in agent.weights().items():
        for name, tensor in tensors.items():
            if not torch.isfinite(tensor).all():
                raise NonFiniteError(f"weights of {network}.{name}: not finite")


def restore(content: dict, world: WorldConfig, config: LearnerConfig, seed) -> Learner:
    """Build the agent that `load_weights` read, for a world of the same shape."""
    trained = content["world"]
    if (world.state_dim, world.num_actions) != (trained.state_dim, trained.num_actions):
        raise ConfigError(f"num_gateways: {world.num_gateways} is not {trained.num_gateways}, as in the run")
    agent = build_agent(world, config, seed)
    try:
        agent.load_weights(content["weights"])
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ConfigError(f"run: the weights do not fit the stored settings ({storage.last_line(error)})") from None
    for name, tensors in agent.weights().items():
        if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
            raise ConfigError(f"run: the weights of {name} are not all finite")
    return agent
