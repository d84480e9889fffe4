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
OPTIONAL_REPORT = "load", "capacity_bps"
DEMAND = "data_bits", "work_tflop", "priority", "deadline_s"
OPTIONAL = "bandwidth_bps", "workshop"
WHOLE = "priority", "workshop"
MAX_FLOWS = 64  # of a line: so long other clients wait for it
MAX_AMOUNT = 1e15  # bits, bit/s or TFLOP: beyond every network, and far from where numbers overflow


def read_report(world: WorldConfig, capacity_bps: np.ndarray, report: dict) -> tuple[np.ndarray, ...]:
    """Return Q and R_avail, (1, G), F_avail and load, (1,); `ConfigError` names the first field that is wrong.

    The load is that of late, 1 unless it is given: arrivals over lambda W.
    """
    check_names("report", report, REPORT, OPTIONAL_REPORT)
    available_bps = _per_gateway("available_bps", report["available_bps"], capacity_bps)
    backlog_bits = _per_gateway("backlog_bits", report["backlog_bits"], np.full(world.num_gateways, MAX_AMOUNT))
    tflops = checked_number("available_tflops", report["available_tflops"], 0, world.server_tflops)
    load = checked_number("load", report.get("load", 1.0), 0.01, 100)
    return backlog_bits, available_bps, np.array([tflops], float), np.array([load], float)


def read_capacities(known_bps: np.ndarray, report: dict, any_number: bool) -> np.ndarray:
    """Return R_max, (G,): as known, or as reported, perhaps of other gateways than those of the run."""
    if not isinstance(report, dict) or "capacity_bps" not in report:
        return known_bps
    if not any_number:
        raise ConfigError("capacity_bps: cannot be given to a run whose network is mlp: it knows its own gateways only")
    values = report["capacity_bps"]
    if not isinstance(values, (list, tuple, np.ndarray)) or not 1 <= len(values) <= 256:
        raise ConfigError(f"capacity_bps: {short_repr(values)} is not a list of 1 to 256 numbers")
    return _per_gateway("capacity_bps", values, np.full(len(values), MAX_AMOUNT), least=1.0)[0]


def read_flow(world: WorldConfig, flow: dict, name: str) -> np.ndarray:
    """Return the demand of a flow, (1,) of FLOW; `ConfigError` names the first field that is wrong.

    Unless it is given, the required bandwidth is b = D / (size_fraction * T_req), as in the traffic of Section 5.1. A
    workshop that is not given is -1.
    """
    check_names(name, flow, DEMAND, OPTIONAL)
    limits = {
        "data_bits": (1, MAX_AMOUNT),
        "work_tflop": (1e-9, MAX_AMOUNT),
        "priority": (1, 3),
        "deadline_s": (1e-6, world.max_delay_s),
        "bandwidth_bps": (1, MAX_AMOUNT),
        "workshop": (0, world.num_workshops - 1),
    }
    found = np.zeros(1, FLOW)
    found["workshop"] = -1
    for field, value in flow.items():
        found[field] = checked_number(f"{name}.{field}", value, *limits[field], whole=field in WHOLE)
    if "bandwidth_bps" not in flow:
        found["bandwidth_bps"] = found["data_bits"] / (world.size_fraction * found["deadline_s"])
    return found


def check_names(name: str, given: Any, needed: Iterable[str], optional: Iterable[str] = ()) -> None:
    """Raise `ConfigError` unless an object has all the fields that it needs, and none that it may not have."""
    if not isinstance(given, dict):
        raise ConfigError(f"{name}: {short_repr(given)} is not an object with the fields {', '.join(needed)}")
    prefix = f"{name}." if name.startswith("flow") else ""
    for field in needed:
        if field not in given:
            raise ConfigError(f"{prefix}{field}: missing")
    for field in given:
        if field not in (*needed, *optional):
            raise ConfigError(f"{prefix}{str(field):.40}: not one of {', '.join([*needed, *optional])}")


def checked_number(name: str, value: Any, low: float, high: float, whole: bool = False):
    """Return a number; `ConfigError` unless it is one, in its closed range. 3.0 is whole; True and False are none."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not low <= value <= high or whole and value != int(value):  # NaN is in no range
        words = "whole number" if whole else "number"
        raise ConfigError(f"{name}: {short_repr(value)} is not a {words} from {low:g} to {high:.10g}")
    return int(value) if whole else value


def short_repr(value: Any) -> str:
    """Return a value as an error message shows it: cut to a short length."""
    return _SHORT.repr(value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value)[:60]


def _per_gateway(name: str, values: Any, high: np.ndarray, least: float = 0.0) -> np.ndarray:
    """Return one number per gateway, (1, G)."""
    if not isinstance(values, (list, tuple, np.ndarray)) or getattr(values, "ndim", 1) == 0:
        raise ConfigError(f"{name}: {short_repr(values)} is not a list of {len(high)} numbers, one per gateway")
    if len(values) != len(high):
        raise ConfigError(f"{name}: {len(values)} numbers are not {len(high)}, one per gateway, as in the run")
    found = [checked_number(f"{name}[{g}]", values[g], least, high[g]) for g in range(len(high))]
    return np.array([found], float)


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxlong = 2, 40, 40
