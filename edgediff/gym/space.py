"""Between which bounds every observation lies."""

import numpy as np
from gymnasium.spaces import Box

from edgediff.world.decision import View
from edgediff.world.laws import work_per_bit
from edgediff.world.simulator import Simulator
from edgediff.world.state import observe
from edgediff.world.workload import FLOW


def observation_space(simulator: Simulator) -> Box:
    """Return the states between the smallest and the largest view: every entry of Eq. (11) grows with what it shows.

    A gateway has at most what quiet background traffic leaves, R. A flow joins its queue only if it is sent within
    the drop limit, so that Q + D <= max_delay_s * R. The flows of a request log are not bounded above.
    """
    world, (capacity_bps, _) = simulator.world, simulator.topology
    flow = np.zeros((2, 1), FLOW)  # the smallest, the largest
    flow["priority"][:, 0] = 1, 3
    flow["bandwidth_bps"][:, 0] = world.bandwidth_low_bps, world.bandwidth_high_bps
    flow["deadline_s"][:, 0] = world.deadline_low_s, world.deadline_high_s
    flow["data_bits"] = world.size_fraction * flow["bandwidth_bps"] * flow["deadline_s"]
    flow["work_tflop"] = np.sort(work_per_bit(world))[[0, -1], None] * flow["data_bits"]
    if simulator.log is not None:
        flow["data_bits"][:, 0] = flow["work_tflop"][:, 0] = 0, np.inf
    most_bps = capacity_bps[None] * (1.0 - min(world.quiet_load, world.busy_load))
    queue_bits, tflops = world.max_delay_s * most_bps, np.full(1, world.server_tflops)
    low, high = (
        observe(world, View(flow[k], k * queue_bits, k * most_bps, capacity_bps, 0 * most_bps, k * tflops))[0]
        for k in (0, 1)
    )
    return Box(low, high, dtype=np.float32)
