"""Weights on disk: written beside the old file and renamed over it, read with `weights_only=True` and nothing else."""

import os
import warnings
from dataclasses import fields
from pathlib import Path

import torch

from edgediff.agents import build_agent
from edgediff.config import LearnerConfig, WorldConfig, as_dict
from edgediff.errors import ConfigError, NonFiniteError
from edgediff.learner import Learner

FORMAT, VERSION = "edgediff weights", 1


def save_weights(path: Path, agent: Learner, world: WorldConfig, epoch: int) -> None:
    """Write the agent's networks and configuration; `path` holds the old file or the new one, never half of one.

    Raises `NonFiniteError` if a weight is not finite, `ConfigError` if the disk refuses; the old file stays then.
    """
    for network, tensors in agent.weights().items():
        for name, tensor in tensors.items():
            if not torch.isfinite(tensor).all():
                raise NonFiniteError(f"weights of {network}.{name}: not finite")
    content = dict(format=FORMAT, version=VERSION, epoch=epoch, weights=agent.weights(), **as_dict(world, agent.config))
    beside = path.with_name(path.name + ".tmp")
    try:
        torch.save(content, beside)
        os.replace(beside, path)
    except (OSError, RuntimeError) as error:
        beside.unlink(missing_ok=True)
        raise ConfigError(f"run: {path} cannot be written ({_first_line(error)}); the old one stays") from None


def load_weights(path: Path) -> dict:
    """Read a file of `save_weights`, with `world` and `learner` as checked configurations.

    Raises `ConfigError` if it is missing, damaged, foreign, or of another version.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ConfigError(f"run: {path} does not exist; give the folder of a run") from None
    except Exception as error:  # a damaged file can make the reader fail in any way
        raise ConfigError(f"run: {path} is not a readable weights file ({_first_line(error)})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ConfigError(f"run: {path} holds no weights of edgediff")
    version, epoch = content.get("version"), content.get("epoch")
    if type(version) is not int or version != VERSION or type(epoch) is not int:
        raise ConfigError(f"run: {path} has version {version!s:.20}, epoch {epoch!s:.20}; this program reads {VERSION}")
    for key, config_class in (("world", WorldConfig), ("learner", LearnerConfig)):
        given = content.get(key)
        if not isinstance(given, dict) or set(given) != {f.name for f in fields(config_class)}:
            raise ConfigError(f"run: {path} was written with other settings than this program has ({key})")
        content[key] = config_class(**given)
    return content


def restore(content: dict, world: WorldConfig, config: LearnerConfig, seed) -> Learner:
    """Build the agent that `load_weights` read, for a world of the same shape."""
    trained = content["world"]
    if (world.state_dim, world.num_actions) != (trained.state_dim, trained.num_actions):
        raise ConfigError(f"num_gateways: {world.num_gateways} is not {trained.num_gateways}, as in the run")
    agent = build_agent(world, config, seed)
    try:
        agent.load_weights(content["weights"])
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1].strip()[:120]
        raise ConfigError(f"run: the weights do not fit the stored settings ({reason})") from None
    for name, tensors in agent.weights().items():
        if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
            raise ConfigError(f"run: the weights of {name} are not all finite")
    return agent


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:120]
