"""Reports and demands become what the world's functions take, or an error that names the field."""

import numpy as np
import pytest
from lines import FLOW, REPORT

from edgediff.config import WorldConfig
from edgediff.control.request import checked_number, read_flow, read_report
from edgediff.errors import ConfigError

WORLD = WorldConfig()
CAPACITY_BPS = np.full(8, 50e6)


@pytest.mark.parametrize("name", ["available_bps", "backlog_bits"])
def test_read_report_refuses_an_array_of_the_wrong_shape(name):
    for value, message in (
        (np.array(5.0), f"{name}: 5.0 is not a list of 8 numbers, one per gateway"),
        (np.zeros(7), f"{name}: 7 numbers are not 8"),
        (np.zeros((8, 2, 2)), f"{name}[0]: [[0.0, 0.0], [0.0, 0.0]] is not a number"),
    ):
        with pytest.raises(ConfigError) as refused:
            read_report(WORLD, CAPACITY_BPS, REPORT | {name: value})
        assert str(refused.value).startswith(message) and "\n" not in str(refused.value)


def test_read_report_gives_backlog_bandwidth_and_compute_in_this_order():
    backlog_bits, available_bps, available_tflops, load = read_report(WORLD, CAPACITY_BPS, REPORT)
    assert np.array_equal(backlog_bits, [REPORT["backlog_bits"]])
    assert np.array_equal(available_bps, [REPORT["available_bps"]])
    assert np.array_equal(available_tflops, [1368.0]) and np.array_equal(load, [1.0])


def test_read_flow_takes_the_demand_of_section_5_1():
    found = read_flow(WORLD, FLOW, "flow")
    assert [found[name].item() for name in FLOW] == list(FLOW.values())
    assert found["bandwidth_bps"] == 4.13e6 / (WORLD.size_fraction * 0.51) and found["workshop"] == -1
    given = read_flow(WORLD, FLOW | {"bandwidth_bps": 5e6, "workshop": 7, "priority": 2.0}, "flow")
    assert [given[name].item() for name in ("bandwidth_bps", "workshop", "priority")] == [5e6, 7, 2]


def test_checked_number_takes_the_ends_of_its_range_and_nothing_beyond():
    for whole in (False, True):
        assert [checked_number("x", value, 1, 3, whole) for value in (1, 3, 3.0, np.int64(2))] == [1, 3, 3, 2]
        for value in (0, np.nextafter(1, 0), np.nextafter(3, 4), -np.inf, np.inf, np.nan, True, "2", None, 10**400, 2j):
            with pytest.raises(ConfigError, match="^x: .* from 1 to 3$"):
                checked_number("x", value, 1, 3, whole)
    with pytest.raises(ConfigError, match="x: 2.5 is not a whole number from 1 to 3"):
        checked_number("x", 2.5, 1, 3, whole=True)
