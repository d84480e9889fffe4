"""Interquartile means by hand, and intervals that cover as often as they say."""

import numpy as np
import pytest

from experiments.analysis.stats import bootstrap_interval, expanded_tail, iqm, probability_of_improvement, redraws

pytestmark = pytest.mark.slow


def test_iqm_by_hand():
    assert iqm(np.array([100.0, 1.0, 2.0, 3.0, -50.0])) == 2.0  # one cut at either end
    assert iqm(np.array([5.0, 1.0, 9.0, 3.0])) == 4.0
    assert iqm(np.array([1.0, 2.0, 6.0])) == 3.0  # too few to cut
    assert iqm(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist() == [1.5, 3.5]


def test_a_missing_number_is_not_the_highest_score():
    """NaN sorts last: without care it is cut off, and the rest averages as if all were there."""
    values = np.array([*range(8), np.nan, np.nan])
    assert np.isnan(iqm(values)) and np.isnan(bootstrap_interval(values)).all()
    assert np.isnan(iqm(np.array([[1.0, 2.0], [np.nan, 4.0]]))).tolist() == [False, True]
    assert np.isnan(probability_of_improvement(np.array([1.0, np.nan, -1.0])))


@pytest.mark.parametrize("seeds", [5, 8, 30])
@pytest.mark.parametrize("law", ["normal", "uniform"])
def test_the_interval_covers_the_truth_as_often_as_it_says(seeds, law):
    """Both laws are symmetric, so that the interquartile mean of many samples is at their centre, 0."""
    rng = np.random.default_rng(1)
    draw = {"normal": rng.normal, "uniform": lambda size: rng.uniform(-1, 1, size)}[law]
    inside = 0
    for _ in range(1000):
        low, high = bootstrap_interval(draw(size=seeds), draws=600)
        inside += low <= 0 <= high
    assert 0.92 <= inside / 1000 <= 0.975


@pytest.mark.parametrize("seeds", [4, 6, 10])
def test_the_interval_is_that_of_very_many_draws(seeds):
    """Half a million samples drawn at random, of which the same share is outside."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=seeds)
    drawn = iqm(values[rng.integers(seeds, size=(500_000, seeds))])
    tail = expanded_tail(seeds, 0.025)
    low, high = bootstrap_interval(values)
    for outside, reached in ((drawn < low - 1e-9, drawn <= low + 1e-9), (drawn > high + 1e-9, drawn >= high - 1e-9)):
        assert outside.mean() <= tail * 1.03 and reached.mean() >= tail * 0.97
    assert bootstrap_interval(-values[::-1]) == pytest.approx((-high, -low))


def test_redraws_of_two_by_hand():
    """Of (0, 1): 0 twice, both, 1 twice."""
    samples, weights = redraws(2, 0)
    assert samples.tolist() == [[0, 0], [0, 1], [1, 1]] and weights.tolist() == [0.25, 0.5, 0.25]
    for count in (3, 7, 10):
        samples, weights = redraws(count, 0)
        assert weights.sum() == pytest.approx(1) and weights @ samples.mean(axis=1) == pytest.approx((count - 1) / 2)


def test_an_interval_of_two_or_three_seeds_is_lowest_and_highest():
    assert bootstrap_interval(np.array([2.0, -1.0])) == (-1.0, 2.0)
    assert bootstrap_interval(np.array([2.0, -1.0, 0.5])) == (-1.0, 2.0)


def test_many_seeds_repeat_their_draws():
    values = np.random.default_rng(5).normal(size=30)
    assert bootstrap_interval(values, draws=1000) == bootstrap_interval(values.copy(), draws=1000)


@pytest.mark.parametrize("count, student", [(5, 2.776), (10, 2.262), (30, 2.045)])
def test_the_tail_is_students(count, student):
    """Student's 97.5 % points at 4, 9 and 29 degrees of freedom, from any table."""
    from statistics import NormalDist

    moved = -NormalDist().inv_cdf(expanded_tail(count, 0.025))
    assert moved == pytest.approx(student, rel=0.02)


def test_probability_of_improvement_by_hand():
    """Of five seeds, two are better, one is equal and two are worse: (1 + 1 + 0.5) / 5."""
    assert probability_of_improvement(np.array([0.2, 0.1, 0.0, -3.0, -0.1])) == 0.5
    assert probability_of_improvement(np.array([0.2, 0.1, 0.3])) == 1.0
