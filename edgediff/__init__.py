"""Diffusion-based deep reinforcement learning for scheduling generative-AI flows at the network edge.

Five subpackages: `world`, the simulated network (NumPy alone); `gym`, its Gymnasium adapter; `learner`, the agents
(torch); `run`, the keeping of runs; `control`, the controller. They meet in the programs `train`, `evaluate` and
`control`. `config` holds every setting. Read them beside the paper in the order that each `__init__` gives.

The names in `__all__` are public (README.md in this folder). Each is imported when it is first used.
"""

from importlib import import_module

from edgediff.run.prepare import prepare_program

prepare_program(__name__)

TYPE_CHECKING = False  # as type checkers know it; importing `typing` would take longer than all else here
if TYPE_CHECKING:
    from typing import Any

    from edgediff.config import LearnerConfig, WorldConfig
    from edgediff.control.controller import Controller
    from edgediff.errors import ConfigError
    from edgediff.evaluate import compare
    from edgediff.learner.agents import build_agent
    from edgediff.learner.d2sac import D2SAC
    from edgediff.run.start import load_run
    from edgediff.world.simulator import Simulator

__version__ = "0.4.0"
__all__ = [
    "D2SAC", "build_agent", "LearnerConfig", "WorldConfig", "Simulator", "load_run", "Controller", "compare",
    "ConfigError",
]  # fmt: skip
_HOMES = {
    "D2SAC": "learner.d2sac", "build_agent": "learner.agents", "LearnerConfig": "config", "WorldConfig": "config",
    "Simulator": "world.simulator", "load_run": "run.start", "Controller": "control.controller", "compare": "evaluate",
    "ConfigError": "errors",
}  # fmt: skip


def __getattr__(name: str) -> "Any":
    if name not in _HOMES:
        raise AttributeError(f"module 'edgediff' has no attribute {name!r}")
    return getattr(import_module(f"edgediff.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
