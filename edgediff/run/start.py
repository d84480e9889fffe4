"""How a run starts: anew, in a folder of its own, or from the newest state of one that was stopped or killed.

Every mistake is refused here, before a new folder is made or an old one is changed.
"""

import argparse
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from edgediff.config import Settings, check_memory, preset_settings, versions
from edgediff.errors import ConfigError
from edgediff.run.commandline import given_settings, set_up_torch
from edgediff.run.folder import create, reopen
from edgediff.run.scores import traffic_label
from edgediff.run.weights import stored_settings
from edgediff.world.trace import fingerprint, largest_window, load_trace

CHANGEABLE_ON_RESUME = "epochs", "checkpoint_every_s", "trace"  # a request log may move; its content is compared


def check(settings: Settings) -> str:
    """Check what no field can tell alone: hardware, memory, request log; return the fingerprint of the log."""
    set_up_torch(settings.run)
    trace = load_trace(settings.world.trace) if settings.world.trace != "none" else None
    check_memory(settings, largest_window(settings.world, trace) if trace else 0)
    return fingerprint(trace)


def begin(args: argparse.Namespace) -> tuple:
    """Check a new run, then make its folder; return settings, folder, open lock, identity and no state."""
    settings, preset = preset_settings(args.preset or "paper", given_settings(args)), args.preset or "paper"
    check(settings)
    name = args.run or f"runs/{settings.learner.agent}-{preset}-{datetime.now():%Y%m%d-%H%M%S}"
    run, handle, identity = create(Path(name), unique=not args.run)
    print(f"edgediff, agent {settings.learner.agent}, preset {preset}, seed {settings.run.seed}, "
          f"{traffic_label(settings.world)}; run folder {run}")  # fmt: skip
    return settings, run, handle, identity, None


def resume(args: argparse.Namespace) -> tuple:
    """Read the newest state of a run; return settings, folder, open lock, identity and state."""
    run = Path(args.resume)
    for flag in ("run", "preset"):
        if getattr(args, flag):
            raise ConfigError(f"{flag}: {getattr(args, flag)} cannot be given together with --resume")
    handle, saved = reopen(run)
    settings = extend(stored_settings(saved, run), given_settings(args), saved["progress"])
    if check(settings) != saved["trace"]:
        raise ConfigError(f"trace: {settings.world.trace} is not what it was when the run began")
    print(f"edgediff, agent {settings.learner.agent}, seed {settings.run.seed}, {traffic_label(settings.world)}; "
          f"run folder {run} goes on after epoch {saved['progress']['epoch']}")  # fmt: skip
    for line in saved["progress"]["extended"]:
        print(f"extended: {line}")
    for name, version in versions().items():
        if saved["versions"].get(name) != version:
            print(f"note: {name} is now {version}; bit for bit the same only with {saved['versions'].get(name)}")
    return settings, run, handle, saved["identity"], saved


def extend(before: Settings, given: dict[str, dict], progress: dict) -> Settings:
    """Return the settings of a resumed run; note changes in its progress. `ConfigError` if one changes the result."""
    for name, config in before._asdict().items():
        for key, value in given[name].items():
            old = getattr(config, key)
            if value != old and key not in CHANGEABLE_ON_RESUME:
                raise ConfigError(f"{key}: {value} is not {old}, as in the run, and would change its result")
            if key == "epochs" and value < old:
                raise ConfigError(f"epochs: {value} is not at least {old}, as in the run")
            if value != old and key != "trace":
                note = "; evaluation.csv keeps the evaluation at the old end" if key == "epochs" else ""
                progress["extended"].append(f"{key}: {old} -> {value}, after epoch {progress['epoch']}{note}")
    return Settings(*(replace(config, **given[name]) for name, config in before._asdict().items()))
