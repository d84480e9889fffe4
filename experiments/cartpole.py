"""The same learner modules on another world: Gymnasium's CartPole-v1, where the best return is 500.

`python -m experiments.cartpole AGENT SEED` writes results/cartpole/AGENT-SEED.csv, which must not exist. It needs the
extra `gym`. The loop in `run` is Algorithm 1 with another world: copy it to train these agents on any problem with
discrete actions.
"""

import sys
from pathlib import Path

import numpy as np
import torch

try:
    import gymnasium
except ModuleNotFoundError:
    raise SystemExit('gymnasium is not installed: pip install -e ".[gym]"') from None
from gymnasium.vector import AutoresetMode

from edgediff.config import LearnerConfig, RunConfig
from edgediff.errors import ConfigError
from edgediff.learner.agent import Agent
from edgediff.learner.agents import build_agent
from edgediff.run.process import run_program, set_up_torch
from experiments.own_file import write_table

RESULTS = Path(__file__).parent / "results/cartpole"
TRANSITIONS, EVERY, EPISODES = 100_000, 2_500, 10
SCALE = np.array([1.0, 1.0, 0.1, 1.0], np.float32)  # typical position, speed, angle and angular speed
COMMON = dict(gamma=0.99, num_envs=10, collect_per_epoch=100, epochs=TRANSITIONS // 100, buffer_size=TRANSITIONS,
              updates_per_epoch=100, batch_size=64, hidden=256, n_step=3, tau=0.01, actor_lr=3e-4, critic_lr=3e-4,
              weight_decay=0.0)  # fmt: skip
SETTINGS = {
    "d2sac": dict(d2sac_denoising_steps=5, d2sac_diffusion_weight=1.0),
    "sac": dict(sac_critic_lr=3e-4, batch_size=256),
    "dqn": dict(dqn_lr=3e-4, dqn_epsilon_share=0.1),
    "ppo": dict(ppo_lr=3e-4, ppo_gae_lambda=0.95, collect_per_epoch=1000, epochs=TRANSITIONS // 1000, batch_size=100),
}


def evaluate(agent: Agent, seed: int) -> float:
    """Return the mean return of the evaluation policy over a few episodes."""
    envs = gymnasium.make_vec("CartPole-v1", EPISODES, vectorization_mode="sync")
    observation, _ = envs.reset(seed=10_000 + seed)
    total, playing, generator = np.zeros(EPISODES), np.ones(EPISODES, bool), torch.Generator().manual_seed(seed)
    while playing.any():
        action = agent.act(observation / SCALE, generator)
        observation, reward, terminated, truncated, _ = envs.step(action)
        total += playing * reward
        playing &= ~(terminated | truncated)
    return float(total.mean())


def run(name: str, seed: int, **changes) -> list[tuple[int, int, float]]:
    """Train an agent; return transitions, gradient steps and mean return at every evaluation."""
    config = LearnerConfig(agent=name, **COMMON | SETTINGS[name] | changes)
    envs = gymnasium.make_vec("CartPole-v1", config.num_envs, vectorization_mode="sync",
                              vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP})  # fmt: skip
    agent = build_agent(4, 2, config, seed)
    memory, sampling = agent.memory(), torch.Generator().manual_seed(seed)
    observation, rows, steps = envs.reset(seed=seed)[0] / SCALE, [], 0
    for epoch in range(1, config.epochs + 1):
        for _ in range(config.collect_per_epoch // config.num_envs):
            action = agent.explore(observation)
            next_observation, reward, terminated, truncated, info = envs.step(action)
            final = next_observation.copy()
            for env in np.flatnonzero(terminated | truncated):
                final[env] = info["final_obs"][env]
            memory.add(observation, action, reward, final / SCALE, terminated, truncated)
            observation = next_observation / SCALE
        for batch in agent.batches(memory, sampling):
            agent.update(batch)
            steps += 1
        if epoch * config.collect_per_epoch % EVERY == 0:
            rows.append((epoch * config.collect_per_epoch, steps, evaluate(agent, seed)))
            print(*rows[-1], flush=True)
    return rows


def main(argv: list[str]) -> int:
    """Train one agent on one seed and write its table."""
    if len(argv) != 2 or argv[0] not in SETTINGS or not argv[1].isascii() or not argv[1].isdigit():
        raise ConfigError(f"arguments: {' '.join(argv)!r} are not an agent ({', '.join(SETTINGS)}) and a seed from 0")
    name, seed = argv[0], int(argv[1])
    path = RESULTS / f"{name}-{seed}.csv"
    if path.exists():
        raise ConfigError(f"arguments: {path} exists and is left as it is; move it away to make it anew")
    set_up_torch(RunConfig())
    rows = run(name, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, ("transitions", "gradient_steps", "return"), rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("cartpole", main))
