"""The agents: torch only, no simulator. Reading order: diffusion, networks, losses, nstep, replay, agent, d2sac; then
the baselines sac, dqn and ppo, and complexity, Eq. (27)."""
