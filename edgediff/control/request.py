"""What the controller is told, Section 3.1: the reports of gateways and server, and the demand of a flow.

Every field is checked here, and becomes what the world's functions take. Units are in the names.
"""

import numbers
import reprlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError
from edgediff.world.workload import FLOW

REPORT = "available_bps", "backlog_bits", "available_tflops"
DEMAND = "data_bits", "work_tflop", "priority", "deadline_s"
OPTIONAL = "bandwidth_bps", "workshop"
MOST = 1e15  # bits, bit/s or TFLOP: beyond every network, and far from where numbers overflow


def read_report(world: WorldConfig, capacity_bps: np.ndarray, report: dict) -> tuple[np.ndarray, ...]:
    """Return Q and R_avail, (1, G), and F_avail, (1,); `ConfigError` names the first field that is wrong."""
    check_names("report", report, REPORT)
    available_bps = _numbers("available_bps", report["available_bps"], capacity_bps)
    backlog_bits = _numbers("backlog_bits", report["backlog_bits"], np.full(world.num_gateways, MOST))
    tflops = number("available_tflops", report["available_tflops"], 0, world.server_tflops)
    return backlog_bits, available_bps, np.array([tflops], float)


def read_flow(world: WorldConfig, flow: dict, name: str = "flow") -> np.ndarray:
    """Return the demand of a flow, (1,) of FLOW; `ConfigError` names the first field that is wrong.

    Unless it is given, the required bandwidth is b = D / (size_fraction * T_req), as in the traffic of Section 5.1. A
    workshop that is not given is -1.
    """
    check_names(name, flow, DEMAND, OPTIONAL)
    found = np.zeros(1, FLOW)
    found["data_bits"] = number(f"{name}.data_bits", flow["data_bits"], 1, MOST)
    found["work_tflop"] = number(f"{name}.work_tflop", flow["work_tflop"], 1e-9, MOST)
    found["priority"] = number(f"{name}.priority", flow["priority"], 1, 3, whole=True)
    found["deadline_s"] = number(f"{name}.deadline_s", flow["deadline_s"], 1e-6, world.max_delay_s)
    found["bandwidth_bps"] = found["data_bits"] / (world.size_fraction * found["deadline_s"])
    if "bandwidth_bps" in flow:
        found["bandwidth_bps"] = number(f"{name}.bandwidth_bps", flow["bandwidth_bps"], 1, MOST)
    found["workshop"], last = -1, world.num_workshops - 1
    if "workshop" in flow:
        found["workshop"] = number(f"{name}.workshop", flow["workshop"], 0, last, whole=True)
    return found


def check_names(name: str, given: Any, needed: Iterable[str], optional: Iterable[str] = ()) -> None:
    """Raise `ConfigError` unless an object has all the fields that it needs, and none that it may not have."""
    if not isinstance(given, dict):
        raise ConfigError(f"{name}: {shown(given)} is not an object with the fields {', '.join(needed)}")
    prefix = f"{name}." if name.startswith("flow") else ""
    for field in needed:
        if field not in given:
            raise ConfigError(f"{prefix}{field}: missing")
    for field in given:
        if field not in (*needed, *optional):
            raise ConfigError(f"{prefix}{str(field):.40}: not one of {', '.join([*needed, *optional])}")


def number(name: str, value: Any, low: float, high: float, whole: bool = False):
    """Return a number; `ConfigError` unless it is one, in its closed range. True and False are no numbers."""
    kind = numbers.Integral if whole else numbers.Real
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:  # NaN is in no range
        words = "whole number" if whole else "number"
        raise ConfigError(f"{name}: {shown(value)} is not a {words} from {low:g} to {high:.10g}")
    return value


def shown(value: Any) -> str:
    """Return a value as an error message shows it: cut to a short length."""
    return _SHORT.repr(value.item() if isinstance(value, np.generic) else value)[:60]


def _numbers(name: str, values: Any, high: np.ndarray) -> np.ndarray:
    """Return one number per gateway, (1, G)."""
    if not isinstance(values, (list, tuple, np.ndarray)):
        raise ConfigError(f"{name}: {shown(values)} is not a list of {len(high)} numbers, one per gateway")
    if len(values) != len(high):
        raise ConfigError(f"{name}: {len(values)} numbers are not {len(high)}, one per gateway, as in the run")
    return np.array([[number(f"{name}[{g}]", *pair) for g, pair in enumerate(zip(values, 0 * high, high))]], float)


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxlong = 2, 40, 40
