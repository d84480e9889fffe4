"""An oracle: plan each decision on copies of the simulator, with the future in sight.

It sees what no scheduler can: the model, the flows to come and the background to come. It is slow, and it marks
how much room is left; it is a lower bound on the best possible, since it plans greedily and a few flows ahead.
"""

import numpy as np

from edgediff.rules import one_step_greedy
from edgediff.simulator import Simulator


class RolloutOracle:
    """Try every action, go on with the one-step greedy rule for `horizon` flows, take the best return."""

    def __init__(self, horizon: int, gamma: float = 0.95):
        self.horizon, self.gamma = horizon, gamma

    def __call__(self, observation: np.ndarray, simulator: Simulator) -> np.ndarray:
        return self.returns(simulator).argmax(axis=1)

    def returns(self, simulator: Simulator) -> np.ndarray:
        """Return sum_{j <= horizon} gamma^j r_{t+j} for each first action, (E, A); nothing counts after an end."""
        num_envs, num_actions = simulator.num_envs, simulator.world.num_actions
        fork = simulator.fork(num_actions)
        action = np.tile(np.arange(num_actions), num_envs)
        total, going = np.zeros(fork.num_envs), np.ones(fork.num_envs, bool)
        for j in range(self.horizon + 1):
            _, reward, _, truncated, _ = fork.step(action)
            total += self.gamma**j * going * reward
            going &= ~truncated
            action = one_step_greedy(None, fork)
        return total.reshape(num_envs, num_actions)
