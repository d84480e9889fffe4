"""A planner that sees the future: it tries each decision on copies of the simulator.

It knows what no scheduler can know: the model, the flows to come and the background traffic to come. It is slow.
It is no upper bound, since it looks a few flows ahead and assumes the greedy rule after its first action.
"""

import numpy as np

from edgediff.world.rollout import Policy
from edgediff.world.rules import one_step_greedy
from edgediff.world.simulator import Simulator


class RolloutPlanner:
    """Try every action, go on for `horizon` flows with each policy of `follow`, take the action of the best return."""

    def __init__(self, horizon: int, gamma: float = 0.95, follow: tuple[Policy, ...] = (one_step_greedy,)):
        self.horizon, self.gamma, self.follow = horizon, gamma, follow

    def on(self, simulator: Simulator) -> Policy:
        """Return the policy that tries each decision on copies of this simulator."""
        return lambda world, view: self.returns(simulator).argmax(axis=1)

    def returns(self, simulator: Simulator) -> np.ndarray:
        """Return the larger sum_{j <= horizon} gamma^j r_{t+j} of all policies, for each first action, (E, A)."""
        return np.max([self.returns_with(policy, simulator) for policy in self.follow], axis=0)

    def returns_with(self, policy: Policy, simulator: Simulator) -> np.ndarray:
        """Return the sum for each first action if a policy goes on, (E, A); nothing counts after an end."""
        num_envs, num_actions = simulator.num_envs, simulator.world.num_actions
        copies = simulator.repeat(num_actions)
        action = np.tile(np.arange(num_actions), num_envs)
        total, playing = np.zeros(copies.num_envs), np.ones(copies.num_envs, bool)
        for j in range(self.horizon + 1):
            _, reward, _, truncated, _ = copies.step(action)
            total += self.gamma**j * playing * reward
            playing &= ~truncated
            if not playing.any() or j == self.horizon:
                break
            action = policy(copies.world, copies.view())
        return total.reshape(num_envs, num_actions)


PLANNERS: dict[str, RolloutPlanner] = {
    f"planner, {horizon} flows ahead (sees the future)": RolloutPlanner(horizon) for horizon in (10, 30, 100)
}
