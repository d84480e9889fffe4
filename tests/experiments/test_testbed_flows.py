"""Flows between users and edge server, over the loopback device, and the users with a slow controller: all without
privileges."""

import asyncio
import contextlib
import json
import socket
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from measured import row

from edgediff.config import WorldConfig
from experiments.testbed import connections, edge_server
from experiments.testbed.connections import Connection, Pool
from experiments.testbed.edge_server import ANSWERED, ARRIVED
from experiments.testbed.plan import Link
from experiments.testbed.users import Users

LOOPBACK, RATE_BPS = Link("lo", "127.0.0.1", "127.0.0.1"), 200e6
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pacing is an option of sockets of Linux")


@pytest.fixture(autouse=True)
def port(monkeypatch):
    """Give users and server a port that is free here; that of the testbed is free in its namespaces only."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    for module in (edge_server, connections):
        monkeypatch.setattr(module, "PORT", number)


@contextlib.asynccontextmanager
async def serving(total_tflops):
    """Serve in the background."""
    task = asyncio.create_task(edge_server.serve(total_tflops))
    await asyncio.sleep(0)  # until it listens
    yield
    task.cancel()
    await asyncio.wait([task])


async def talk(flows, total_tflops=100.0):
    """Send flows (bits, T_proc, compute) one after another over one connection; return two messages of each."""
    messages = asyncio.Queue()
    async with serving(total_tflops):
        connection = Connection(LOOPBACK, lambda *message: messages.put_nowait(message), lambda: None)
        heard = []
        for number, (data_bits, processing_s, tflops) in enumerate(flows):
            connection.send(number, data_bits, RATE_BPS, processing_s, tflops)
            heard.append([await asyncio.wait_for(messages.get(), 10) for _ in range(2)])
        connection.close()
        await asyncio.sleep(0.05)  # the server closes, too
        assert messages.empty()  # the warm-up gets no answer
    return heard


@pytest.mark.parametrize("data_bits", [1.0, 4e5, 2e6, 1.6e8])  # less than its header, usual, more than the socket keeps
def test_a_flow_arrives_and_is_answered_after_t_proc_and_the_connection_takes_the_next(data_bits, monkeypatch):
    monkeypatch.setattr(connections, "PAYLOAD", memoryview(bytes(1 << 20)))  # so that the last is longer
    heard = asyncio.run(talk([(data_bits, 0.05, 100.0), (4e5, 0.0, 100.0)]))
    assert [[message[:2] for message in each] for each in heard] == [
        [(number, ARRIVED), (number, ANSWERED)] for number in (0, 1)
    ]
    arrived_s, answered_s = (stamp_s for _, _, stamp_s in heard[0])
    assert 0.049 < answered_s - arrived_s < 1


def test_the_server_ends_if_more_compute_is_asked_for_than_it_has():
    with pytest.raises(SystemExit, match=r"asked for 101 of 100 TFLOP/s, Eq. \(7\)"):
        asyncio.run(talk([(4e5, 0.0, 101.0)]))


def test_compute_that_is_free_again_can_be_held_again():
    compute = edge_server.Compute(100.0)
    for _ in range(3):
        compute.hold(60.0)
        compute.hold(40.0)
        compute.free(60.0)
        compute.free(40.0)
    compute.hold(60.0)
    with pytest.raises(SystemExit):
        compute.hold(41.0)


def test_a_pool_opens_a_connection_only_if_all_are_taken(monkeypatch):
    monkeypatch.setattr(connections, "OPENED", 2)
    monkeypatch.setattr(connections, "FEWEST", 1)

    async def take():
        async with serving(100.0):
            pool = Pool([LOOPBACK], lambda *_: None, lambda: None)
            first, taken = pool.free[0].copy(), [pool.take(0) for _ in range(3)]
            pool.give(0, taken[2])
            again = pool.take(0)
            for connection in taken:
                connection.close()
            await asyncio.sleep(0.05)
        return {*taken[:2]} == {*first}, taken[2] in first, again is taken[2]

    assert asyncio.run(take()) == (True, False, True)


def test_users_hear_that_the_server_has_ended():
    async def end():
        ended = asyncio.Event()
        with socket.create_server(("127.0.0.1", connections.PORT)) as listener:
            connection = Connection(LOOPBACK, lambda *_: None, ended.set)
            listener.accept()[0].close()
        await asyncio.wait_for(ended.wait(), 10)
        connection.close()

    asyncio.run(end())


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


def test_the_users_find_the_latest_slot_and_the_latest_answer():
    """Of two flows, one is answered 0.01 s after T_proc, the other never."""
    users = Users.__new__(Users)
    users.world, users.late_s, users.asked_ms = WorldConfig(num_slots=100), [0.001, 0.2, 0.002], []
    users.rows = {0: row(), 1: row(answered_s=None)}
    links = SimpleNamespace(highest_share=lambda: 0.5, drops=lambda: 0, close=lambda: True)
    users.gateways = SimpleNamespace(links=links, overgranted=[0.0])
    fidelity = users._found(1.0, {})["fidelity"]
    assert (fidelity["late_max_s"], fidelity["length"]) == (0.2, 1.0)
    assert fidelity["answer_late_max_s"] == pytest.approx(0.01)


def test_a_flow_is_noted_with_what_its_decision_was_made_on():
    users = Users.__new__(Users)
    network = Network()
    users.world, users.first, users.job = WorldConfig(num_gateways=2), [0, 1], {}
    users.gateways, users.rows, users.asked_ms, users.start_s = network, {}, [], 0.0
    users.reader = users.writer = controller = Controller(network)
    asyncio.run(users._decide(0, FLOW))
    assert controller.told[0]["flow"] == {"data_bits": 1e6, "work_tflop": 1.0, "deadline_s": 0.5}
    assert controller.told[0]["available_bps"] == [5e6, 8e6] and network.available_bps == [5e6, 0.0]
    assert users.rows[0]["available_bps"] == 8e6 and users.rows[0]["gateway"] == 1
