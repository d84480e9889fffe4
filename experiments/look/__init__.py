"""Look inside the decisions of a run: one page, for an episode of it. `python -m experiments.look RUN`."""
