"""Eqs. (9), (10), (13), by hand."""

import numpy as np
import pytest
from slips import named

from edgediff.world import objective


@pytest.mark.eq(9)
def test_delay_deviation_is_signed():
    """H_d of Eq. (9): 0.7 - 0.5 = 0.2; a flow that is 0.4 s early has -0.4, which earns reward."""
    assert objective.delay_deviation(0.7, 0.5) == pytest.approx(0.2)
    assert objective.delay_deviation(0.1, 0.5) == pytest.approx(-0.4)  # early earns


@pytest.mark.eq(9)
def test_utilisation_and_imbalance():
    """H_r of Eq. (9): 40 of 50 free is U = 0.2, 10 of 50 free is U = 0.8; 0.8 - 0.2 = 0.6."""
    used = objective.utilisation(np.array([[40.0, 80.0, 10.0]]), np.array([50.0, 100.0, 50.0]))
    np.testing.assert_allclose(used, [[0.2, 0.2, 0.8]])
    np.testing.assert_allclose(objective.imbalance(used), [0.6])


@pytest.mark.eq(9)
def test_objective_weighs_delay_and_balance():
    """Eq. (9): 1 * 0.2 + 0.5 * 0.6 = 0.5."""
    assert objective.objective(0.2, 0.6) == pytest.approx(0.5)  # 1 * 0.2 + 0.5 * 0.6
    assert objective.objective(0.2, 0.6, delay_weight=3.0, balance_weight=2.0) == pytest.approx(1.8)


@pytest.mark.eq(10)
@pytest.mark.parametrize(
    "case, count",
    [
        (dict(), 0),
        (dict(delay_s=0.6), 1),  # (10a)
        (dict(delay_s=0.6, deadline_s=0.7), 0),
        (dict(requested_bps=11.0), 1),  # (10b)
        (dict(requested_tflops=21.0), 1),  # (10c)
        (dict(delay_s=0.6, requested_bps=11.0, requested_tflops=21.0), 3),
    ],
)
def test_violations_counts_each_constraint_once(case, count):
    """Eq. (10): 0.5 s of 0.5 s, 10 of 10 Mbit/s and 20 of 20 TFLOP/s violate nothing; each limit passed counts 1."""
    within = dict(
        delay_s=0.5,
        deadline_s=0.5,
        requested_bps=10.0,
        available_bps=10.0,
        requested_tflops=20.0,
        available_tflops=20.0,
    )
    found = float(objective.violations(**within | case))
    several = objective.violations(**{name: np.full(2, value) for name, value in (within | case).items()})
    assert several.dtype != bool, "bool + bool is `or` in NumPy, so that 2 violations are True: cast to int"
    assert found == count, named(found, {
        count + 1.0: "a limit that is reached exactly is not violated: Eq. (10) has <=",
        count + 3.0: "a limit that is reached exactly is not violated: Eq. (10) has <=",
        count - 2.0: "phi counts the violated constraints, 0 to 3; it is not only whether there is one",
    })  # fmt: skip
    assert several.tolist() == [count, count], f"of two flows alike: {several.tolist()}, not [{count}, {count}]"


@pytest.mark.eq(13)
def test_worked_example_of_the_reward_docstring():
    """Eq. (13): H_d = 0.7 - 0.5, H_r = 0.8 - 0.2, O = 0.2 + 0.5 * 0.6 = 0.5, phi = 2: r = -(0.5 + 1 * 2) = -2.5."""
    h_d = objective.delay_deviation(0.7, 0.5)
    h_r = objective.imbalance(np.array([0.2, 0.8]))
    phi = objective.violations(0.7, 0.5, 2.0, 1.0, 1.0, 1.0)
    cost = objective.objective(h_d, h_r)
    assert (round(h_d, 12), round(h_r, 12), round(cost, 12), phi) == (0.2, 0.6, 0.5, 2)
    found = float(objective.reward(cost, phi))
    assert found == pytest.approx(-2.5), named(found, {
        1.5: "the sign of kappa phi: the minus stands before the whole bracket",
        2.5: "the minus before the bracket is missing: this is a cost",
        -0.5: "the penalty kappa phi is missing",
    })  # fmt: skip


def test_the_docstring_of_the_reward_has_these_numbers():
    assert "H_d = 0.2, H_r = 0.6, O = 0.2 + 0.5 * 0.6 = 0.5" in objective.reward.__doc__
    assert "r = -(0.5 + 1 * 2) = -2.5" in objective.reward.__doc__.replace("\n    ", " ")


@pytest.mark.eq(13)
def test_penalty_scales_the_violations_alone():
    """Eq. (13) with kappa = 3: -(0.5 + 3 * 2) = -6.5."""
    found = objective.reward(0.5, 2, penalty=3.0)
    assert found == -6.5, named(found, {
        -2.5: "the penalty kappa is taken as 1",
        -7.5: "kappa scales the whole bracket; it stands before phi alone",
    })  # fmt: skip
