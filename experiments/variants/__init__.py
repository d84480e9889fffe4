"""Other agents, states and planners that only experiments need."""
