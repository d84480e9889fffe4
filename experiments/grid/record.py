"""grid.json: the settings and the code that each result of a grid was made with, and what has changed since then."""

import json
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import Any

from edgediff.config import CONFIGS
from edgediff.errors import ConfigError, first_line
from edgediff.learner.agents import AGENTS
from edgediff.run.files import write_atomically
from experiments.grid.fingerprint import code_of
from experiments.grid.grid import Job

DEFAULTS = {f"{config}.{f.name}": f.default for config, config_class in CONFIGS.items() for f in fields(config_class)}
CODE = "job.code"  # fingerprint of what made a result; by another code it stays valid


def made_with(job: Job) -> dict[str, Any]:
    """Return all that the result of a job depends on, by names like `learner.gamma`, ready for JSON."""
    settings = {
        f"{config}.{name}": value for config, of in job.settings.as_dict().items() for name, value in of.items()
    }
    agent_class, observe = job.variant.agent_class, job.observe
    settings |= {
        "job.agent_class": agent_class.__name__ if agent_class else None,
        "job.observe": getattr(observe, "__name__", None) or repr(observe),
        "job.evaluate": list(job.evaluate),
        "job.episodes": job.episodes,
    }
    return of_agent(job.agent, settings)


def of_agent(agent: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that concern an agent: not those that carry another's name, and for a rule no learner's."""
    others = tuple(f"learner.{name}_" for name in AGENTS if name != agent) if agent in AGENTS else ("learner.",)
    return {name: value for name, value in settings.items() if not name.startswith(others)}


def difference(stored: dict[str, Any], job: Job) -> str:
    """Say which setting a result was made with that its job does not have today; "" if there is none.

    A setting that is new since then had what is its default today.
    """
    before, today = of_agent(job.agent, DEFAULTS | stored), made_with(job)
    before.pop(CODE, None)
    changed = [name for name in sorted(before | today) if before.get(name) != today.get(name)]
    return f"{changed[0]} {before.get(changed[0])}, which is {today.get(changed[0], 'gone')} now" if changed else ""


def code_note(path: Path, jobs: dict[str, Job], done: Collection[str]) -> str:
    """Say which results were made by other code than today's, and of how many it is not known; "" if of none."""
    made = {name: stored.get(CODE) for name, stored in read_record(path).items() if name in done}
    other = [name for name, code in sorted(made.items()) if code and code != code_of(jobs[name])]
    unknown = sum(code is None for code in made.values())
    notes = [f"made by other code than today's: {', '.join(other)}"] * bool(other)
    return "; ".join(notes + [f"made by unknown code: {unknown} of {len(made)} results"] * bool(unknown))


def write_record(path: Path, jobs: dict[str, Job], done: Collection[str] = ()) -> None:
    """Write grid.json, unless it says the same already: the settings once, then per job what differs from them.

    Jobs that are done keep the code that made them; the others will be made by that of today.
    """
    stored, made, usual = read_record(path) if done else {}, {name: made_with(job) for name, job in jobs.items()}, {}
    for settings in made.values():
        usual = settings | usual  # the first job that has a setting
    usual = {name: value for name, value in usual.items() if name not in ("learner.agent", "run.seed")}
    for name, settings in made.items():
        if code := stored[name].get(CODE) if name in done else code_of(jobs[name]):
            settings[CODE] = code
    differs = {
        name: {key: value for key, value in settings.items() if key not in usual or value != usual[key]}
        for name, settings in made.items()
    }
    parts = [
        f'  "{title}": {{\n' + ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in part.items()) + "\n  }"
        for title, part in (("settings", usual), ("jobs", differs))
    ]
    text = "{\n" + ",\n".join(parts) + "\n}\n"  # an entry a line
    if not path.exists() or path.read_text() != text:
        write_atomically(path, text.encode())


def read_record(path: Path) -> dict[str, dict[str, Any]]:
    """Return the settings of each job of grid.json; nothing if there is no such file."""
    try:
        content = json.loads(path.read_text()) if path.exists() else {"settings": {}, "jobs": {}}
        return {name: content["settings"] | changes for name, changes in content["jobs"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(f"results: {path} cannot be read ({first_line(error)})") from None
