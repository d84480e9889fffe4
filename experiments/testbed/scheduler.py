"""What decides in a testbed: a rule by its name, or a run. Both as a process, and in the simulator for comparison."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgediff.config import LearnerConfig, RunConfig, Settings, WorldConfig
from edgediff.errors import ConfigError
from edgediff.run.process import set_up_torch
from edgediff.run.scores import agent_policy
from edgediff.run.weights import read_weights, restore_agent, weights_path
from edgediff.world.rollout import rollout
from edgediff.world.rules import RULES, all_rules
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT


class Scheduler(NamedTuple):
    """A rule or a run, with the settings that it is tried with."""

    name: str
    settings: Settings
    weights: dict | None  # of a run
    trained_gateways: int | None  # of a run

    @property
    def module(self) -> tuple[str, ...]:
        """Return the module, and the first arguments, of the process that decides."""
        if self.weights is None:
            return "experiments.testbed.rules", self.name
        return "edgediff.control", self.name, "--device", self.settings.run.device  # that of `simulated`, too

    @property
    def label(self) -> str:
        """Return what a table calls it."""
        return RULES.get(self.name, f"{self.settings.learner.agent} of {self.name}")

    def simulator(self, kind: type[Simulator] = Simulator) -> Simulator:
        """Return a simulator of one environment with the state that the scheduler sees."""
        return kind.of(self.settings)

    def simulated(self, kind: type[Simulator] = Simulator) -> dict[str, np.ndarray]:
        """Play the same flows in a simulator; return the outcome of each, as `rollout` does."""
        policy: Callable = all_rules()[RULES[self.name]] if self.weights is None else self._agent_policy()
        return rollout(self.simulator(kind), policy, self.traffic_seed)

    @property
    def traffic_seed(self) -> int:
        """Return the seed of the traffic: held-out, one for each seed, as in the grids."""
        return HELD_OUT + 1 + self.settings.run.seed

    def _agent_policy(self) -> Callable:
        set_up_torch(self.settings.run)
        return agent_policy(restore_agent(self.weights, self.settings), self.settings.run)[1]


def find(name: str, given: dict[str, dict]) -> Scheduler:
    """Return the scheduler of a name; `given` are settings from the command line."""
    if name in RULES:
        settings = Settings(WorldConfig(), LearnerConfig(network="shared"), RunConfig()).changed(given)
        return Scheduler(name, settings, None, None)
    if not Path(name).exists():
        raise ConfigError(f"scheduler: {name!r} is neither the folder of a run nor one of {', '.join(RULES)}")
    trained, _, weights = read_weights(weights_path(name, "last"))
    before = trained._replace(world=trained.world.at_load(trained.world.load))
    settings = before.changed(given)
    gateways, known = settings.world.num_gateways, trained.world.num_gateways
    if gateways != known and trained.learner.network == "mlp":
        raise ConfigError(f"num_gateways: {gateways} is not {known}, as in the run, whose network is mlp")
    return Scheduler(name, settings._replace(run=replace(settings.run, device="cpu")), weights, known)
