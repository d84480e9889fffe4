"""The loop that serves clients in one thread: lines come in, answers go out, signals are heard in between.

A client is read only while no answer to it waits, so one that does not listen cannot fill the memory.
"""

import contextlib
import os
import select
import selectors
import signal
import socket
import time
from collections.abc import Callable

from edgediff.control.protocol import Lines

CHUNK = 65_536  # bytes read at once
MOST_CLIENTS = 64  # those that come later wait until one leaves
PATIENCE_S = 2.0  # time for the last answers to be taken
STOPPING = signal.SIGTERM, signal.SIGINT, signal.SIGHUP


class Client:
    """One who asks: the numbers to read from and to write to, the lines begun, the answers that wait."""

    def __init__(self, source: int, sink: int):
        self.source, self.sink = source, sink
        self.lines, self.waiting, self.ended = Lines(), bytearray(), False


class Service:
    """Answer clients until the last one has left and nobody listens for new ones, or a signal comes."""

    def __init__(self, answer: Callable[[bytes | None], bytes], signals: socket.socket, on_usr1: Callable[[], None]):
        self.answer, self.signals, self.on_usr1 = answer, signals, on_usr1
        self.clients: set[Client] = set()
        self.server: socket.socket | None = None
        self.stopping, self.lost = False, None  # lost: the error that ended the last client who did not just leave
        self.selector = selectors.SelectSelector()  # takes files too
        self.selector.register(signals, selectors.EVENT_READ, self._hear)

    def add(self, source: int, sink: int) -> None:
        """Serve one who is read at `source` and written to at `sink`."""
        client = Client(source, sink)
        self.clients.add(client)
        self.selector.register(source, selectors.EVENT_READ, lambda: self._read(client))

    def listen(self, server: socket.socket) -> None:
        """Take new clients from a listening socket."""
        self.server = server
        self.selector.register(server, selectors.EVENT_READ, self._accept)

    def run(self) -> None:
        """Serve. In the end, answer what has arrived, up to one chunk of each client."""
        with self.selector:
            while not self.stopping and (self.clients or self.server):
                self._turn(None)
            self._turn(0)
            deadline = time.monotonic() + PATIENCE_S
            for client in list(self.clients):
                client.ended = True
                if not client.waiting:
                    self._drop(client)
            while self.clients and time.monotonic() < deadline:
                self._turn(0.1)
            for client in list(self.clients):
                self._drop(client)

    def _turn(self, timeout_s: float | None) -> None:
        for key, _ in self.selector.select(timeout_s):
            key.data()

    def _hear(self) -> None:
        for number in self.signals.recv(CHUNK):
            if number == signal.SIGUSR1:
                self.on_usr1()
            self.stopping |= number in STOPPING

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it has left again
            connection, _ = self.server.accept()
            connection.setblocking(False)
            source = connection.detach()
            self.add(source, os.dup(source))
        if len(self.clients) == MOST_CLIENTS:
            self.selector.unregister(self.server)

    def _read(self, client: Client) -> None:
        try:
            data = os.read(client.source, CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            return self._drop(client, error)
        client.ended = not data
        for line in client.lines.feed(data) if data else client.lines.end():
            client.waiting += self.answer(line)
        if client.waiting:
            self.selector.unregister(client.source)
            self.selector.register(client.sink, selectors.EVENT_WRITE, lambda: self._write(client))
        elif client.ended:
            self._drop(client)

    def _write(self, client: Client) -> None:
        """Write no more than a pipe takes at once: then it cannot block."""
        try:
            del client.waiting[: os.write(client.sink, client.waiting[: select.PIPE_BUF])]
        except BlockingIOError:
            return
        except OSError as error:
            return self._drop(client, error)
        if not client.waiting:
            self.selector.unregister(client.sink)
            self.selector.register(client.source, selectors.EVENT_READ, lambda: self._read(client))
            if client.ended:
                self._drop(client)

    def _drop(self, client: Client, error: OSError | None = None) -> None:
        """Part from a client."""
        self.lost = error or self.lost
        self.selector.unregister(client.sink if client.waiting else client.source)
        for number in (client.source, client.sink):
            os.close(number)
        self.clients.remove(client)
        if self.server and len(self.clients) == MOST_CLIENTS - 1:
            self.listen(self.server)
