"""The language of the controller: what an answer holds, and one line for every kind of mistake."""

import json

import numpy as np
import pytest
from lines import FLOW, GOOD, REPORT, encoded

from edgediff.control import protocol as module
from edgediff.control.controller import Controller
from edgediff.control.protocol import LineProtocol


def test_an_answer_holds_the_grant_and_what_is_expected_of_it(protocol, ask):
    protocol.probabilities = True
    answer = ask(GOOD | {"id": "a 7"})
    assert list(answer) == ["id", "gateway", "level", "rate_bps", "compute_tflops", "delay_s", "in_time", "dropped",
                            "decision_ms", "probabilities"]  # fmt: skip
    pi = np.array(answer["probabilities"])
    assert pi.shape == (8, 3) and abs(pi.sum() - 1) < 1e-4
    assert pi[answer["gateway"], answer["level"]] == pi.max()
    assert answer["id"] == "a 7" and answer["decision_ms"] > 0


LINES = [b"hello", b'{"flow": ', b"[1, 2]", b"null", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 60_000, b'{"a": ' * 10_000,
         b"\x00", b'{"flow": ' + b"9" * 5000 + b"}"]  # fmt: skip
BAD = [(line, "line") for line in LINES] + [
    (b"{}", "flow"),
    (b'{"flow": 1, "flow": 2}', "flow"),
    (b'{"flow": {"priority": 1, "priority": 1}}', "priority"),
]


def without(name, given=GOOD):
    return {key: value for key, value in given.items() if key != name}


def flow(**fields):
    return REPORT | {"flow": FLOW | fields}


BAD += [
    (json.dumps(line).encode(), field)
    for line, field in [
        *((without(name), name) for name in GOOD),
        (GOOD | {"flows": [FLOW]}, "flow"),
        (GOOD | {"colour": 1}, "colour"),
        (GOOD | {"x" * 5000: 1}, "x" * 40),
        (GOOD | {"flow": 5}, "flow"),
        *((REPORT | {"flows": flows}, "flows") for flows in (FLOW, [], [FLOW] * 65, None, "x")),
        (REPORT | {"flows": [FLOW] * 2 + [FLOW | {"workshop": 0.5}]}, "flows[2].workshop"),
        (REPORT | {"flows": [FLOW, without("priority", FLOW)]}, "flows[1].priority"),
        (REPORT | {"flows": [FLOW, None]}, "flows[1]"),
        *((GOOD | {"available_bps": v}, "available_bps") for v in ([1e6] * 7, 1e6, "12345678", {}, None)),
        (GOOD | {"backlog_bits": [1e6] * 9}, "backlog_bits"),
        (GOOD | {"available_bps": [1e6] * 7 + [float("nan")]}, "available_bps[7]"),
        (GOOD | {"available_bps": [1e6] * 2 + [1e9] * 6}, "available_bps[2]"),
        *((GOOD | {"backlog_bits": [v] * 8}, "backlog_bits[0]") for v in (None, [0], True, -1, "0", float("inf"))),
        *((GOOD | {"available_tflops": v}, "available_tflops") for v in (-1e-9, 3001, False)),
        *((GOOD | {"id": v}, "id") for v in (True, 1.5, "x" * 101, [], 10**100)),
        *((flow(data_bits=v), "flow.data_bits") for v in (0, float("nan"), 10**400, "4e6", None)),
        (flow(work_tflop="9" * 5000), "flow.work_tflop"),
        (flow(deadline_s=2.1), "flow.deadline_s"),
        (flow(kind=1), "flow.kind"),
    ]
]


def test_a_bad_line_gets_one_line_with_the_name_of_its_field_and_draws_no_noise(busy):
    protocol = LineProtocol(Controller.load(busy, mode="sample"))
    for line, field in BAD:
        noise = protocol.controller.generator.get_state()
        answer = protocol.answer(line)
        assert answer.count(b"\n") == 1 and answer.endswith(b"\n") and len(answer) < 300 and answer.isascii()
        assert list(json.loads(answer)) == ["error"] and json.loads(answer)["error"].startswith(f"{field}: "), answer
        assert noise.equal(protocol.controller.generator.get_state()), field
        assert "gateway" in json.loads(protocol.answer(encoded(GOOD)))
    assert protocol.refused == protocol.decided == len(BAD)


def test_a_line_that_is_too_long_comes_as_none(protocol):
    assert json.loads(protocol.answer(None)) == {"error": f"line: longer than {module.MAX_LINE_BYTES} bytes"}


def test_a_whole_number_may_be_written_as_3_0(busy):
    found = [
        json.loads(LineProtocol(Controller.load(busy)).answer(encoded(flow(priority=p, workshop=w))))
        for p, w in ((3, 7), (3.0, 7.0))
    ]
    assert [answer.pop("decision_ms") > 0 for answer in found] == [True, True]
    assert found[0] == found[1] and "gateway" in found[0]


def test_an_error_comes_back_with_the_id_of_its_line(ask):
    assert ask(flow(priority=9) | {"id": 17})["id"] == 17
    assert ask({"id": "\ud800\n"}) == {"id": "\ud800\n", "error": "flow: missing"}


def test_probabilities_that_are_not_finite_are_an_error_of_the_line(protocol, ask, monkeypatch):
    right = protocol.controller.scheduler.evaluation_policy
    monkeypatch.setattr(protocol.controller.scheduler, "evaluation_policy", lambda *given: right(*given) * float("nan"))
    assert ask(GOOD) == {"error": "action probabilities: not finite"}


@pytest.mark.parametrize("line", [b"", b"\r", b"  \t "])
def test_an_empty_line_gets_no_answer(protocol, line):
    assert protocol.answer(line) == b"" and protocol.refused == 0


def test_the_percentiles_are_those_of_the_decisions(protocol, ask):
    assert protocol.latencies() == "decisions: 0, lines refused: 0"
    ask({})
    ask(REPORT | {"flows": [FLOW] * 3})
    protocol.times_ms.clear()
    protocol.times_ms.extend(range(1, 102))
    assert protocol.latencies() == (
        "decisions: 3, lines refused: 1; time of a decision: p50 51.000 ms, p95 96.000 ms, p99 100.000 ms"
    )
