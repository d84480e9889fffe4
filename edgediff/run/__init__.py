"""The keeping of runs: flags, folders, checkpoints to go on from, weights, reports and scores."""
