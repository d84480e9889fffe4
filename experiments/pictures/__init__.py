"""Pictures of a trained agent. `python -m experiments.pictures RUN`."""
