"""Experiments on edgediff: grids, their analysis, pictures, the annotated page, timing. See README.md."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments/results"
