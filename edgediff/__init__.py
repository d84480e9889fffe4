"""Diffusion-based deep reinforcement learning for scheduling generative-AI flows at the network edge.

Three rooms: `world`, the simulated network (NumPy); `learner`, the agents (torch); `run`, a run on disk and on screen.
They meet in the programs `train`, `evaluate` and `control`. `config` holds every setting. Read them beside the paper in
the order that each room's `__init__` gives.
"""

import os
import signal
import sys

# Threads of OpenMP spin at every barrier unless told otherwise, and lose whole scheduler slices when another
# process wants their core. This has to be in the environment before torch is imported for the first time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# While `python -m edgediff.train` imports torch, Ctrl-C ends it without a traceback; `guard` sets this back.
if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

__version__ = "0.2.0"
