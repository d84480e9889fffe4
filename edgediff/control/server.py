"""Serve clients in one thread, one line of each in turn: lines come in, answers go out in order.

A client is read only as far as its answers are taken: one that never reads delays no other and fills no memory.
"""

import asyncio
import contextlib
import os
import select
import selectors
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from edgediff.control.protocol import MAX_LINE_BYTES

MAX_CLIENTS = 64  # those that come later wait until one leaves
SHUTDOWN_TIMEOUT_S = 1.0  # time for the last answers
SOCKET_BUFFER_BYTES = 4096  # small, so that a client that never reads is served no more after a few answers
# Both take files, too. `select` fails at descriptors above 1,023, and `poll` at terminals of some versions of macOS.
Selector = selectors.SelectSelector if sys.platform in ("darwin", "win32") else selectors.PollSelector
Receive: TypeAlias = Callable[[], Awaitable[bytes]]
Send: TypeAlias = Callable[[bytes], Awaitable[None]]


class Server:
    """Answers the lines of clients until `ended` is set: by a signal, the end of standard input, or an error."""

    def __init__(self, answer: Callable[[bytes | None], bytes]):
        self.answer, self.ended, self.error = answer, asyncio.Event(), None
        self.turn, self.seats = asyncio.Lock(), asyncio.Semaphore(MAX_CLIENTS)  # first come, first served
        self.clients: dict[asyncio.Task, Callable[[], None]] = {}  # and what ends the input of each
        asyncio.get_running_loop().set_exception_handler(self._fail)

    def _fail(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """End by an error in a task. While no file descriptor is free, an OSError, asyncio tries again by itself."""
        error = context.get("exception")
        if error and not isinstance(error, OSError) and not self.ended.is_set():
            self.error = error
            self.ended.set()

    async def serve_socket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes over a connection, then close it: what `asyncio.start_server` calls."""
        connection = writer.get_extra_info("socket")
        writer.transport.set_write_buffer_limits(high=0)  # `drain` waits until the answer is taken

        async def send(answer: bytes) -> None:
            writer.write(answer)
            await writer.drain()

        with contextlib.closing(writer), contextlib.suppress(OSError):  # the client has left
            if connection.family == socket.AF_INET:  # asyncio does it only for some sockets
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            else:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
            end_input = partial(connection.shutdown, socket.SHUT_RD)  # what has arrived can still be read
            await self.serve(partial(reader.read, MAX_LINE_BYTES), send, end_input)

    async def serve(self, receive: Receive, send: Send, end_input: Callable[[], None]) -> None:
        """Answer lines in order, up to the end of the input; OSError if input or output is lost."""
        task = asyncio.current_task()
        self.clients[task] = end_input
        task.add_done_callback(self.clients.pop)
        async with self.seats:
            async for line in lines(receive):
                if self.ended.is_set() and line and not line.endswith(b"\n"):
                    break  # it has only begun
                async with self.turn:
                    answer = self.answer(line)
                    await asyncio.sleep(0)  # hear the others first
                await send(answer)

    async def stop(self) -> None:
        """Answer the whole lines that have arrived; then part from all clients, also from those that do not read."""
        for end_input in self.clients.values():
            with contextlib.suppress(OSError):  # it has left
                end_input()
        if self.clients:
            await asyncio.wait(self.clients, timeout=SHUTDOWN_TIMEOUT_S)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def lines(receive: Receive) -> AsyncIterator[bytes | None]:
    """Yield lines with their ends, which the last one may lack; None for one that is too long, of which none is kept."""
    rest, too_long = b"", False
    while data := await receive():
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield None if too_long or len(line) > MAX_LINE_BYTES else line + b"\n"
            too_long = False
        if len(rest) > MAX_LINE_BYTES:
            rest, too_long = b"", True
    if rest or too_long:
        yield None if too_long else rest


class StandardStreams:
    """Standard input and output as one more client, be they files, pipes or a terminal.

    They are used only when that does not block. The streams of asyncio take no files, and set O_NONBLOCK for all
    processes that share a pipe or a terminal.
    """

    def __init__(self, source: int, sink: int):
        self.source, self.sink, self.input_ended = source, sink, False
        self.readable, self.writable = asyncio.Event(), asyncio.Event()

    def end_input(self) -> None:
        """Wait for no more input; what has come is still read."""
        self.input_ended = True
        self.readable.set()

    async def receive(self) -> bytes:
        """Return what has come, as soon as there is something; b"" at the end."""
        loop = asyncio.get_running_loop()
        if not self.input_ended:
            await _until(self.readable, loop.add_reader, loop.remove_reader, self.source)
        if self.input_ended and not ready(self.source, selectors.EVENT_READ):
            return b""
        return os.read(self.source, MAX_LINE_BYTES)

    async def send(self, answer: bytes) -> None:
        """Write an answer, never more at once than a pipe takes."""
        loop = asyncio.get_running_loop()
        while answer:
            await _until(self.writable, loop.add_writer, loop.remove_writer, self.sink)
            answer = answer[os.write(self.sink, answer[: select.PIPE_BUF]) :]


async def _until(event: asyncio.Event, add: Callable, remove: Callable, descriptor: int) -> None:
    """Wait until the loop, or somebody else, sets an event."""
    event.clear()
    add(descriptor, event.set)
    try:
        await event.wait()
    finally:
        remove(descriptor)


def ready(descriptor: int, event: int) -> bool:
    """Return whether a descriptor can be read, or written to, without waiting."""
    with Selector() as selector:
        selector.register(descriptor, event)
        return bool(selector.select(0))
