"""Diffusion-based deep reinforcement learning for scheduling generative-AI flows at the network edge.

Five subpackages: `world`, the simulated network (NumPy alone); `gym`, its Gymnasium adapter; `learner`, the agents
(torch); `run`, the keeping of runs; `control`, the controller. They meet in the programs `train`, `evaluate` and
`control`. `config` holds every setting. Read them beside the paper in the order that each `__init__` gives.
"""

__version__ = "0.4.0"
