"""Redraw Figure 6, average latency, in both readings of its x axis, from the committed CSVs."""

from plotting import two_readings

two_readings("latency_s", "mean latency, s (a dropped flow counts 2 s)", "figure6.png")
