"""Lets pytest know `--mine` at once: it looks for conftest.py in the folder of the first path it sees, also of FILE."""

pytest_plugins = ["exercise_mode"]  # tests/exercise_mode.py
