"""Diffusion-based deep reinforcement learning for scheduling generative-AI flows at the network edge.

Reading order, beside the paper:

    config     Table 1 and Section 5.1: every number of the paper, with its symbol and unit
    workload   Eq. (1): flows, arrivals, background traffic        trace     the same from a request log
    delay      Eqs. (2)-(8): where the time of a flow goes         objective Eqs. (9), (10), (13)
    decision   Eqs. (11), (12): what the controller sees, and what an action means
    simulator  the clock, on `reservations`: reset and step        rules     round robin and its kin
    diffusion  Eqs. (18)-(24), (26): the actor                     networks  the two function approximators
    losses     Eqs. (14)-(17), (25)                                nstep, replay
    learner    what every agent shares                             agent     one gradient step: Algorithm 1, lines 11-19
    train      Algorithm 1                                         evaluate  the same score for everything

Beside the paper: `baselines` and `planning`, what it is compared with; `checkpoint`, `weights`, `storage`, `start`,
`keeper` and `runfolder`, so that no run is lost; `rollout`, `stats`, `report`, `complexity`, `commandline`, `agents`.

The world (down to `rules`) is NumPy and knows no torch; the learner is torch and knows no world.
"""

import os

# Threads of OpenMP spin at every barrier unless told otherwise, and lose whole scheduler slices when another
# process wants their core. This has to stand in the environment before torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

__version__ = "0.1.0"
