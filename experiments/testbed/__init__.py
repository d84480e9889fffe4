"""The schedulers on real TCP flows through shaped links of the kernel: `python -m experiments.testbed`."""
