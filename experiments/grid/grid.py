"""What a grid of experiments consists of, and how it is spread into jobs with settings that were checked."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

from edgediff.config import CONFIGS, Settings, WorldConfig, preset_settings
from edgediff.errors import ConfigError
from edgediff.learner.agent import Agent
from edgediff.learner.agents import AGENTS
from edgediff.world.rules import all_rules
from edgediff.world.state import state_of
from experiments.variants.planning import PLANNERS

OWNER = {f.name: config for config, config_class in CONFIGS.items() for f in fields(config_class)}
OF_POLICY = "mode", "eval_draws", "weights", "planner_horizon"  # how an agent is evaluated; the rest is of the world
LONGEST_NAME = 150


@dataclass(frozen=True)
class Variant:
    """What is changed for learners: settings, the class of the agent, the function of the state, Eq. (11)."""

    settings: dict[str, Any] = field(default_factory=dict)
    agent_class: type[Agent] | None = None
    observe: Callable | None = None  # None: as the network needs it


class Scoring(NamedTuple):
    """One score of a frozen policy: the label of its row, its settings, and how the policy decides."""

    label: str
    settings: Settings
    mode: str = ""
    weights: str = "averaged"
    planner_horizon: int = 0


@dataclass(frozen=True)
class Job:
    """One training run and its scores, or the scores of a rule, which uses only the world of its settings."""

    agent: str
    seed: int
    label: str
    settings: Settings
    variant: Variant
    evaluate: tuple[dict[str, Any], ...]
    episodes: int

    @property
    def agent_class(self) -> type[Agent] | None:
        """The class that learns, None for a rule."""
        return self.variant.agent_class or AGENTS.get(self.agent)

    @property
    def observe(self) -> Callable:
        """The function that makes the state."""
        return self.variant.observe or state_of(self.settings.learner.network)

    def scorings(self) -> list[Scoring]:
        """Return one entry per score: for a rule per traffic, for an agent per mode that it has, each once."""
        if not self.agent_class:
            distinct = {settings.world: settings for settings in map(self.evaluated, self.evaluate)}
            return [Scoring(self.label, settings) for settings in distinct.values()]
        found, modes = [], self.agent_class.MODES
        for given in self.evaluate:
            mode = given.get("mode", modes[0])
            usual = {name: value for name, value in given.items() if name != "mode"}
            if mode in modes and not ("mode" in given and mode == modes[0] and usual in self.evaluate):
                label = ", ".join([self.label, *(f"{name} {given[name]}" for name in OF_POLICY if name in given)])
                how = given.get("weights", "averaged"), given.get("planner_horizon", 0)
                found.append(Scoring(label, self.evaluated(given), mode, *how))
        return found

    @cached_property
    def scored_world(self) -> WorldConfig:
        """The world of all scores, before their changes; a score is at one load."""
        return self.settings.world.at_load(self.settings.world.load)

    def evaluated(self, given: dict[str, Any]) -> Settings:
        """Return the settings for one entry of `evaluate`."""
        changes = {name: value for name, value in given.items() if name not in OF_POLICY}
        run = replace(self.settings.run, eval_draws=given.get("eval_draws", self.settings.run.eval_draws))
        return self.settings._replace(world=replace(self.scored_world, **changes), run=run)


@dataclass(frozen=True)
class Grid:
    """Agents times variants times seeds; rules, which learn nothing, have no variants.

    `evaluate` lists what every frozen policy is scored on, `episodes` held out for each: settings of the world, and of
    the policy `mode`, `eval_draws`, `weights` (averaged or last), or `planner_horizon` for a planner that goes on with
    the greedy rule or the agent.
    """

    name: str  # also of the folder of results
    agents: tuple[str, ...]
    seeds: tuple[int, ...]
    evaluate: tuple[dict[str, Any], ...]
    episodes: int = 32
    preset: str = "quick"
    settings: dict[str, Any] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)

    def jobs(self) -> dict[str, Job]:
        """Return all jobs by the names of their files; `ConfigError` names what is wrong."""
        jobs: dict[str, Job] = {}
        for agent, variant, seed in product(self.agents, self.variants or [""], self.seeds):
            variant = variant if agent in AGENTS else ""
            name = "-".join(part for part in (agent, variant, str(seed)) if part)
            name = "".join(c if c.isascii() and c.isalnum() or c in "-." else "_" for c in name)
            changes = self.variants.get(variant, Variant())
            settings = self._settings(agent, seed, changes.settings)
            job = Job(agent, seed, variant or agent, settings, changes, self.evaluate, self.episodes)
            self._check(job)
            if len(name) > LONGEST_NAME:
                raise ConfigError(f"{self.name}: the name {name:.40}... is longer than {LONGEST_NAME} characters")
            if jobs.setdefault(name, job) != job:
                raise ConfigError(f"{self.name}: two jobs have the name {name}; rename a variant")
        return jobs

    def _settings(self, agent: str, seed: int, changes: dict[str, Any]) -> Settings:
        given: dict[str, dict] = {config: {} for config in CONFIGS}
        for name, value in (self.settings | changes).items():
            if name not in OWNER or name in ("agent", "seed"):
                raise ConfigError(f"{self.name}: {name} is not a setting that a grid or a variant can change")
            given[OWNER[name]][name] = value
        given["learner"] |= {"agent": agent} if agent in AGENTS else {}
        given["run"]["seed"] = seed
        return preset_settings(self.preset, given)

    def _check(self, job: Job) -> None:
        """Check what would otherwise be found after training, or never."""
        known, modes = [*AGENTS, *all_rules(), *PLANNERS], {mode for each in AGENTS.values() for mode in each.MODES}
        if job.agent not in known:
            raise ConfigError(f"{self.name}: agents: {job.agent!r} is not one of {', '.join(known)}")
        if job.agent_class and not issubclass(job.agent_class, AGENTS[job.agent]):
            raise ConfigError(f"{self.name}: variants: {job.label}: {job.agent_class.__name__} is no {job.agent}")
        for given in job.evaluate:
            for name in given:
                if name not in OF_POLICY and (OWNER.get(name) != "world" or name == "num_gateways"):
                    raise ConfigError(f"{self.name}: evaluate: {name} cannot be changed after training")
            if given.get("mode", "sample") not in modes:
                raise ConfigError(f"{self.name}: evaluate: mode: {given['mode']!r} is not one of {sorted(modes)}")
            if given.get("weights", "last") not in ("averaged", "last"):
                raise ConfigError(f"{self.name}: evaluate: weights: {given['weights']!r} is not one of averaged, last")
            job.evaluated(given)
