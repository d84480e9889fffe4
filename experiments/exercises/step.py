"""Algorithm 1, lines 7 and 21: one step of the network. 30 minutes.

The paper prints

    execute a_t, observe (r_t, s_{t+1}); s_i <- s_{i+1}

A method, so `self` is the simulator: self.view(), outcome(...), self._commit, self._advance, self.observation,
self.next_episode do the parts. action (E,) -> observation, reward, terminated, truncated, info.

Question: An episode is cut when its slots are used up. Why is that truncation, and which state must be stored?

    cp experiments/exercises/step.py my.py
    pytest -x -k line07 --mine my.py
"""

import numpy as np

from edgediff.world.decision import Outcome, outcome


def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    raise NotImplementedError("Algorithm 1, lines 7 and 21: one step of the network: yours to write")
