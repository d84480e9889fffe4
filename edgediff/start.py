"""How a run starts: anew, in a folder of its own, or from the newest state of one that was stopped or killed.

Everything a user can get wrong is refused here, before a new folder is made or an old one is touched.
"""

from datetime import datetime
from pathlib import Path

from edgediff.checkpoint import resumed_settings, versions
from edgediff.commandline import given_fields, set_up_torch
from edgediff.config import LearnerConfig, WorldConfig, check_memory, preset_fields
from edgediff.errors import ConfigError
from edgediff.evaluate import traffic_label
from edgediff.runfolder import create, generations, lock, newest_state, require_state
from edgediff.trace import fingerprint, load_trace


def begin(args) -> tuple:
    """Check the settings of a new run and make its folder; return both, its locked folder, and no state."""
    preset = args.preset or "paper"
    given = given_fields(args, LearnerConfig)
    config = LearnerConfig(**preset_fields(preset, given.get("agent", LearnerConfig.agent)) | given)
    world = WorldConfig(**given_fields(args, WorldConfig))
    set_up_torch(config)
    check_memory(world, config)
    if world.trace:
        load_trace(world.trace)  # a bad one is refused before anything is written
    run = Path(args.run or f"runs/{config.agent}-{preset}-{datetime.now():%Y%m%d-%H%M%S}")
    create(run)
    held = lock(run)
    if generations(run):
        raise ConfigError(f"run: {run} has just been started by another process")
    who = f"agent {config.agent}, preset {preset}, seed {config.seed}"
    print(f"edgediff, {who}, {traffic_label(world)}; run folder {run}")
    return world, config, run, None, held


def resume(args) -> tuple:
    """Read the newest state of a run; refuse what would change its result, and say what extends it."""
    run = Path(args.resume)
    if args.run is not None:
        raise ConfigError(f"run: {args.run} is given beside --resume, which names the folder already")
    if args.preset is not None:
        raise ConfigError(f"preset: {args.preset} is given beside --resume, which takes the settings of the run")
    require_state(run)  # a folder of something else gets no lock file
    held = lock(run)
    saved = newest_state(run)
    world, config = resumed_settings(saved, given_fields(args, WorldConfig), given_fields(args, LearnerConfig))
    set_up_torch(config)
    check_memory(world, config)
    if fingerprint(load_trace(world.trace) if world.trace else None) != saved["trace"]:
        raise ConfigError(f"trace: {world.trace} is not what it was when the run began")
    at = saved["progress"]
    print(f"edgediff, agent {config.agent}, seed {config.seed}, {traffic_label(world)}; "
          f"run folder {run} goes on in epoch {at['epoch']}")  # fmt: skip
    for line in at["extended"]:
        print(f"extended: {line}")
    for name, version in versions().items():
        if saved["versions"].get(name) != version:
            print(f"note: {name} is now {version}; bit for bit the same only with {saved['versions'].get(name)}")
    return world, config, run, saved, held
