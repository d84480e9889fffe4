"""Experiments on edgediff: grids, their analysis, pictures, the annotated page, timing. See README.md."""

from pathlib import Path

from edgediff.run.prepare import prepare_program

prepare_program(__name__)

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments/results"
