"""Times of updates, decisions and the controller."""
