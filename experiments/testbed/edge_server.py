"""The edge server as a process: takes flows, holds compute for T_proc and answers. Started by the testbed.

Users and server talk over the TCP connection of a flow. A flow begins with a header, and gets two messages back.
"""

import asyncio
import gc
import socket
import struct
import sys
import time

from experiments.testbed.plan import PORT

# First bytes of a flow: number, length in bytes with this header, T_proc in s, compute in TFLOP/s.
FLOW_HEADER = struct.Struct("<IIdd")
# A message back: number of the flow, what has happened, and when, on the clock that all processes of a machine share.
MESSAGE = struct.Struct("<IBd")
ARRIVED, ANSWERED = 0, 1  # the last byte is there; T_proc is over
WARM_UP = 2**32 - 1  # the number of a flow that is nothing but its header, and gets no answer
SCRATCH = memoryview(bytearray(1 << 20))  # where data goes that nobody looks at
LONGEST_WAIT_BYTES = 4 << 20  # a receiver sleeps until so much has come, or the flow is whole


class Compute:
    """What the server has, Eq. (7)."""

    def __init__(self, total_tflops: float):
        self.total_tflops, self.held_tflops = total_tflops, 0.0

    def hold(self, tflops: float) -> None:
        """Take compute for one flow; end the process if more is asked for than there is."""
        self.held_tflops += tflops
        if self.held_tflops > self.total_tflops * (1 + 1e-6):
            sys.exit(f"asked for {self.held_tflops:g} of {self.total_tflops:g} TFLOP/s, Eq. (7)")

    def free(self, tflops: float) -> None:
        """Give compute back."""
        self.held_tflops = max(self.held_tflops - tflops, 0.0)


class Receiver:
    """One connection: a flow, its answer, the next flow."""

    def __init__(self, connection: socket.socket, compute: Compute):
        self.connection, self.compute, self.loop = connection, compute, asyncio.get_running_loop()
        self.header, self.remaining = b"", 0
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.loop.add_reader(connection, self.readable)

    def readable(self) -> None:
        """Take what has come."""
        try:
            while self._take():
                pass
        except BlockingIOError:  # let the kernel wake this process once for a flow, not once for a segment
            wait_bytes = max(1, min(self.remaining, LONGEST_WAIT_BYTES))
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wait_bytes)
        except ConnectionError:
            self._close()

    def _take(self) -> bool:
        if self.remaining:
            taken = self.connection.recv_into(SCRATCH, min(self.remaining, len(SCRATCH)))
            self.remaining -= taken
        else:
            part = self.connection.recv(FLOW_HEADER.size - len(self.header))
            taken, self.header = len(part), self.header + part
            if len(self.header) < FLOW_HEADER.size:
                return taken > 0 or self._close()
            self.number, length, self.processing_s, self.tflops = FLOW_HEADER.unpack(self.header)
            self.header, self.remaining = b"", length - FLOW_HEADER.size
        if not taken:
            return self._close()
        if not self.remaining and self.number != WARM_UP:
            self._whole()
        return True

    def _whole(self) -> None:
        """Say that the last byte has come; answer when T_proc is over."""
        self.connection.send(MESSAGE.pack(self.number, ARRIVED, time.monotonic()))
        self.compute.hold(self.tflops)
        self.loop.call_later(self.processing_s, self._answer, self.number, self.tflops)

    def _answer(self, number: int, tflops: float) -> None:
        self.compute.free(tflops)
        try:
            self.connection.send(MESSAGE.pack(number, ANSWERED, time.monotonic()))
        except OSError:  # the users are gone
            self._close()

    def _close(self) -> bool:
        self.loop.remove_reader(self.connection)
        self.connection.close()
        return False


async def serve(server_tflops: float) -> None:
    """Take connections until the process is ended."""
    compute, loop = Compute(server_tflops), asyncio.get_running_loop()
    with socket.create_server(("", PORT), backlog=1024) as listener:
        listener.setblocking(False)
        print("listening", flush=True)
        while True:
            connection, _ = await loop.sock_accept(listener)
            Receiver(connection, compute)


if __name__ == "__main__":
    gc.disable()  # an episode makes few cycles, and no pause is wanted
    asyncio.run(serve(float(sys.argv[1])))
