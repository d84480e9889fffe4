"""The agents by name, as `--agent` knows them."""

import numpy as np

from edgediff.agent import D2SAC
from edgediff.baselines.dqn import DQN
from edgediff.baselines.ppo import PPO
from edgediff.baselines.sac import SAC
from edgediff.config import LearnerConfig, WorldConfig
from edgediff.learner import Learner

CLASSES = {"d2sac": D2SAC, "sac": SAC, "dqn": DQN, "ppo": PPO}


def build_agent(world: WorldConfig, config: LearnerConfig, seed: np.random.SeedSequence) -> Learner:
    """Create the agent that a configuration names, fresh from its seed."""
    return CLASSES[config.agent](world.state_dim, world.num_actions, config, seed)
