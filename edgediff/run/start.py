"""How a run starts: anew, in a folder of its own, or from the newest checkpoint of one that was stopped or killed.

Every mistake is refused here, before a new folder is made or an old one is changed.
"""

import math
import os
from contextlib import ExitStack, suppress
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch

from edgediff.config import Settings, by_configuration, preset_settings
from edgediff.errors import ConfigError, first_line
from edgediff.learner.agent import Agent
from edgediff.learner.agents import AGENTS
from edgediff.run.folder import RunFolder, create, reopen, versions
from edgediff.run.scores import traffic_label
from edgediff.run.weights import read_weights, restore_agent, stored_settings, weights_path
from edgediff.world.log import RequestLog, fingerprint, log_of
from edgediff.world.state import state_dim
from edgediff.world.windows import describe_log, largest_episode

CHANGEABLE_ON_RESUME = "epochs", "checkpoint_every_s", "trace"  # a request log may move; its content is compared
SAVED = 2.2  # times the memory of a buffer that it takes while a checkpoint of it is written


class StartedRun(NamedTuple):
    """A run about to start: what to say of it, settings, request log, locked folder, and the checkpoint, if any."""

    text: str
    settings: Settings
    log: RequestLog | None
    folder: RunFolder
    saved: dict | None


def check(settings: Settings, learning: bool = True) -> RequestLog | None:
    """Check what no field can tell alone: hardware, memory, request log; return the log.

    A run that is only scored needs neither its buffer nor the environments of training.
    """
    check_device(settings.run.device)
    log = log_of(settings.world)
    check_memory(settings, log, learning)
    return log


class Loaded(NamedTuple):
    """A trained agent, with the settings that it is used with."""

    settings: Settings
    log: RequestLog | None
    epoch: int
    agent: Agent


def load_run(run: str | Path, weights: str = "last", **changes: Any) -> Loaded:
    """Read the agent of a run, to act or to be scored at one load; `changes` are of `WorldConfig` and `RunConfig`."""
    trained, epoch, found = read_weights(weights_path(run, weights))
    before = trained._replace(world=trained.world.at_load(trained.world.load))
    settings = before.changed(by_configuration(changes, "world", "run"))
    gateways, known = settings.world.num_gateways, trained.world.num_gateways
    if gateways != known and trained.learner.network == "mlp":
        raise ConfigError(f"num_gateways: {gateways} is not {known}, as in the run, whose network is mlp")
    log = check(settings, learning=False)
    return Loaded(settings, log, epoch, restore_agent(found, settings))


def check_device(device: str) -> None:
    """Raise `ConfigError` unless torch can use a device here."""
    try:
        torch.ones(1, device=device).sum().item()  # no card, or one that is too old or full, says so here
    except (AssertionError, RuntimeError) as error:
        raise ConfigError(f"device: {device} cannot be used ({first_line(error)}), allowed: cpu") from None


def check_memory(settings: Settings, log: RequestLog | None = None, learning: bool = True) -> None:
    """Raise `ConfigError` if buffer, environments, flows and request log could not fit into this computer's memory."""
    world, learner, run = settings
    transitions = AGENTS[learner.agent].capacity(learner)
    buffer_gb = learning * transitions * (8 * state_dim(world, learner.network) + 14) / 1e9
    if run.device != "cpu" and buffer_gb >= 0.8 * (free_gb := torch.cuda.mem_get_info(run.device)[0] / 1e9):
        raise ConfigError(
            f"buffer_size: {buffer_gb:.1f} GB is not below 80 % of what is free on the GPU, {free_gb:.1f} GB"
        )
    envs = run.final_episodes + learning * (learner.num_envs + run.eval_episodes)
    busiest = world.at_load(world.load_high) if world.load_high else world
    flows = envs * max(world.largest_episode, largest_episode(busiest, log) if log else 0)
    timelines = envs * (world.num_slots + world.max_delay_s / world.slot_s) * world.num_gateways
    of_log = 6 * log.time_s.size if log else 0  # three columns, and what `close_log` makes of them
    numbers = world.num_workshops * world.num_gateways + 3 * timelines + 8 * flows + of_log
    needed_gb = (SAVED - (run.device != "cpu")) * buffer_gb + 8 * numbers / 1e9
    if needed_gb >= 0.8 * (present_gb := memory_limit() / 1e9):
        raise ConfigError(
            f"{'buffer_size, num_envs, ' * learning}final_episodes, num_slots, load: {needed_gb:.1f} GB in all is not "
            f"below 80 % of the memory here, {present_gb:.1f} GB"
        )


def memory_limit(system: Path = Path("/")) -> float:
    """Return the bytes that this process may use: those of the computer, or of its container."""
    if not hasattr(os, "sysconf"):
        return math.inf  # Windows does not say
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with suppress(OSError):  # not Linux
        for line in (system / "proc/self/cgroup").read_text(errors="surrogateescape").splitlines():
            _, controllers, group = line.split(":", 2)
            version_1 = "memory" in controllers.split(",")
            top = system / "sys/fs/cgroup" / ("memory" if version_1 else "")
            own = top / group.lstrip("/")
            for folder in (own, *own.parents):
                with suppress(OSError, ValueError):  # no limit is the word "max"
                    limits.append(int((folder / f"memory.{'limit_in_bytes' if version_1 else 'max'}").read_text()))
    return min(limits)


def start_run(preset: str = "paper", given: dict[str, dict] | None = None, folder: str = "") -> StartedRun:
    """Check a new run, its preset changed by settings that are given by configuration; then make its folder.

    Without the name of a folder, a new one is made in `runs`.
    """
    settings = preset_settings(preset, given or {})
    log = check(settings)
    name = folder or f"runs/{settings.learner.agent}-{preset}-{datetime.now():%Y%m%d-%H%M%S}"
    with ExitStack() as on_error:
        made = on_error.enter_context(create(Path(name), unique=not folder))
        text = headline(settings, log, f"{made.path}{departures(settings)}", f", preset {preset}")
        on_error.pop_all()
    return StartedRun(text, settings, log, made, None)


def headline(settings: Settings, log: RequestLog | None, folder: str, preset: str = "") -> str:
    """Say what runs, on which traffic, where, and in a line of its own what was read of the request log."""
    run, world = f"agent {settings.learner.agent}{preset}, seed {settings.run.seed}", settings.world
    of_log = f"\n{describe_log(world.at_load(world.load), log)}" if log else ""
    return f"edgediff, {run}, {traffic_label(world)}; run folder {folder}{of_log}"


def departures(settings: Settings) -> str:
    """Return a line of the settings of world and agent that are not those of the paper; "" if there are none."""
    agent = settings.learner.agent
    others = tuple(f"{name}_" for name in AGENTS if name != agent)
    changed = [
        f"{f.name} {value:g}" if isinstance(value := getattr(config, f.name), float) else f"{f.name} {value}"
        for config in (settings.world, settings.learner)
        for f in fields(config)
        if getattr(config, f.name) != f.default and f.name != "agent" and not f.name.startswith(others)
    ]
    return f"\nnot as in the paper: {', '.join(changed)}" if changed else ""


def resume_run(run: str | Path, given: dict[str, dict] | None = None) -> StartedRun:
    """Read the newest checkpoint of a run, and check the changes to its settings, given by configuration."""
    path = Path(run)
    with ExitStack() as on_error:
        folder, saved = reopen(path)
        on_error.enter_context(folder)
        settings = extend(stored_settings(saved, path), given or {}, saved["progress"])
        log = check(settings)
        if fingerprint(log) != saved["trace"]:
            raise ConfigError(f"trace: {settings.world.trace} is not what it was when the run began")
        on_error.pop_all()
    text = headline(settings, log, f"{path} goes on after epoch {saved['progress']['epoch']}")
    for line in saved["progress"]["extended"]:
        text += f"\nextended: {line}"
    for name, now in versions().items():
        if (before := saved["versions"].get(name)) != now:
            text += f"\nnote: {name} is now {now}; bit for bit the same only with {before}"
    return StartedRun(text, settings, log, folder, saved)


def extend(before: Settings, given: dict[str, dict], progress: dict) -> Settings:
    """Return the settings of a resumed run; note changes in its progress. `ConfigError` if one changes the result."""
    for name, config in before._asdict().items():
        for key, value in given.get(name, {}).items():
            old = getattr(config, key)
            if value != old and key not in CHANGEABLE_ON_RESUME:
                raise ConfigError(f"{key}: {value} is not {old}, as in the run, and would change its result")
            if key == "epochs" and value < old:
                raise ConfigError(f"epochs: {value} is not at least {old}, as in the run")
            if value != old and key != "trace":
                note = "; evaluation.csv keeps the evaluation at the old end" if key == "epochs" else ""
                progress["extended"].append(f"{key}: {old} -> {value}, after epoch {progress['epoch']}{note}")
    return before.changed(given)
