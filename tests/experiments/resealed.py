"""A result that was changed by somebody who knows how to hide it."""

from experiments.grid.results import DIGEST, with_digest


def again(text, *change):
    """Change a result, and give it the digest of what it says now."""
    return with_digest(text.rpartition(DIGEST)[0].replace(*change))
