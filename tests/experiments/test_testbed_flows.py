"""Flows between the users' connections and the edge server, over the loopback device: no privileges are needed."""

import asyncio
import contextlib
import socket
import sys

import pytest

from experiments.testbed import connections, edge_server
from experiments.testbed.connections import Connection, Pool
from experiments.testbed.edge_server import ANSWERED, ARRIVED
from experiments.testbed.plan import Link

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
