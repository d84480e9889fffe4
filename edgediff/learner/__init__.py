"""The agents: torch only, no simulator. Reading order: diffusion, embedding, shared, networks, losses, nstep, replay,
agent, actor_critic, d2sac; then the baselines sac, dqn and ppo, and agents, all four by name; complexity, Eq. (27);
cuda_graph, how a GPU is fed."""
