"""What is saved: the weights of an agent, and the state of a run, which is all that its future depends on."""

import platform
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import edgediff
from edgediff import storage
from edgediff.agents import build_agent
from edgediff.config import LearnerConfig, WorldConfig, as_dict
from edgediff.errors import ConfigError, DamagedFile, NonFiniteError
from edgediff.learner import Learner
from edgediff.replay import Replay
from edgediff.simulator import Simulator, timeline_shape
from edgediff.trace import fingerprint

WEIGHTS = "weights of edgediff"
EXTENDING = ("epochs", "checkpoint_every_s")  # settings that change nothing of what has been done


class Parts(NamedTuple):
    """What moves while a run goes on."""

    simulator: Simulator
    agent: Learner
    memory: Replay
    sampling: torch.Generator


@dataclass
class Progress:
    """How far a run has come; an epoch that is begun has its decisions and updates so far."""

    epoch: int = 0
    transitions: int = 0
    steps: int = 0
    best_reward: float = -np.inf
    decisions: list[np.ndarray] = field(default_factory=list)  # (3, E) each: reward, completed, delay_s
    updates: list[dict[str, torch.Tensor]] = field(default_factory=list)
    extended: list[str] = field(default_factory=list)  # what was changed when going on, in words


def capture(world: WorldConfig, config: LearnerConfig, parts: Parts, progress: Progress, tables: dict) -> dict:
    """Return the state of a run at any step of Algorithm 1, its CSV texts included: tensors, arrays, numbers, texts.

    Traffic, topology and the clean end of each episode are drawn again from their seeds, so they are not in it.
    """
    check_weights(parts.agent)
    return as_dict(world, config) | {
        "versions": versions(),
        "trace": fingerprint(parts.simulator.trace),
        "progress": vars(progress) | {"decisions": np.array(progress.decisions)},
        "agent": parts.agent.snapshot(),
        "memory": parts.memory.snapshot(),
        "simulator": parts.simulator.snapshot(),
        "sampling": parts.sampling.get_state(),
        "tables": tables,
    }


def check_state(saved: dict, path: Path) -> dict:
    """Refuse a state, its configurations checked, whose outline is wrong, before anything is built from it."""
    at, tables = saved.get("progress"), saved.get("tables")
    kinds = {"epoch": int, "transitions": int, "steps": int, "best_reward": float, "decisions": torch.Tensor,
             "updates": list, "extended": list}  # fmt: skip
    good = (
        all(isinstance(saved.get(key), dict) for key in ("progress", "tables", "versions", "agent", "simulator"))
        and {name: type(value) for name, value in at.items()} == kinds
        and 0 <= at["epoch"] <= saved["learner"].epochs + 1
        and at["transitions"] == max(at["epoch"] - 1, 0) * saved["learner"].collect_per_epoch
        and 0 <= at["steps"] < 2**62
        and set(tables) == {"train", "evaluation"}
        and all(isinstance(text, str) for text in [saved.get("trace"), *at["extended"], *tables.values()])
        and all(isinstance(text, str) for text in saved["versions"].values())
    )
    if good:
        held, shape = saved["simulator"].get("held_bps"), timeline_shape(saved["world"], saved["learner"].num_envs)
        good = isinstance(held, torch.Tensor) and tuple(held.shape) == shape
    if not good:
        raise DamagedFile(f"run: {path} is no state that its own settings could lead to")
    return saved


def reinstate(saved: dict, parts: Parts) -> Progress:
    """Put a captured state into fresh parts; return the progress. `ConfigError` if it does not fit them."""
    try:
        parts.agent.load_snapshot(saved["agent"])
        parts.memory.load_snapshot(saved.pop("memory"))  # by far the largest part
        parts.simulator.load_snapshot({name: value.numpy() for name, value in saved["simulator"].items()})
        parts.sampling.set_state(saved["sampling"])
        progress = Progress(**saved["progress"])
        progress.decisions = list(progress.decisions.numpy())
        envs, metrics = parts.simulator.num_envs, list(parts.agent.METRICS)
        if any(each.shape != (3, envs) for each in progress.decisions) or any(
            list(each) != metrics or any(value.shape != () for value in each.values()) for each in progress.updates
        ):
            raise ValueError("decisions or updates of another shape")
        device = parts.agent.config.device
        progress.updates = [{name: value.to(device) for name, value in each.items()} for each in progress.updates]
        check_weights(parts.agent)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1].strip()[:120]
        raise ConfigError(
            f"resume: the newest state does not fit its own settings ({reason}); move it away to go on from the older"
        ) from None
    return progress


def resumed_settings(saved: dict, world: dict, learner: dict) -> tuple[WorldConfig, LearnerConfig]:
    """Return the settings of a saved run, and note in its progress those that extend it.

    `world` and `learner` are the fields given now. `ConfigError` names the first that would change the result.
    """
    epoch = saved["progress"]["epoch"]
    for given, stored in ((world, saved["world"]), (learner, saved["learner"])):
        for name, value in given.items():
            before = getattr(stored, name)
            if name == "trace":  # the file may have moved; what it holds is compared when it is read
                continue
            if value != before and name not in EXTENDING:
                raise ConfigError(f"{name}: {value} is not {before}, as in the run, and would change its result")
            if value != before:
                saved["progress"]["extended"].append(f"{name}: {before} -> {value}, in epoch {epoch}")
    config = LearnerConfig(**asdict(saved["learner"]) | {name: learner[name] for name in EXTENDING if name in learner})
    if config.epochs < saved["learner"].epochs:
        raise ConfigError(f"epochs: {config.epochs} is not at least {saved['learner'].epochs}, as in the run")
    return replace(saved["world"], trace=world.get("trace", saved["world"].trace)), config


def versions() -> dict[str, str]:
    """Return the versions that a run's bits depend on."""
    return {"edgediff": edgediff.__version__, "torch": str(torch.__version__), "numpy": np.__version__,
            "python": platform.python_version()}  # fmt: skip


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
        reason = str(error).strip().splitlines()[-1].strip()[:120]
        raise ConfigError(f"run: the weights do not fit the stored settings ({reason})") from None
    for name, tensors in agent.weights().items():
        if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
            raise ConfigError(f"run: the weights of {name} are not all finite")
    return agent
