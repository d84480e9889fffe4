"""Grids of training runs: what they consist of, one job, and running them. `python -m experiments.grid NAME`."""
