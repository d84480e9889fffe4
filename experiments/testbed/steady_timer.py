"""Run a module beside a steady timer: `python -m experiments.testbed.steady_timer FILE MODULE [ARGUMENT ...]`.

FILE is the number of an open file, which gets the time of every tick. A process that is stopped, or gets no core,
misses ticks. Nothing large is imported here: `edgediff.control` sets up its process before it imports torch.
"""

import os
import runpy
import struct
import sys
import threading
import time

TICK_S = 0.01
STAMP = struct.Struct("d")  # on the clock that all processes of a machine share


def tick(file: int) -> None:
    """Write the time of every tick, for ever."""
    while True:
        os.write(file, STAMP.pack(time.monotonic()))
        time.sleep(TICK_S)


def longest_stall_s(ticks: bytes, start_s: float, end_s: float) -> float:
    """Return by how much the latest tick between two moments was late, also one that never came."""
    times_s = [start_s, *(tick_s for (tick_s,) in STAMP.iter_unpack(ticks) if start_s < tick_s < end_s), end_s]
    return max(0.0, *(after_s - before_s - TICK_S for before_s, after_s in zip(times_s, times_s[1:], strict=False)))


if __name__ == "__main__":
    threading.Thread(target=tick, args=(int(sys.argv[1]),), daemon=True).start()
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
