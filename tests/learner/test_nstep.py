"""The n-step return, by hand."""

import pytest
import torch
from slips import named

from edgediff.learner.nstep import n_step_return

REWARD = torch.tensor([[1.0], [2.0], [4.0]])


def column(*flags):
    return torch.tensor(flags)[:, None]


@pytest.mark.eq(15)
@pytest.mark.parametrize(
    "last, total, steps",
    [
        (column(False, False, False), 3.0, 3),  # 1 + 2 / 2 + 4 / 4
        (column(False, False, True), 3.0, 3),  # the last of the window ends anyway
        (column(False, True, False), 2.0, 2),  # 1 + 2 / 2
        (column(True, False, False), 1.0, 1),
        (column(True, True, True), 1.0, 1),
        (column(False, True, True), 2.0, 2),
    ],
)
def test_adds_up_to_the_first_end(last, total, steps):
    """Rewards 1, 2, 4 at gamma = 1/2: 1 + 2/2 + 4/4 = 3; cut after the second 2, after the first 1."""
    value, length = n_step_return(REWARD, last, 0.5)
    assert value.item() == total, named(value.item(), {
        total / 2: "the discount starts with gamma^0 = 1 at the first reward",
        7.0: "gamma is missing",
        3.0: "the window is not cut: nothing counts behind a step that is `last`",
        total - 0.5 ** (steps - 1) * REWARD[steps - 1].item(): "the reward of the last step itself counts",
    })  # fmt: skip
    assert length.item() == steps, f"m = {length.item()}; {steps} rewards were added"


@pytest.mark.eq(15)
def test_one_step_is_the_reward():
    """n = 1: R = r_t = 1, as Eq. (15) prints it."""
    value, length = n_step_return(REWARD[:1], column(False), 0.5)
    assert value.item() == 1.0 and length.item() == 1


@pytest.mark.eq(15)
def test_without_discount_it_is_a_sum():
    """gamma = 1: 1 + 2 + 4 = 7."""
    assert n_step_return(REWARD, column(False, False, False), 1.0)[0].item() == 7.0


@pytest.mark.eq(15)
def test_what_lies_behind_the_end_does_not_count():
    """Cut after the first reward, R = 1, whatever the second one is."""
    reward = torch.tensor([[1.0], [float("nan")]])  # not even if it is no number
    assert n_step_return(reward, column(True, False), 0.5)[0].item() == 1.0


@pytest.mark.eq(15)
def test_columns_are_independent():
    """Two samples side by side: the first is cut after 1, the second is 1 + 2/2 + 4/4 = 3."""
    value, length = n_step_return(
        REWARD.repeat(1, 2), torch.tensor([[True, False], [False, False], [False, False]]), 0.5
    )
    assert value.tolist() == [1.0, 3.0] and length.tolist() == [1, 3]
