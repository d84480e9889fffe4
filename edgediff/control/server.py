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
BUFFER_BYTES = 4096  # of a socket, small: a client that never reads is served no more after a few answers
SHUTDOWN_TIMEOUT_S, QUIET_S = 1.0, 0.1  # for the last answers, and for the next one of them
# Both take files, too. `select` fails at descriptors above 1,023, and `poll` at terminals of some versions of macOS.
Selector = selectors.SelectSelector if sys.platform in ("darwin", "win32") else selectors.PollSelector
Receive: TypeAlias = Callable[[], Awaitable[bytes]]
Send: TypeAlias = Callable[[bytes], Awaitable[None]]


class Server:
    """Answers the lines of clients until `ended` is set: by a signal, the end of standard input, or an error."""

    def __init__(self, answer: Callable[[bytes | None], bytes]):
        self.answer, self.answered, self.ended = answer, 0, asyncio.Event()
        self.turn, self.seats = asyncio.Lock(), asyncio.Semaphore(MAX_CLIENTS)  # first come, first served
        self.error: BaseException | None = None
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
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
            async with self.seats:
                await self.serve(partial(reader.read, MAX_LINE_BYTES), send)

    async def serve(self, receive: Receive, send: Send) -> None:
        """Answer lines in order, up to the end of the input; OSError if input or output is lost."""
        async for line in lines(receive):
            async with self.turn:
                answer = self.answer(line)
                self.answered += 1
                await asyncio.sleep(0)  # hear the others first
            await send(answer)

    async def stop(self) -> None:
        """Answer the whole lines that have arrived; then part from all clients, also from those that do not read."""
        for _ in range(round(SHUTDOWN_TIMEOUT_S / QUIET_S)):
            before = self.answered
            if left := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(left, timeout=QUIET_S)
            if self.answered == before:
                break
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def lines(receive: Receive) -> AsyncIterator[bytes | None]:
    """Yield lines; None for one that is too long, of which nothing is kept. The last one may lack its end."""
    rest, too_long = b"", False
    while data := await receive():
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield None if too_long or len(line) > MAX_LINE_BYTES else line
            too_long = False
        if len(rest) > MAX_LINE_BYTES:
            rest, too_long = b"", True
    if rest or too_long:
        yield None if too_long else rest


# Standard input and output, be they files, pipes or a terminal. They are used only when that does not block. The
# streams of asyncio take no files, and set O_NONBLOCK for all processes that share a pipe or a terminal.


async def receive(source: int) -> bytes:
    """Return what comes from a descriptor, b"" at its end."""
    loop = asyncio.get_running_loop()
    await _ready(loop.add_reader, loop.remove_reader, source)
    return os.read(source, MAX_LINE_BYTES)


async def send(sink: int, answer: bytes) -> None:
    """Write an answer to a descriptor, never more at once than a pipe takes."""
    loop = asyncio.get_running_loop()
    while answer:
        await _ready(loop.add_writer, loop.remove_writer, sink)
        answer = answer[os.write(sink, answer[: select.PIPE_BUF]) :]


async def _ready(add: Callable, remove: Callable, descriptor: int) -> None:
    event = asyncio.Event()
    add(descriptor, event.set)
    try:
        await event.wait()
    finally:
        remove(descriptor)
