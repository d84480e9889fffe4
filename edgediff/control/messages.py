"""What the controller is told, Section 3.1: the reports of gateways and server, and the demand of a flow.

A field is declared once, as settings are: its meaning, and the range of its value. Units are in the names.
"""

import reprlib
from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass
from typing import Any, TypeVar

import numpy as np

from edgediff.config import WorldConfig, plain, setting
from edgediff.errors import ConfigError
from edgediff.world.workload import FLOW

MAX_FLOWS = 64  # of a slot: so long other clients wait for it
MAX_GATEWAYS = 256
MAX_AMOUNT = 1e15  # bits, bit/s or TFLOP: beyond every network, and far from where numbers overflow
PerGateway = Sequence[float]
PER_GATEWAY, WHOLE = (PerGateway, PerGateway | None), (int, int | None)  # types of fields


def told(text: str, low: float, high: float, default: Any = MISSING) -> Any:
    """Declare a field by its meaning and range. Without a default it must be given; None stands for what is known."""
    return setting(default, text, low, high)


@dataclass(frozen=True)
class Report:
    """What gateways and server report."""

    available_bps: PerGateway = told("R_avail, bit/s; at most R_max", 0, MAX_AMOUNT)
    backlog_bits: PerGateway = told("Q, bit", 0, MAX_AMOUNT)
    available_tflops: float = told("F_avail, TFLOP/s; at most server_tflops", 0, MAX_AMOUNT)
    load: float = told("recent flows per slot, over lambda W", 0.01, 100, default=1.0)
    capacity_bps: PerGateway | None = told("R_max, bit/s; None: as in the world", 1, MAX_AMOUNT, default=None)


@dataclass(frozen=True)
class Demand:
    """What a flow asks for, Eq. (1)."""

    data_bits: float = told("D, bit", 1, MAX_AMOUNT)
    work_tflop: float = told("C, TFLOP", 1e-9, MAX_AMOUNT)
    priority: int = told("p", 1, 3)
    deadline_s: float = told("T_req, s; at most max_delay_s", 1e-6, MAX_AMOUNT)
    bandwidth_bps: float | None = told("b, bit/s; None: D / (size_fraction * T_req)", 1, MAX_AMOUNT, default=None)
    workshop: int | None = told("w; None: the mean of all counts", 0, MAX_AMOUNT, default=None)


Message = TypeVar("Message", Report, Demand)  # one of the two


def read_report(world: WorldConfig, known_bps: np.ndarray, report: Report | dict) -> tuple[Report, np.ndarray]:
    """Return a report and R_max, (G,), as known or as reported; `ConfigError` names the first field that is wrong."""
    found = _read(Report, report, "report", available_tflops=world.server_tflops)
    capacity_bps = known_bps if found.capacity_bps is None else np.array(found.capacity_bps)
    for name in ("available_bps", "backlog_bits"):
        if (count := len(getattr(found, name))) != len(capacity_bps):
            raise ConfigError(f"{name}: {count} numbers are not {len(capacity_bps)}, one per gateway")
    for g, (value, most) in enumerate(zip(found.available_bps, capacity_bps.tolist(), strict=True)):
        if value > most:
            raise ConfigError(f"available_bps[{g}]: {value:.10g} is not a number from 0 to {most:.10g}")
    return found, capacity_bps


def read_flow(world: WorldConfig, demand: Demand | dict, name: str) -> np.ndarray:
    """Return a flow, (1,) of FLOW; `ConfigError` names the first field that is wrong.

    Unless it is given, the required bandwidth is b = D / (size_fraction * T_req), as in the traffic of Section 5.1. A
    workshop that is not given is -1.
    """
    found = _read(Demand, demand, name, deadline_s=world.max_delay_s, workshop=world.num_workshops - 1)
    flow = np.zeros(1, FLOW)
    flow["workshop"], flow["bandwidth_bps"] = -1, found.data_bits / (world.size_fraction * found.deadline_s)
    for field, value in vars(found).items():
        if value is not None:
            flow[field] = value
    return flow


def short_repr(value: Any) -> str:
    """Return a value as an error message shows it: in one line, cut to a short length."""
    return " ".join(_SHORT.repr(_plain(value)).split())[:60]


def _read(kind: type[Message], given: Any, name: str, **most: float) -> Message:
    """Return a message with numbers of Python, each in its range, which may end lower in a world, at `most`."""
    known, prefix = kind.__dataclass_fields__, f"{name}." if kind is Demand else ""
    if isinstance(given, kind):
        given = {field: value for field, value in vars(given).items() if value is not None}
    if not isinstance(given, dict):
        raise ConfigError(f"{name}: {short_repr(given)} is not an object with the fields {', '.join(known)}")
    for field, f in known.items():
        if field not in given and f.default is MISSING:
            raise ConfigError(f"{prefix}{field}: missing")
    for field in given:
        if field not in known:
            raise ConfigError(f"{prefix}{field!s:.40}: not one of {', '.join(known)}")
    return kind(**{field: _value(known[field], prefix + field, value, most) for field, value in given.items()})


def _value(f: Field, name: str, value: Any, most: dict[str, float]) -> Any:
    value, low, high = _plain(value), f.metadata["low"], most.get(f.name, f.metadata["high"])
    if f.type not in PER_GATEWAY:
        return _number(name, value, low, high, whole=f.type in WHOLE)
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= MAX_GATEWAYS:
        raise ConfigError(f"{name}: {short_repr(value)} is not a list of 1 to {MAX_GATEWAYS} numbers")
    return tuple(
        each if type(each) is float and low <= each <= high else _number(f"{name}[{g}]", each, low, high)
        for g, each in enumerate(value)
    )


def _number(name: str, value: Any, low: float, high: float, whole: bool = False) -> float:
    """Return an int or a float; `ConfigError` unless it is in its closed range. 3.0 is whole, True is no number."""
    found = plain(value, float)
    if found is None or not low <= found <= high or whole and found != int(found):  # NaN is in no range
        raise ConfigError(f"{name}: {short_repr(value)} is not a {'whole ' * whole}number from {low:g} to {high:.10g}")
    return int(found) if whole else found


def _plain(value: Any) -> Any:
    """Return numbers of NumPy, torch or pandas as those of Python."""
    return value.tolist() if hasattr(value, "tolist") else value


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxlong = 2, 40, 40
