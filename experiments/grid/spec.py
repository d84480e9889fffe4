"""A spec: what a grid of experiments consists of, read from JSON and spread into jobs.

Fields: `name`, also of the folder of results; `preset`; `agents`, learners and rules; `seeds`; `episodes`, held out, of
every score; `evaluate`, a list of traffic to score on: changed settings of the world, `mode` and `eval_draws` of the
policy, and `planner_horizon` for a planner that goes on with the greedy rule or the agent; `settings`, changed for all;
`variants`, by name: settings changed for learners, `class`, a class of variants.py in place of d2sac, and `state`, a
form of states.py in place of the usual state. `settings` and `variants` may be left out.
"""

import json
from dataclasses import fields, replace
from itertools import product
from pathlib import Path

from edgediff.config import CONFIGS, PRESETS, Settings, WorldConfig, preset_settings
from edgediff.errors import ConfigError, first_line
from edgediff.learner.agents import AGENTS
from edgediff.world.rules import all_rules
from experiments.variants.agents import VARIANTS
from experiments.variants.observations import STATES
from experiments.variants.planning import PLANNERS

FIELDS = {"name": str, "preset": str, "agents": list, "seeds": list, "episodes": int, "evaluate": list,
          "settings": dict, "variants": dict}  # fmt: skip
OPTIONAL = {"settings": {}, "variants": {}}
OWNER = {f.name: config for config, config_class in CONFIGS.items() for f in fields(config_class)}
OF_POLICY = ("mode", "eval_draws", "planner_horizon")  # how an agent is evaluated
MODES = sorted({mode for agent in AGENTS.values() for mode in agent.MODES})
LONGEST_NAME = 150


def load_spec(path: str) -> dict:
    """Read and check a spec; `ConfigError` names the field that is wrong."""
    try:
        spec = json.loads(Path(path).read_text(), object_pairs_hook=_each_key_once)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"spec: {path}: {first_line(error)}") from None
    if not isinstance(spec, dict):
        raise ConfigError(f"spec: {path}: not a JSON object")
    spec = OPTIONAL | spec
    for name in [*FIELDS, *spec]:
        if name not in FIELDS or name not in spec or type(spec[name]) is not FIELDS[name]:
            kinds = ", ".join(f"{key} ({kind.__name__})" for key, kind in FIELDS.items())
            raise ConfigError(f"spec: {name}: unknown, missing or of the wrong kind; fields are {kinds}")
    known = [*AGENTS, *all_rules(), *PLANNERS]
    for agent in spec["agents"]:
        _require(agent in known, "agents", agent, f"one of {', '.join(known)}")
    for name in ("agents", "seeds", "evaluate"):
        _require(spec[name], name, spec[name], "a list with at least one entry")
    _require(1 <= spec["episodes"] <= 10_000, "episodes", spec["episodes"], "a whole number from 1 to 10000")
    _require(spec["preset"] in PRESETS, "preset", spec["preset"], f"one of {', '.join(PRESETS)}")
    plain = spec["name"].isidentifier() and spec["name"].isascii() and len(spec["name"]) <= LONGEST_NAME
    _require(plain, "name", spec["name"], f"a plain word of at most {LONGEST_NAME} characters")
    _check_keys("settings", spec["settings"], OWNER)
    for variant, given in spec["variants"].items():
        _check_keys(f"variants: {variant:.40}", given, (*OWNER, "class", "state"))
        for key, known, usual in (("class", [*VARIANTS], "D2SAC"), ("state", [*STATES], "observe")):
            _require(given.get(key, usual) in known, key, given.get(key), f"one of {', '.join(known)}")
    for given in spec["evaluate"]:
        _check_keys("evaluate", given, (*(f.name for f in fields(WorldConfig)), *OF_POLICY))
        horizon = given.get("planner_horizon", 0)
        _require(type(horizon) is int and 0 <= horizon <= 1000, "planner_horizon", horizon, "a whole number up to 1000")
        _require(given.get("mode", MODES[0]) in MODES, "mode", given.get("mode"), f"one of {', '.join(MODES)}")
    return spec


def jobs_of(spec: dict) -> dict[str, dict]:
    """Spread a spec into jobs by name, each checked: agents x variants x seeds. Rules have no variants."""
    jobs = {}
    for agent, variant, seed in product(spec["agents"], spec["variants"] or [""], spec["seeds"]):
        learner = agent in AGENTS
        changes = dict(spec["variants"].get(variant, {})) if learner else {}
        name = "-".join(part for part in (agent, variant if learner else "", str(seed)) if part)
        name = "".join(c if c.isascii() and c.isalnum() or c in "-." else "_" for c in name)
        job = dict(agent=agent, seed=seed, preset=spec["preset"], variant=variant if learner and variant else agent,
                   evaluate=spec["evaluate"], episodes=spec["episodes"], agent_class=changes.pop("class", "D2SAC"),
                   state=changes.pop("state", "observe"), settings=spec["settings"] | changes)  # fmt: skip
        if len(name) > LONGEST_NAME:
            raise ConfigError(f"spec: variants: the name {name:.40}... is longer than {LONGEST_NAME} characters")
        if jobs.get(name, job) != job:
            raise ConfigError(f"spec: two jobs would have the same name, {name}; rename a variant")
        if agent != "d2sac" and job["agent_class"] != "D2SAC":
            raise ConfigError(f"spec: variants: {variant}: class is for d2sac alone, and {agent} is among the agents")
        settings = settings_of(job)
        for given in spec["evaluate"]:
            evaluated = frozen(settings, given)
            if evaluated.world.num_gateways != settings.world.num_gateways:
                raise ConfigError("spec: evaluate: num_gateways cannot change after training")
        jobs[name] = job
    return jobs


def settings_of(job: dict) -> Settings:
    """Build and check the settings of a job; a rule has those of d2sac and uses only the world."""
    given = {config: {} for config in CONFIGS}
    for name, value in job["settings"].items():
        given[OWNER[name]][name] = value
    given["learner"] |= {"agent": job["agent"]} if job["agent"] in AGENTS else {}
    given["run"]["seed"] = job["seed"]
    return preset_settings(job["preset"], given)


def frozen(settings: Settings, given: dict) -> Settings:
    """Return the settings for one entry of `evaluate`."""
    of_run = {name: value for name, value in given.items() if name == "eval_draws"}
    of_world = {name: value for name, value in given.items() if name not in OF_POLICY}
    world = settings.world.at_load(settings.world.load)  # scores are at one load
    return settings._replace(world=replace(world, **of_world), run=replace(settings.run, **of_run))


def _each_key_once(pairs: list[tuple]) -> dict:
    if len(dict(pairs)) < len(pairs):
        raise ValueError(f"a key stands twice in {[key for key, _ in pairs]}")
    return dict(pairs)


def _check_keys(where: str, given, allowed) -> None:
    _require(isinstance(given, dict), where, given, "an object of settings, like {}")
    for key in given:
        if key in ("agent", "seed"):
            raise ConfigError(f"spec: {where}: {key} is set by the fields agents and seeds of the spec, not here")
        _require(key in allowed, where, key, "a setting that can be given here")


def _require(good, name: str, value, allowed: str) -> None:
    if not good:
        raise ConfigError(f"spec: {name}: {value!r:.60} is not {allowed}")
