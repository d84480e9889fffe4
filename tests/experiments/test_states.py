"""Other scales of the state: shapes, and the ratios by hand."""

import numpy as np
import pytest

from edgediff.config import WorldConfig
from edgediff.world.simulator import Simulator
from edgediff.world.state import observe
from experiments.variants import observations as states

FORMS = {observe: 0, states.unit_interval: 0, states.Standardised(4.0): 0, states.one_unit: 0,
         states.with_bandwidth: 1, states.with_ratios: 8}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_simulator_observes_by_the_form_that_it_is_given(form):
    world = WorldConfig(num_gateways=4, num_slots=20)
    simulator = Simulator(world, 3, state_of_view=form)
    seen = simulator.reset(0)
    assert seen.shape == (3, world.state_dim + FORMS[form])
    assert np.array_equal(seen, form(world, simulator.view()))


def test_standardised_multiplies_by_its_gain():
    """A state times 2 is the usual one, Eq. (11) as `observe` scales it."""
    world = WorldConfig(num_gateways=4, num_slots=20)
    simulator = Simulator(world, 3)
    seen = simulator.reset(0)
    assert np.array_equal(states.Standardised(2.0)(world, simulator.view()), seen)
    assert np.allclose(states.Standardised(1.0)(world, simulator.view()), seen / 2)


def test_ratios_by_hand():
    """b = 10 Mbit/s, T_req = 0.5 s. Gateways: nothing waits; a wait of 0.2 s, of 1 s, and without end."""
    world = WorldConfig(num_gateways=4, num_slots=20)
    simulator = Simulator(world, 1)
    simulator.reset(0)
    view = simulator.view()
    flow = view.flow.copy()
    flow["bandwidth_bps"], flow["deadline_s"] = 10e6, 0.5
    view = view._replace(flow=flow, available_bps=np.array([[40e6, 5e6, 15e6, 0.0]]),
                         backlog_bits=np.array([[0.0, 1e6, 15e6, 1e6]]))  # fmt: skip
    seen = states.with_ratios(world, view)[0]
    assert np.array_equal(seen[:13], observe(world, view)[0])
    assert np.allclose(seen[13:17], [2 * 3.0 - 3, 2 * 0.5 - 3, 2 * 1.5 - 3, -3])
    assert np.allclose(seen[17:], [-1, 4 * 0.4 - 1, 3, 3])
