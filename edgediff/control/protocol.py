"""The language of the controller: one JSON object a line comes in, one JSON object a line goes out, in order."""

import json
from collections import deque
from typing import Any

import numpy as np

from edgediff.control.controller import Controller, Decision
from edgediff.control.messages import short_repr
from edgediff.errors import ConfigError, NonFiniteError, first_line

MAX_LINE_BYTES = 65_536
MAX_LATENCIES = 100_000  # decision times that the percentiles are taken of


class LineProtocol:
    """Answers lines by a controller; keeps the times of the decisions."""

    def __init__(self, controller: Controller, probabilities: bool = False):
        self.controller, self.probabilities = controller, probabilities
        self.times_ms: deque[float] = deque(maxlen=MAX_LATENCIES)
        self.decided, self.refused = 0, 0

    def answer(self, line: bytes | None) -> bytes:
        """Return the answer to a line, None for one that is too long: an object, or its error; b"" to an empty line."""
        if line is not None and not line.strip():
            return b""
        answer: dict[str, Any] = {}
        try:
            request = parse(line)
            if "id" in request:
                answer["id"] = check_id(request.pop("id"))
            answer |= self._decide(request)
        except (ConfigError, NonFiniteError) as error:
            answer["error"] = str(error)
            self.refused += 1
        return json.dumps(answer).encode() + b"\n"

    def latencies(self) -> str:
        """Return how many flows were decided, and how long that took, in one line."""
        text = f"decisions: {self.decided}, lines refused: {self.refused}"
        if not self.times_ms:
            return text
        p50, p95, p99 = np.quantile(self.times_ms, [0.5, 0.95, 0.99])
        last = f" (the last {MAX_LATENCIES})" if self.decided > MAX_LATENCIES else ""
        return f"{text}; time of a decision{last}: p50 {p50:.3f} ms, p95 {p95:.3f} ms, p99 {p99:.3f} ms"

    def _decide(self, request: dict) -> dict:
        if ("flow" in request) == ("flows" in request):
            raise ConfigError("flow: missing" if "flow" not in request else "flow: given together with flows")
        if "flow" in request:
            flow = request.pop("flow")
            return self._fields(self.controller.decide(request, flow))  # the rest is the report
        flows = request.pop("flows")
        return {"decisions": [self._fields(decision) for decision in self.controller.decide_slot(request, flows)]}

    def _fields(self, decision: Decision) -> dict:
        """Count a decision; return its fields."""
        self.times_ms.append(decision.decision_ms)
        self.decided += 1
        fields = decision._asdict() | {"decision_ms": round(decision.decision_ms, 3)}
        pi = fields.pop("probabilities")
        return fields | ({"probabilities": pi.astype(float).round(6).tolist()} if self.probabilities else {})


def parse(line: bytes | None) -> dict:
    """Return the object in a line of JSON; `ConfigError` if there is none. The fields refuse infinities and NaN."""
    if line is None:
        raise ConfigError(f"line: longer than {MAX_LINE_BYTES} bytes")
    try:
        request = json.loads(line.decode(), object_pairs_hook=_object)
    except ConfigError:
        raise
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"line: not JSON in UTF-8 ({first_line(error)})") from None
    if not isinstance(request, dict):
        raise ConfigError(f"line: {short_repr(request)} is not an object")
    return request


def check_id(value: Any) -> str | int:
    """Return what a line is called by its sender; `ConfigError` unless it is a short text or whole number."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or len(str(value)) > 100:
        raise ConfigError(f"id: {short_repr(value)} is not a text or a whole number of at most 100 characters")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"{twice:.40}: given twice")
    return found
