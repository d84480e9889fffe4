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
from edgediff.run.process import run_program
from edgediff.world.decision import View
from edgediff.world.rules import RULES, all_rules


class RuleAgent:
    """A rule with the methods of an agent that the controller calls. Its state is world and view."""

    def __init__(self, rule: str):
        self.rule, self.policy = rule, all_rules()[RULES[rule]]

    def checked_mode(self, mode: str) -> str:
        """Return the mode; a rule has none."""
        return mode

    def evaluation_stream(self) -> torch.Generator:
        """Return a stream that no rule draws from."""
        return torch.Generator()

    def act_with_probabilities(self, state: tuple[WorldConfig, View], *_) -> tuple[np.ndarray, np.ndarray]:
        """Return the rule's action and all the probability on it."""
        action = self.policy(*state)
        return action, np.eye(state[0].num_actions)[action]


class RuleController(Controller):
    """The controller with a rule."""

    def __init__(self, rule: str, world: WorldConfig):
        super().__init__(RuleAgent(rule), Settings(world, LearnerConfig(network="shared"), RunConfig()))

    def _warm_up(self) -> None:
        self.state_of_view = lambda world, view: (world, view)
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
