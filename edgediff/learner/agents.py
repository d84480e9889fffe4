"""The agents by name, as `--agent` knows them."""

from edgediff.config import LearnerConfig
from edgediff.learner.agent import Agent, Seed
from edgediff.learner.d2sac import D2SAC
from edgediff.learner.dqn import DQN
from edgediff.learner.ppo import PPO
from edgediff.learner.sac import SAC
from edgediff.learner.shared import Widths

AGENTS: dict[str, type[Agent]] = {"d2sac": D2SAC, "sac": SAC, "dqn": DQN, "ppo": PPO}


def build_agent(
    state_dim: int,
    num_actions: int,
    config: LearnerConfig,
    seed: Seed = 0,
    device: str = "cpu",
    widths: Widths | tuple[int, ...] | None = None,
) -> Agent:
    """Create the agent that a configuration names, untrained: first weights and random streams follow from the seed."""
    return AGENTS[config.agent](state_dim, num_actions, config, seed, device, widths)
