"""The learning agents that D2SAC is compared with; each runs in the same loop with the same transitions."""
