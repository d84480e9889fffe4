"""What goes on inside an agent while it decides: the state, the chain, the policy, the critics, and their prices."""

import numpy as np
import torch
from torch import nn

from edgediff.learner.agent import Agent
from edgediff.learner.d2sac import D2SAC
from edgediff.learner.diffusion import denoise
from edgediff.learner.shared import PricedCritic
from edgediff.world.state import LEVEL_ENTRIES

MOST_STEPS = 11  # latents that are kept of a long chain


def kept_steps(agent: Agent) -> np.ndarray:
    """Return the steps i, from N down to 0, whose latent a_i is kept; none for an agent without a chain."""
    if not isinstance(agent, D2SAC):
        return np.zeros(0, int)
    steps = agent.config.d2sac_denoising_steps
    return np.unique(np.linspace(0, steps, min(steps + 1, MOST_STEPS)).round().astype(int))[::-1]


def inside(
    agent: Agent, observation: np.ndarray, generator: torch.Generator, draws: int, kept: int
) -> dict[str, np.ndarray]:
    """Let the agent decide as `agent_policy` does; return also its state, its chain and its critics."""
    state = agent.checked_state(observation)
    before = generator.get_state()
    action, probability = agent.act_with_probabilities(observation, generator, draws=draws)
    again = torch.Generator().set_state(before)
    steps, latents = kept_steps(agent), torch.zeros(0, 0, agent.num_actions)
    if isinstance(agent, D2SAC):
        latents = chain(agent, state, again, draws)[steps[0] - steps, :kept]
    of_draws = torch.softmax(latents[-1], dim=-1) if len(latents) else latents.new_zeros(0, agent.num_actions)
    return dict(
        action=action[0],
        probability=probability[0],
        state=observation[0],
        values=values(agent, state),
        prices=prices(agent, state),
        latents=latents.numpy(),
        draws=of_draws.numpy(),
    )


@torch.inference_mode()
def chain(agent: D2SAC, state: torch.Tensor, generator: torch.Generator, draws: int) -> torch.Tensor:
    """Return the latents a_i for i = N .. 0 in one state, Eq. (19), by the evaluated actor, (N + 1, draws, A)."""
    states = state.repeat(draws, 1)
    latents, predict = [], agent.target_actor.predictor(states)

    def watched(a_i: torch.Tensor, i: int) -> torch.Tensor:
        latents.append(a_i)
        return predict(a_i, i)

    latents.append(denoise(watched, agent.schedule, agent.draw_noise(states, generator)))
    return torch.stack(latents)


def critics(agent: Agent) -> list[nn.Module]:
    """Return the networks that value every action: two, the one of dqn, or none, as for ppo."""
    if "critics" in agent.networks:
        return [agent.networks["critics"].q1, agent.networks["critics"].q2]
    return [agent.networks[name] for name in ("target_q",) if name in agent.networks]


def priced_critics(agent: Agent) -> list[PricedCritic]:
    """Return the critics that have prices, none for most agents."""
    return [critic for critic in critics(agent) if isinstance(critic, PricedCritic)]


@torch.inference_mode()
def values(agent: Agent, state: torch.Tensor) -> np.ndarray:
    """Return the values of all actions by every critic, (C, A)."""
    found = [critic(state) for critic in critics(agent)]
    return torch.cat(found).numpy() if found else np.zeros((0, agent.num_actions))


@torch.inference_mode()
def prices(agent: Agent, state: torch.Tensor) -> np.ndarray:
    """Return V(s) and the price of each thing that is taken, by every critic that has prices, (C, 1 + things)."""
    found = [torch.cat([critic.value(state), critic.prices[None]], dim=-1) for critic in priced_critics(agent)]
    return torch.cat(found).numpy() if found else np.zeros((0, len(LEVEL_ENTRIES)))
