"""The simulated edge network: NumPy only. Reading order: workload, trace, windows, delay, objective, decision,
reservations, simulator; then rules and rollout, which play on it."""
