"""The simulated edge network: NumPy only. Reading order: workload (with log and windows), delay, objective, decision
(with scale), reservations, simulator; then rollout and rules, which play on it."""
