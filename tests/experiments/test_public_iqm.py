"""The interquartile mean beside those of two public packages."""

import numpy as np
import pytest

from experiments.analysis.stats import iqm


@pytest.mark.parametrize("scores, expected", [([1, 2, 2, 2, 1, 1, 2, 1], 1.5), ([1, 1, 2, 2, 3, 3], 2.0)])
def test_iqm_as_rliable(scores, expected):
    """google-research/rliable, tests/rliable/metrics_test.py; runs and tasks in one axis, as it takes them.

    Its probability of improvement compares all pairs of runs. Ours compares seed by seed, so it has no counterpart.
    """
    assert iqm(np.array(scores)) == expected


def test_iqm_is_the_mean_trimmed_by_a_quarter():
    """The value of scipy.stats.trim_mean(values, 0.25)."""
    stats = pytest.importorskip("scipy.stats")
    for count in range(1, 25):
        values = np.random.default_rng(count).normal(size=(3, count))
        assert iqm(values) == pytest.approx(stats.trim_mean(values, 0.25, axis=1))
