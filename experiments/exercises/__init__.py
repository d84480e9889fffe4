"""Exercises: one stub per equation, judged by the tests of the equation. See README.md."""
