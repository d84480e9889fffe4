"""Redraw Figure 5, flow completion rate, in both readings of its x axis, from the committed CSVs."""

from plotting import two_readings

two_readings("completion", "share of flows completed in time", "figure5.png")
