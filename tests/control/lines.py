"""Lines that the tests of the controller send, and runs that need no training."""

import json

from edgediff.run.weights import new_agent, write_weights

FLOW = {"data_bits": 4.13e6, "work_tflop": 4.13, "priority": 3, "deadline_s": 0.51}
REPORT = {
    "available_bps": [15e6, 0, 21.9e6, 17e6, 0, 39.8e6, 19.3e6, 0],
    "backlog_bits": [0, 4.7e6, 0, 9.5e6, 0, 1.1e6, 3e6, 5.4e6],
    "available_tflops": 1368,
}
GOOD = REPORT | {"flow": FLOW}


def encoded(*lines: dict) -> bytes:
    """Return objects as lines."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def write_run(folder, settings):
    """Write weights as they are drawn at the start of a run; return the folder."""
    folder.mkdir(exist_ok=True)
    for name in ("last", "best"):
        write_weights(folder / f"{name}.pt", settings, "", 0, new_agent(settings, 5).weights())
    return folder
