"""Algorithm 1, lines 7 and 21: one step of the network. 30 minutes.

The paper prints

    execute a_t, observe (r_t, s_{t+1}); s_i <- s_{i+1}

A method: `self` is the simulator. E environments run side by side. At hand are

    self._check(action) -> action, or an error if it is impossible
    self.view() -> what is known now; view.flow (E,) are the flows to decide, with "slot" and "priority"
    outcome(self.world, view, actions) -> an Outcome for K actions (E, K), each field (E, K); K is 1 here
    self._commit(flow, result) reserves what was granted; each field of this Outcome is (E,)
    self._advance(slot) goes from these slots (E,) to the next flows;  self.observation() -> (E, S)
    self.cursor == self.num_flows, (E,): no flow is left
    self.next_episode(mask) starts the next episode there, and returns the observation of all

action (E,) -> observation (E, S); reward, terminated, truncated (E,); info, a dict: the fields of Outcome
and "priority", each (E,), and "successor" (E, S), the true next state, also where an episode has ended.

Question: An episode is cut when its slots are used up. Why is that truncation, and which state must be stored?

    cp experiments/exercises/step.py my_step.py
    pytest -x -k line07 --mine my_step.py
"""

import numpy as np

from edgediff.world.decision import Outcome, outcome


def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    raise NotImplementedError("Algorithm 1, lines 7 and 21: one step of the network: yours to write")
