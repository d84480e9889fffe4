"""A planner that sees the future: it tries each decision on copies of the simulator.

It knows what no scheduler can know: the model, the flows to come and the background traffic to come. It is slow.
It is no upper bound, since it looks a few flows ahead and assumes the greedy rule after its first action.
"""

import copy

import numpy as np

from edgediff.world.rules import one_step_greedy
from edgediff.world.simulator import Simulator

PLANNER = "planner (sees the future)"
_BY_ENVIRONMENT = ("flows", "num_flows", "cursor", "episode", "total_bps", "served_bits", "backlog_bits", "held_bps",
                   "held_tflops")  # fmt: skip


def fork(simulator: Simulator, copies: int) -> Simulator:
    """Return a simulator with every environment `copies` times, as it is now, before the same future.

    Copies e * copies .. e * copies + copies - 1 belong to environment e. After the end of its episode a copy goes on
    with traffic that means nothing.
    """
    result = copy.copy(simulator)
    for name in _BY_ENVIRONMENT:
        setattr(result, name, np.repeat(getattr(simulator, name), copies, axis=0))
    result.num_envs = simulator.num_envs * copies
    result._envs = np.arange(result.num_envs)
    return result


class RolloutPlanner:
    """Try every action, go on with the one-step greedy rule for `horizon` flows, take the best return."""

    def __init__(self, horizon: int, gamma: float = 0.95):
        self.horizon, self.gamma = horizon, gamma

    def __call__(self, observation: np.ndarray, simulator: Simulator) -> np.ndarray:
        return self.returns(simulator).argmax(axis=1)

    def returns(self, simulator: Simulator) -> np.ndarray:
        """Return sum_{j <= horizon} gamma^j r_{t+j} for each first action, (E, A); nothing counts after an end."""
        num_envs, num_actions = simulator.num_envs, simulator.world.num_actions
        copies = fork(simulator, num_actions)
        action = np.tile(np.arange(num_actions), num_envs)
        total, playing = np.zeros(copies.num_envs), np.ones(copies.num_envs, bool)
        for j in range(self.horizon + 1):
            _, reward, _, truncated, _ = copies.step(action)
            total += self.gamma**j * playing * reward
            playing &= ~truncated
            if not playing.any():
                break
            action = one_step_greedy(None, copies)
        return total.reshape(num_envs, num_actions)
