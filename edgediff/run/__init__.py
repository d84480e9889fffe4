"""A run on disk and on screen: settings from the command line, reports, scores, and states to resume from."""
