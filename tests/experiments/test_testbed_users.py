"""The users' process, with a controller that takes its time."""

import asyncio
import json

import numpy as np

from edgediff.config import WorldConfig
from experiments.testbed.users import Users

FLOW = {"slot": 0, "kind": 1, "data_bits": 1e6, "work_tflop": 1.0, "deadline_s": 0.5}
ANSWER = {"gateway": 1, "level": 0, "rate_bps": 2e6, "compute_tflops": 8.0, "dropped": True, "delay_s": 0.6}


class Network:
    """Gateways that report what was set."""

    def __init__(self):
        self.available_bps = [5e6, 8e6]

    def measured(self):
        return {"unsent_bits": np.zeros(2), "fifo_bits": np.zeros(2), "available_bps": np.array(self.available_bps)}

    def report(self, measured):
        return {"available_bps": measured["available_bps"].tolist()}


class Controller:
    """A controller during whose decision the next slot begins, with less bandwidth."""

    def __init__(self, network):
        self.network, self.told = network, []

    def write(self, line):
        self.told.append(json.loads(line))

    async def readline(self):
        self.network.available_bps = [5e6, 0.0]
        return json.dumps(ANSWER).encode() + b"\n"


def test_a_flow_is_noted_with_what_its_decision_was_made_on():
    users = Users.__new__(Users)
    network = Network()
    users.world, users.first, users.job = WorldConfig(num_gateways=2), [0, 1], {"further_report": {}}
    users.gateways, users.rows, users.asked_ms, users.start_s = network, {}, [], 0.0
    users.reader = users.writer = controller = Controller(network)
    asyncio.run(users._decide(0, FLOW))
    assert controller.told[0]["flow"] == {"data_bits": 1e6, "work_tflop": 1.0, "deadline_s": 0.5}
    assert controller.told[0]["available_bps"] == [5e6, 8e6] and network.available_bps == [5e6, 0.0]
    assert users.rows[0]["available_bps"] == 8e6 and users.rows[0]["gateway"] == 1
