"""A rule in the place of an agent, behind the socket of a controller. Started by the testbed."""

import asyncio
import json
import sys
from pathlib import Path

import numpy as np
import torch

from edgediff.config import LearnerConfig, RunConfig, Settings, WorldConfig
from edgediff.control.__main__ import serve
from edgediff.control.controller import Controller
from edgediff.control.protocol import LineProtocol
from edgediff.run.commandline import run_program
from edgediff.world.decision import Outcome, View
from edgediff.world.knowledge import all_outcomes
from edgediff.world.rules import GREEDY, PRICED, PRICED_BY_LOAD, all_rules

RULES = {
    "round-robin": "round robin, level 2",
    "most-available": "most available",
    "greedy": GREEDY,
    "prices": PRICED,
    "prices-load": PRICED_BY_LOAD,
}


class Reported:
    """What a rule asks a simulator for, from a report: one environment, as it is now."""

    num_envs = 1

    def __init__(self, world: WorldConfig, view: View):
        self.world, self._view = world, view

    def view(self) -> View:
        """Return what is known at the present decision."""
        return self._view

    def outcomes(self) -> Outcome:
        """Return the outcome of all actions."""
        return all_outcomes(self.world, self._view)


class RuleAgent:
    """A rule with the methods of an agent that the controller calls. Its state is a `Reported`."""

    def __init__(self, rule: str):
        self.rule, self.policy = rule, all_rules()[RULES[rule]]

    def checked_mode(self, mode: str) -> str:
        """Return the mode; a rule has none."""
        return mode

    def evaluation_stream(self) -> torch.Generator:
        """Return a stream that no rule draws from."""
        return torch.Generator()

    def act_with_probabilities(self, state: Reported, *_) -> tuple[np.ndarray, np.ndarray]:
        """Return the rule's action and all the probability on it."""
        action = self.policy(None, state)
        return action, np.eye(state.world.num_actions)[action]


class RuleController(Controller):
    """The controller with a rule."""

    def __init__(self, rule: str, world: WorldConfig):
        super().__init__(RuleAgent(rule), Settings(world, LearnerConfig(network="shared"), RunConfig()))

    def _warm_up(self) -> None:
        self.observe = Reported
        super()._warm_up()
        self.agent = self.for_gateways[self.world.num_gateways][1]
        self.agent.policy = all_rules()[RULES[self.agent.rule]]  # round robin has counted


def main(argv: list[str]) -> int:
    """Serve the decisions of a rule until a signal comes."""
    rule, job, path = argv
    world = WorldConfig(**json.loads(Path(job).read_text())["world"])
    asyncio.run(serve(LineProtocol(RuleController(rule, world)), path))
    return 0


if __name__ == "__main__":
    sys.exit(run_program("rules", main))
