"""Experiments on edgediff: grids, their analysis, pictures, the annotated page, timing. See README.md."""
