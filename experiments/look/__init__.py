"""Look inside a decision: one page on which every flow of an episode can be opened. See page.py."""
