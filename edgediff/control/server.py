"""Serve clients in one thread, one line of each in turn: lines come in, answers go out in order.

A client is read only as far as its answers are taken: one that never reads blocks nobody and fills no memory.
"""

import asyncio
import contextlib
import os
import select
import socket
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial

from edgediff.control.protocol import MAX_LINE_BYTES

MAX_CLIENTS = 64  # those that come later wait until one leaves
ACCEPT_RETRY_S = 0.2  # while no file descriptor is free
SHUTDOWN_TIMEOUT_S = 1.0  # time for the last answers


class Server:
    """Answers the lines of clients."""

    def __init__(self, answer: Callable[[bytes | None], bytes]):
        self.answer, self.stopping = answer, False
        self.turn = asyncio.Lock()  # first come, first served
        self.clients: dict[asyncio.Task, Callable[[], None]] = {}  # and what ends the input of each

    def add(self, serving: Coroutine, end_input: Callable[[], None]) -> asyncio.Task:
        """Serve a client beside the others."""
        task = asyncio.create_task(serving)
        self.clients[task] = end_input
        task.add_done_callback(self.clients.pop)
        return task

    async def accept(self, listener: socket.socket) -> None:
        """Take new clients of a listening socket, without end."""
        while True:
            while len(self.clients) >= MAX_CLIENTS:
                await asyncio.wait(self.clients, return_when=asyncio.FIRST_COMPLETED)
            try:
                connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            except OSError:  # no file descriptor is free, or the client has left again
                await asyncio.sleep(ACCEPT_RETRY_S)
            else:  # what has arrived before `shutdown` can still be read
                self.add(self.serve_socket(connection), partial(connection.shutdown, socket.SHUT_RD))

    async def serve_socket(self, connection: socket.socket) -> None:
        """Answer what comes over a connection, then close it."""
        reader, writer = await asyncio.open_connection(sock=connection, limit=MAX_LINE_BYTES)
        if connection.family == socket.AF_INET:  # asyncio does it only for some sockets
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:  # so that time for one that never reads ends after a few answers
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        writer.transport.set_write_buffer_limits(high=0)  # `drain` waits until the answer is taken

        async def send(answer: bytes) -> None:
            writer.write(answer)
            await writer.drain()

        with contextlib.closing(writer):
            await self.serve(reader, send)

    async def serve(self, reader: asyncio.StreamReader, send: Callable[[bytes], Awaitable]) -> OSError | None:
        """Answer lines in order, up to the end of the input; return the error that the client was lost with."""
        try:
            while (line := await read_line(reader)) != b"":
                if self.stopping and line and not line.endswith(b"\n"):
                    break  # it has only begun
                async with self.turn:
                    answer = self.answer(line)
                    await asyncio.sleep(0)  # hear the others first
                await send(answer)
        except OSError as error:
            return error
        return None

    async def stop(self) -> None:
        """Answer the whole lines that have arrived; then part from all clients, also from those that do not read."""
        self.stopping = True
        for end_input in self.clients.values():
            with contextlib.suppress(OSError):  # it has left
                end_input()
        if self.clients:
            await asyncio.wait(self.clients, timeout=SHUTDOWN_TIMEOUT_S)
        for task in self.clients:
            task.cancel()
        await asyncio.gather(*self.clients, return_exceptions=True)


async def read_line(reader: asyncio.StreamReader) -> bytes | None:
    """Return the next line, b"" at the end, None for one that is too long: of that one, nothing is kept."""
    too_long = False
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            line = error.partial  # the last line may lack its end
        except asyncio.LimitOverrunError as error:
            await reader.readexactly(error.consumed)
            too_long = True
            continue
        return None if too_long else line


class StandardStreams(asyncio.ReadTransport):
    """Standard input and output as one more client, be they files, pipes or a terminal.

    They are used only when `select` says that it does not block: O_NONBLOCK would hold for all who share them.
    """

    def __init__(self, source: int, sink: int):
        self.source, self.sink, self.ended = source, sink, False
        self.loop = asyncio.get_running_loop()
        self.reader = asyncio.StreamReader(MAX_LINE_BYTES, self.loop)
        self.reader.set_transport(self)  # it calls `pause_reading` and `resume_reading`
        self.resume_reading()

    def resume_reading(self) -> None:
        """Read what comes."""
        if not self.ended:
            self.loop.add_reader(self.source, self._read)

    def pause_reading(self) -> None:
        """Leave what comes where it is."""
        self.loop.remove_reader(self.source)

    def end_input(self) -> None:
        """Read what has come, and no more."""
        if not self.ended and select.select([self.source], [], [], 0)[0]:
            self._read()
        self._end()

    async def send(self, answer: bytes) -> None:
        """Write an answer, never more at once than a pipe takes."""
        while answer:
            writable = self.loop.create_future()
            self.loop.add_writer(self.sink, writable.set_result, None)
            try:
                await writable
            finally:
                self.loop.remove_writer(self.sink)
            answer = answer[os.write(self.sink, answer[: select.PIPE_BUF]) :]

    def _read(self) -> None:
        try:
            data = os.read(self.source, MAX_LINE_BYTES)
        except OSError as error:
            self.reader.set_exception(error)
            data = b""
        self.reader.feed_data(data) if data else self._end()

    def _end(self) -> None:
        self.ended = True
        self.pause_reading()
        self.reader.feed_eof()
