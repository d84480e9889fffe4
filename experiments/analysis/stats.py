"""Numbers that a few seeds allow: interquartile means, bootstrap intervals, probability of improvement.

R. Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice", 2021. Plain percentile
intervals are too narrow for five seeds (they cover 83 % where 95 % is written), so the percentiles are moved
outwards from normal to Student's ones, after T. Hesterberg, "What teachers should know about the bootstrap", 2015,
Section 5.3; his further factor sqrt(n / (n - 1)) would make intervals of interquartile means too wide at ten seeds.
A number that is not there, NaN, makes each of them NaN.
"""

from functools import cache
from itertools import combinations_with_replacement
from math import factorial
from statistics import NormalDist

import numpy as np

LISTED = 10  # up to so many seeds all samples are listed: 92,378 for ten


def iqm(values: np.ndarray) -> np.ndarray:
    """Average the middle half of the last axis: a quarter (rounded down) is cut off at either end."""
    cut, count = values.shape[-1] // 4, values.shape[-1]
    middle = np.sort(values)[..., cut : count - cut].mean(axis=-1)
    return np.where(np.isnan(values).any(axis=-1), np.nan, middle)  # sorting puts NaN last, where it would be cut off


def bootstrap_interval(values: np.ndarray, tail: float = 0.025, draws: int = 100_000) -> tuple[float, float]:
    """Return a 95 % interval for the interquartile mean of (seeds,); give paired differences to compare two agents.

    Up to ten seeds it is exact: there is no randomness in it. For two or three it is the lowest and the highest value,
    which covers the truth in 50 or 75 % of cases. `draws` counts for more than ten seeds.
    """
    if np.isnan(values).any():
        return float("nan"), float("nan")
    samples, weights = redraws(len(values), draws)
    means = iqm(np.sort(values)[samples])
    order, tail = np.argsort(means), expanded_tail(len(values), tail)
    low, high = (means[ends][np.cumsum(weights[ends]).searchsorted(tail)] for ends in (order, order[::-1]))
    return float(low), float(high)


@cache
def redraws(count: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Return samples with replacement out of `count` indices, (samples, count), and the probability of each.

    Samples that differ in their order alone are one.
    """
    if count > LISTED:
        return np.random.default_rng(0).integers(count, size=(draws, count)), np.full(draws, 1 / draws)
    samples = np.array([*combinations_with_replacement(range(count), count)])
    times = (samples[:, :, None] == np.arange(count)).sum(axis=1)  # how often each index is in a sample
    orders = factorial(count) / np.array([factorial(k) for k in range(count + 1)])[times].prod(axis=1)
    return samples, orders / count**count


def expanded_tail(count: int, tail: float) -> float:
    """Return the tail of a normal law whose quantile is Student's with `count` - 1 degrees of freedom."""
    z, nu = NormalDist().inv_cdf(tail), max(count - 1, 1)
    student = z + (z**3 + z) / (4 * nu) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * nu**2)  # Cornish-Fisher
    return NormalDist().cdf(student)


def probability_of_improvement(differences: np.ndarray) -> float:
    """Return the share of paired differences (seeds,) that are above 0; ties count half.

    A pair is one seed of two agents, on the same traffic. The package rliable counts all pairs of runs instead.
    """
    if np.isnan(differences).any():
        return float("nan")
    return float((differences > 0).mean() + 0.5 * (differences == 0).mean())
