"""The server: every client gets its own answers in order, and none can hold up the others."""

import asyncio
import os
import select
import socket
import struct
import threading
import time

import pytest
from tiny import wait_for

from edgediff.control import server as module
from edgediff.control.listen import listening
from edgediff.control.protocol import MAX_LINE_BYTES
from edgediff.control.server import BUFFER_BYTES, MAX_CLIENTS, SHUTDOWN_TIMEOUT_S, Server, lines

pytestmark = pytest.mark.slow


def echo(line):
    return b"too long\n" if line is None else line.rstrip(b"\n") + b"\n" if line.strip() else b""


class Served:
    """A server in a thread that sends every line back."""

    def __init__(self, place, answer=echo):
        self.lines, self.answer, self.ready = [], answer, threading.Event()
        self.thread = threading.Thread(target=asyncio.run, args=(self._run(place),))
        self.thread.start()
        assert self.ready.wait(10)

    async def _run(self, place):
        self.loop, self.server = asyncio.get_running_loop(), Server(self._answer)
        with listening(place) as (listener, self.address):
            accepting = await asyncio.start_server(self.server.serve_socket, sock=listener, limit=BUFFER_BYTES)
            self.ready.set()
            await self.server.ended.wait()
            accepting.close()
        await self.server.stop()

    def _answer(self, line):
        self.lines.append(line)
        return self.answer(line)

    def stop(self):
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.server.ended.set)
            self.thread.join(10)
        assert not self.thread.is_alive()

    def free_seats(self):
        return self.server.seats._value

    def connect(self):
        family, path = (socket.AF_UNIX, self.address[5:]) if self.address.startswith("unix:") else (socket.AF_INET, 0)
        client = socket.socket(family)
        client.settimeout(10)
        client.connect(path or ("127.0.0.1", int(self.address.split(":")[1])))
        return client


@pytest.fixture
def served(tmp_path):
    started = []

    def _served(place=str(tmp_path / "s"), answer=echo):
        started.append(Served(place, answer))
        return started[-1]

    yield _served
    for each in started:
        each.stop()


@pytest.mark.parametrize("size", (1, 7, 1000, 200_000))
def test_lines_are_the_same_however_the_bytes_arrive(rng, size):
    text = b"".join(bytes(rng.integers(97, 123, size=n, dtype="u1")) + b"\n" for n in rng.integers(0, 50, 200))
    text += b"x" * (MAX_LINE_BYTES + 1) + b"\n" + b"y" * MAX_LINE_BYTES + b"\n" + b"x" * 500_000 + b"\n\rz" * 3
    text = text[-600:] if size == 1 else text
    wanted = [line if len(line) <= MAX_LINE_BYTES else None for line in text.split(b"\n")]
    chunks = [text[start : start + size] for start in range(0, len(text), size)] + [b""]

    async def found():
        async def receive():
            return chunks.pop(0)

        return [line async for line in lines(receive)]

    assert asyncio.run(found()) == wanted


def test_clients_at_once_get_their_own_answers_up_to_a_last_line_without_its_end(served):
    served = served()
    with served.connect() as one, served.connect() as two:
        one.sendall(b"a line in")
        two.sendall(b"2\n")
        assert two.recv(100) == b"2\n"
        one.sendall(b" two parts\n\n" + b"x" * 100_000 + b"\nnext")
        one.shutdown(socket.SHUT_WR)
        assert one.makefile("rb").read() == b"a line in two parts\ntoo long\nnext\n"


def test_one_line_of_each_client_and_turn(served):
    """Thirty clients have sent 500 lines each: a line that comes later is behind one of each, not behind all."""

    def slow(line):
        time.sleep(0.001)
        return b"" if line.startswith(b"many") else echo(line)

    served = served(answer=slow)
    greedy = [served.connect() for _ in range(30)]
    with served.connect() as polite:
        for client in greedy:
            client.sendall(b"many\n" * 500)
        wait_for(lambda: len(served.lines) > 100)
        for _ in range(10):
            before = len(served.lines)
            polite.sendall(b"2\n")
            assert polite.recv(100) == b"2\n"
            assert served.lines[before:].index(b"2") <= 2 * len(greedy)
        assert len(served.lines) < 30 * 500
    for client in greedy:
        client.close()


def test_a_client_that_does_not_read_holds_up_nobody_and_fills_no_memory(served):
    served = served()
    with served.connect() as deaf, served.connect() as other:
        deaf.setblocking(False)
        sent = 0
        while select.select([], [deaf], [], 0.5)[1]:
            sent += deaf.send(b"x" * 1000 + b"\n")
        assert sent < 2_000_000 and len(served.lines) < 100  # time for it ends after a few answers
        other.sendall(b"2\n")
        assert other.recv(100) == b"2\n"
        start = time.monotonic()
        served.stop()
        assert time.monotonic() - start < SHUTDOWN_TIMEOUT_S + 0.5


def test_a_client_that_disappears_harms_nobody(served):
    served = served()
    with served.connect() as other:
        for begun in (b"", b"half a line", b"x" * 3000 + b"\n"):
            client = served.connect()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(begun * 20)
            client.close()
        other.sendall(b"still here\n")
        assert other.recv(100) == b"still here\n"
        wait_for(lambda: served.free_seats() == MAX_CLIENTS - 1)


def test_more_clients_than_are_served_at_once_wait_for_their_turn(served):
    served = served()
    clients = [served.connect() for _ in range(MAX_CLIENTS + 2)]
    clients[-1].sendall(b"last\n")
    wait_for(lambda: served.free_seats() == 0)
    assert not select.select([clients[-1]], [], [], 0.2)[0]
    for client in clients[:2]:
        client.close()
    assert clients[-1].recv(100) == b"last\n"
    for client in clients[2:]:
        client.close()


def test_stop_answers_the_lines_that_have_arrived_and_only_those(served, monkeypatch):
    def slow(line):
        time.sleep(1.5 * module.QUIET_S)
        return echo(line)

    monkeypatch.setattr(module, "SHUTDOWN_TIMEOUT_S", 5.0)
    served = served(answer=slow)
    with served.connect() as busy, served.connect() as idle:
        idle.sendall(b"only begun")
        busy.sendall(b"1\n" * 5 + b"begun")
        wait_for(lambda: served.lines)
        start = time.monotonic()
        served.stop()
        assert time.monotonic() - start < 4  # nobody waits for the client that is idle
        assert busy.makefile("rb").read() == b"1\n" * 5 and idle.recv(100) == b""
    with pytest.raises(OSError):
        served.connect()
    assert not os.path.exists(served.address[5:])


def test_a_tcp_connection_sends_at_once(served, monkeypatch):
    """Nagle's algorithm and delayed acknowledgements together cost up to 40 ms an answer."""
    right, taken = Server.serve_socket, []
    monkeypatch.setattr(Server, "serve_socket", lambda *given: taken.append(given[2]) or right(*given))
    with served(place=0).connect() as client:
        client.sendall(b"1\n")
        assert client.recv(100) == b"1\n"
        assert taken[0].get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
