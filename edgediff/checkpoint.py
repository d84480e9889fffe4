"""The state of a run: all that its future depends on, captured at any step and put back."""

import platform
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import edgediff
from edgediff.config import LearnerConfig, WorldConfig, as_dict
from edgediff.errors import ConfigError, DamagedFile
from edgediff.learner import Learner
from edgediff.replay import Replay
from edgediff.reservations import timeline_shape
from edgediff.simulator import Simulator
from edgediff.storage import last_line
from edgediff.trace import fingerprint
from edgediff.weights import check_weights

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
        raise ConfigError(f"resume: the newest state does not fit its own settings ({last_line(error)}); "
                          "move it away to go on from the older") from None  # fmt: skip
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
