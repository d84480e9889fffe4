"""Interquartile means by hand, and intervals that cover as often as they say."""

import numpy as np
import pytest

from experiments.analysis.stats import bootstrap_interval, expanded_tail, iqm, probability_of_improvement


def test_iqm_by_hand():
    assert iqm(np.array([100.0, 1.0, 2.0, 3.0, -50.0])) == 2.0  # one cut at either end
    assert iqm(np.array([5.0, 1.0, 9.0, 3.0])) == 4.0
    assert iqm(np.array([1.0, 2.0, 6.0])) == 3.0  # too few to cut
    assert iqm(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=0).tolist() == [2.0, 3.0]


@pytest.mark.parametrize("seeds", [5, 10, 30])
@pytest.mark.parametrize("law", ["normal", "uniform"])
def test_the_interval_covers_the_truth_as_often_as_it_says(seeds, law):
    """Both laws are symmetric, so that the interquartile mean of many samples is at their centre, 0."""
    rng = np.random.default_rng(1)
    draw = {"normal": rng.normal, "uniform": lambda size: rng.uniform(-1, 1, size)}[law]
    inside = 0
    for _ in range(1000):
        low, high = bootstrap_interval(draw(size=seeds), rng, draws=600)
        inside += low <= 0 <= high
    assert 0.92 <= inside / 1000 <= 0.97


def test_plain_percentiles_would_not_cover():
    """The reason for moving them: without it, five seeds cover far less than 95 %."""
    rng, inside = np.random.default_rng(1), 0
    for _ in range(500):
        values = rng.normal(size=5)
        redrawn = iqm(values[rng.integers(5, size=(600, 5))])
        low, high = np.quantile(redrawn, [0.025, 0.975])
        inside += low <= 0 <= high
    assert inside / 500 < 0.9


@pytest.mark.parametrize("count, student", [(5, 2.776), (10, 2.262), (30, 2.045)])
def test_the_tail_is_students(count, student):
    """Student's 97.5 % points at 4, 9 and 29 degrees of freedom, from any table."""
    from statistics import NormalDist

    moved = -NormalDist().inv_cdf(expanded_tail(count, 0.025))
    assert moved == pytest.approx(student, rel=0.02)


def test_strata_are_drawn_apart_and_averaged():
    """Two strata without spread give an interval without width, at the mean of the two."""
    values = np.array([[1.0] * 5, [3.0] * 5])
    assert bootstrap_interval(values, np.random.default_rng(0)) == (2.0, 2.0)


def test_probability_of_improvement_by_hand():
    """Of five seeds, two are better, one is equal and two are worse: (1 + 1 + 0.5) / 5."""
    assert probability_of_improvement(np.array([0.2, 0.1, 0.0, -3.0, -0.1])) == 0.5
    assert probability_of_improvement(np.array([0.2, 0.1, 0.3])) == 1.0
