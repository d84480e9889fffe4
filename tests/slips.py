"""Well-known mistakes, told apart by the number that they give."""

import math


def named(found: float, slips: dict[float, str]) -> str:
    """Return the words for the slip that gives this number, or else the number."""
    near = [words for number, words in slips.items() if math.isclose(found, number, rel_tol=1e-5, abs_tol=1e-9)]
    return near[0] if near else f"{found:.6g} is not the number by hand"
