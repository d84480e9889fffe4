"""Completion by size of flow, of the same episodes as every score."""

import numpy as np
import pytest

from edgediff.config import WorldConfig
from edgediff.run.process import run_program
from edgediff.world.decision import all_outcomes
from edgediff.world.rollout import rollout
from edgediff.world.rules import one_step_greedy
from edgediff.world.simulator import Simulator
from experiments.analysis import sizes

WORLD = WorldConfig(load=2.0, num_slots=200)


def test_the_quarters_together_are_the_score():
    shares = sizes.by_quarter(Simulator(WORLD, 3), one_step_greedy, 5)
    flows = rollout(Simulator(WORLD, 3), one_step_greedy, 5)
    assert shares.mean() == pytest.approx(flows["completed"].mean(), abs=2e-3)  # quarters differ by a flow


def test_small_flows_are_in_the_first_quarter():
    """A scheduler that drops whatever is large, since it sends it to a gateway that is full."""
    simulator = Simulator(WORLD, 3)

    def only_small(world, view):
        small = view.flow["data_bits"] < 1.2e6
        return np.where(small, one_step_greedy(world, view), all_outcomes(world, view).delay_s.argmax(axis=1))

    shares = sizes.by_quarter(simulator, only_small, 5)
    assert shares[0] > 0.9 and shares[0] > shares[1] > shares[3]


def test_a_folder_that_does_not_exist_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr(sizes, "SEEDS", range(0))
    assert run_program("sizes", sizes.main, ["--results", "/nowhere"]) == 2
    assert (
        capsys.readouterr().err
        == "sizes: file: /nowhere/sizes.csv cannot be written (No such file or directory); what was there stays\n"
    )
