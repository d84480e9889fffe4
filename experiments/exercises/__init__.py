"""Exercises: write an equation of the paper, and its tests judge it. See README.md."""

from experiments.exercises.judge import check as check
