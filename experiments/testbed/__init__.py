"""The schedulers on real TCP flows: network namespaces, shaped links, an edge server. `python -m experiments.testbed`."""
