"""Rules behind the protocol of the controller decide as in the simulator."""

import json

import numpy as np
import pytest

from edgediff.config import WorldConfig
from edgediff.control.protocol import LineProtocol
from edgediff.world.rollout import rollout
from edgediff.world.rules import RULES, all_rules
from edgediff.world.simulator import Simulator
from experiments.testbed.rules import RuleController
from experiments.timing.drive_controller import KEPT, drive

WORLD = WorldConfig(load=2.0, num_slots=60)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_behind_the_protocol_decides_every_flow_as_in_the_simulator(rule):
    protocol = LineProtocol(RuleController(rule, WORLD))
    driven = drive(lambda line: json.loads(protocol.answer(json.dumps(line).encode())), Simulator(WORLD), 5)
    wanted = rollout(Simulator(WORLD), all_rules()[RULES[rule]], 5)
    assert len(wanted["reward"]) > 80
    assert all(np.array_equal(driven[name], wanted[name]) for name in KEPT)


def test_round_robin_begins_with_the_first_gateway_whatever_the_warm_up_has_taken():
    controller = RuleController("round-robin", WORLD)
    report = {"available_bps": [5e7] * 8, "backlog_bits": [0.0] * 8, "available_tflops": 3000.0}
    flow = {"data_bits": 1e6, "work_tflop": 1.0, "priority": 1, "deadline_s": 1.0}
    assert [decision.gateway for decision in controller.decide_slot(report, [flow] * 10)] == [*range(8), 0, 1]
