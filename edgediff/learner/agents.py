"""The agents by name, as `--agent` knows them."""

import numpy as np

from edgediff.config import LearnerConfig
from edgediff.learner.agent import Agent
from edgediff.learner.d2sac import D2SAC
from edgediff.learner.dqn import DQN
from edgediff.learner.ppo import PPO
from edgediff.learner.sac import SAC

AGENTS: dict[str, type[Agent]] = {"d2sac": D2SAC, "sac": SAC, "dqn": DQN, "ppo": PPO}


def build_agent(
    state_dim: int, num_actions: int, config: LearnerConfig, seed: np.random.SeedSequence, device: str = "cpu"
) -> Agent:
    """Create the agent that a configuration names, untrained, from its seed."""
    return AGENTS[config.agent](state_dim, num_actions, config, seed, device)
