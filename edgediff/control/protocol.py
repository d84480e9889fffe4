"""The language of the controller: one JSON object a line comes in, one JSON object a line goes out, in order."""

import json
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgediff.control.controller import Controller, Decision
from edgediff.control.request import REPORT, check_names, shown
from edgediff.errors import ConfigError, NonFiniteError

MOST_BYTES = 65_536  # of a line
KEPT = 100_000  # decision times that the percentiles are taken of


class Lines:
    """Cut a stream of bytes into lines. Of a line that is too long, nothing is kept, and None stands for it."""

    def __init__(self):
        self.rest, self.skipping = b"", False

    def feed(self, data: bytes) -> list[bytes | None]:
        """Add what has come; return the lines that are complete now."""
        *whole, rest = (self.rest + data).split(b"\n")
        if whole and self.skipping:
            del whole[0]  # the end of the line that was too long
            self.skipping = False
        lines = [line if len(line) <= MOST_BYTES else None for line in whole]
        if len(rest) > MOST_BYTES and not self.skipping:
            lines.append(None)
            self.skipping = True
        self.rest = b"" if self.skipping else rest
        return lines

    def end(self) -> list[bytes | None]:
        """Return the last line, if it was not ended."""
        return [] if self.skipping else [self.rest]


class Answers:
    """Answer lines by a controller; keep the times of the decisions."""

    def __init__(self, controller: Controller, probabilities: bool = False):
        self.controller, self.probabilities = controller, probabilities
        self.times_ms, self.decided, self.refused = deque(maxlen=KEPT), 0, 0

    def answer(self, line: bytes | None) -> bytes:
        """Return the answer to a line, with its end; nothing to an empty line; an error object to one of no use."""
        if line is not None and not line.strip():
            return b""
        answer: dict[str, Any] = {}
        try:
            request = parse(line)
            if "id" in request:
                answer["id"] = check_id(request["id"])
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
        last = f" (the last {KEPT})" if self.decided > KEPT else ""
        return f"{text}; time of a decision{last}: p50 {p50:.3f} ms, p95 {p95:.3f} ms, p99 {p99:.3f} ms"

    def _decide(self, request: dict) -> dict:
        check_names("line", request, (), (*REPORT, "flow", "flows", "id"))
        if ("flow" in request) == ("flows" in request):
            raise ConfigError("flow: missing" if "flow" not in request else "flow: given together with flows")
        report = {name: request[name] for name in REPORT if name in request}
        if "flow" in request:
            return self._fields(self._count([self.controller.decide(report, request["flow"])])[0])
        decisions = self._count(self.controller.decide_slot(report, request["flows"]))
        return {"decisions": [self._fields(decision) for decision in decisions]}

    def _count(self, decisions: Sequence[Decision]) -> Sequence[Decision]:
        self.times_ms.extend(decision.decision_ms for decision in decisions)
        self.decided += len(decisions)
        return decisions

    def _fields(self, decision: Decision) -> dict:
        fields = decision._asdict() | {"decision_ms": round(decision.decision_ms, 3)}
        pi = fields.pop("probabilities")
        if self.probabilities:
            fields["probabilities"] = [[round(p, 6) for p in row] for row in pi.tolist()]
        return fields


def parse(line: bytes | None) -> dict:
    """Return the object in a line of JSON; `ConfigError` if there is none. The fields refuse infinities and NaN."""
    if line is None:
        raise ConfigError(f"line: longer than {MOST_BYTES} bytes")
    try:
        request = json.loads(line.decode(), object_pairs_hook=_object, parse_int=_whole)
    except UnicodeDecodeError:
        raise ConfigError("line: not UTF-8") from None
    except RecursionError:
        raise ConfigError("line: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"line: not JSON ({error.msg}, character {error.pos + 1})") from None
    if not isinstance(request, dict):
        raise ConfigError(f"line: {shown(request)} is not an object")
    return request


def check_id(value: Any) -> str | int:
    """Return what a line is called by its sender; `ConfigError` unless it is a short text or a whole number."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or isinstance(value, str) and len(value) > 100:
        raise ConfigError(f"id: {shown(value)} is not a text of at most 100 characters or a whole number")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"{twice:.40}: given twice")
    return found


def _whole(text: str) -> int | float:
    return int(text) if len(text) < 19 else float(text)  # no field takes so large a number
