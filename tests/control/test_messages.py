"""Reports and demands become what the world's functions take, or one line that names the field."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lines import FLOW, REPORT

from edgediff.config import WorldConfig
from edgediff.control.messages import Demand, Report, read_flow, read_report
from edgediff.errors import ConfigError

WORLD = WorldConfig()
CAPACITY_BPS = np.full(8, 50e6)


def test_a_report_is_a_dictionary_or_typed_and_is_left_as_it_is():
    found, capacity_bps = read_report(WORLD, CAPACITY_BPS, REPORT)
    assert found == Report(
        tuple(map(float, REPORT["available_bps"])), tuple(map(float, REPORT["backlog_bits"])), 1368.0
    )
    assert found.load == 1 and capacity_bps is CAPACITY_BPS
    assert read_report(WORLD, CAPACITY_BPS, Report(**REPORT))[0] == found
    failed = {"capacity_bps": [5e7] * 3, "available_bps": [0, 1, 5e7], "backlog_bits": [0] * 3, "load": 2}
    found, capacity_bps = read_report(WORLD, CAPACITY_BPS, REPORT | failed)
    assert capacity_bps.tolist() == [5e7] * 3 and found.load == 2.0


def test_a_flow_takes_the_demand_of_section_5_1():
    found = read_flow(WORLD, FLOW, "flow")
    assert [found[name].item() for name in FLOW] == list(FLOW.values())
    assert found["bandwidth_bps"] == 4.13e6 / (WORLD.size_fraction * 0.51) and found["workshop"] == -1
    given = FLOW | {"bandwidth_bps": 5e6, "workshop": 7, "priority": 2.0}
    for form in (given, Demand(**given)):
        found = read_flow(WORLD, form, "flow")
        assert [found[name].item() for name in ("bandwidth_bps", "workshop", "priority")] == [5e6, 7, 2]


class Series:
    """What a Series of pandas offers of a list."""

    def __init__(self, values):
        self.tolist = lambda: values


@pytest.mark.parametrize(
    "kind, number",
    [(tuple, float), (np.array, np.int64), (torch.tensor, torch.tensor), (Series, np.float32),
     (lambda values: [np.float32(value) for value in values], np.float64)],
)  # fmt: skip
def test_arrays_are_lists_of_numbers(kind, number):
    values = [15e6, 0.0, 21.875e6, 17e6, 0.0, 39.75e6, 19.25e6, 0.0]  # of float32, too
    given = REPORT | {"available_bps": kind(values), "available_tflops": number(1368)}
    found = read_report(WORLD, CAPACITY_BPS, given)[0]
    assert found.available_bps == tuple(values) and type(found.available_tflops) is float
    assert read_flow(WORLD, FLOW | {"priority": number(3)}, "flow")["priority"] == 3


@pytest.mark.parametrize("name", ["available_bps", "backlog_bits", "capacity_bps"])
@pytest.mark.parametrize("value", [np.array(5.0), np.zeros((8, 2, 2)), np.zeros(0), [5e6] * 257, "12345678",
                                   SimpleNamespace(a="\n")])  # fmt: skip
def test_what_is_no_list_of_numbers_is_one_line(name, value):
    with pytest.raises(ConfigError, match=f"^{name}.*: ") as refused:
        read_report(WORLD, CAPACITY_BPS, REPORT | {name: value})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "field, ends, beyond",
    [
        ("data_bits", (1, 1e15), (np.nextafter(1, 0), 2e15, -1, np.inf, np.nan, True, "2", None, 10**400, 2j)),
        ("priority", (1, 2.0, 3), (0, 4, 2.5, np.inf, np.nan, True, "2", None, np.True_)),
        ("deadline_s", (1e-6, 2), (0, np.nextafter(2, 3), -np.inf)),
        ("workshop", (0, 999, 999.0), (-1, 1000, 0.5, None)),
        ("bandwidth_bps", (1, 1e15), (0, None)),
    ],
)
def test_a_range_has_its_ends_and_nothing_beyond(field, ends, beyond):
    for value in ends:
        assert read_flow(WORLD, FLOW | {field: value}, "flow")[field] == value
    for value in beyond:
        with pytest.raises(ConfigError, match=rf"^flows\[2\].{field}: .* from .* to ") as refused:
            read_flow(WORLD, FLOW | {field: value}, "flows[2]")
        assert "\n" not in str(refused.value)


def test_a_typed_demand_has_the_same_ranges():
    with pytest.raises(ConfigError, match="^flow.deadline_s: 2.5 "):
        read_flow(WORLD, Demand(1e6, 1.0, 1, 2.5), "flow")
    with pytest.raises(ConfigError, match="^flow.data_bits: missing"):
        read_flow(WORLD, Demand(None, 1.0, 1, 1.0), "flow")
