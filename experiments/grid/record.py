"""What a result was made with: the settings and the code of its job, and what has changed since then."""

from dataclasses import fields
from typing import Any

from edgediff.config import CONFIGS
from edgediff.learner.agents import AGENTS
from experiments.grid.fingerprint import code_of
from experiments.grid.grid import Job

DEFAULTS = {f"{config}.{f.name}": f.default for config, config_class in CONFIGS.items() for f in fields(config_class)}


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
    changed = [name for name in sorted(before | today) if before.get(name) != today.get(name)]
    return f"{changed[0]} {before.get(changed[0])}, which is {today.get(changed[0], 'gone')} now" if changed else ""


def code_note(done: dict[str, str], jobs: dict[str, Job]) -> str:
    """Say which results were made by other code than today's, and of how many it is not known; "" if of none."""
    other = [name for name, code in sorted(done.items()) if code != "unknown" and code != code_of(jobs[name])]
    unknown = sum(code == "unknown" for code in done.values())
    notes = [f"made by other code than today's: {', '.join(other)}"] * bool(other)
    return "; ".join(notes + [f"made by unknown code: {unknown} of {len(done)} results"] * bool(unknown))
