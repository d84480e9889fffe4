"""The paper beside the code, as one HTML page. `python -m experiments.page`."""
