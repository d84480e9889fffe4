"""The language of the controller: what an answer holds, and one line for every kind of mistake."""

import json

import numpy as np
import pytest
from lines import FLOW, GOOD, REPORT, encoded

from edgediff.control import protocol as module
from edgediff.control.controller import Controller
from edgediff.control.protocol import LineProtocol


def changed(**fields):
    return GOOD | fields


def flow(**fields):
    return REPORT | {"flow": FLOW | fields}


def test_an_answer_holds_the_grant_and_what_is_expected_of_it(protocol, ask):
    protocol.probabilities = True
    answer = ask(GOOD | {"id": "a 7"})
    assert list(answer) == ["id", "gateway", "level", "rate_bps", "compute_tflops", "delay_s", "in_time", "dropped",
                            "decision_ms", "probabilities"]  # fmt: skip
    pi = np.array(answer["probabilities"])
    assert pi.shape == (8, 3) and abs(pi.sum() - 1) < 1e-4
    assert pi[answer["gateway"], answer["level"]] == pi.max()
    assert answer["id"] == "a 7" and answer["decision_ms"] > 0


BAD = {
    b"hello": "line: not JSON in UTF-8 (Expecting value: line 1 column 1 (char 0))",
    b'{"flow": ': "line: not JSON in UTF-8 (Expecting value: line 1 column 10 (char 9))",
    b"[1, 2]": "line: [1, 2] is not an object",
    b"null": "line: None is not an object",
    b"\xff\xfe": "line: not JSON in UTF-8 ('utf-8' codec can't decode byte 0xff",
    b"\xef\xbb\xbf{}": "line: not JSON in UTF-8 (",
    b"[" * 60_000: "line: not JSON in UTF-8 (maximum recursion depth exceeded",
    b'{"a": ' * 10_000: "line: not JSON in UTF-8 (maximum recursion depth exceeded",
    b"\x00": "line: not JSON in UTF-8 (",
    b"{}": "flow: missing",
    b'{"flow": 1, "flow": 2}': "flow: given twice",
    b'{"flow": {"priority": 1, "priority": 1}}': "priority: given twice",
}


def without(name, given=GOOD):
    return {key: value for key, value in given.items() if key != name}


BAD |= {
    json.dumps(line).encode(): message
    for line, message in [
        (without("available_bps"), "available_bps: missing"),
        (without("backlog_bits"), "backlog_bits: missing"),
        (without("available_tflops"), "available_tflops: missing"),
        (without("flow"), "flow: missing"),
        (changed(flows=[FLOW]), "flow: given together with flows"),
        (changed(colour=1), "colour: not one of available_bps, backlog_bits,"),
        (changed(**{"x" * 5000: 1}), "x" * 40 + ": not one of"),
        (changed(flow=5), "flow: 5 is not an object with the fields data_bits, work_tflop, priority, deadline_s"),
        (REPORT | {"flows": FLOW}, "flows: {'data_bits': 4130000.0,"),
        (REPORT | {"flows": []}, "flows: 0 flows is not a list of 1 to 64 flows"),
        (REPORT | {"flows": [FLOW] * 65}, "flows: 65 flows is not a list of 1 to 64 flows"),
        (REPORT | {"flows": [FLOW] * 2 + [FLOW | {"workshop": 0.5}]}, "flows[2].workshop: 0.5 is not a whole number"),
        (REPORT | {"flows": [FLOW, without("priority", FLOW)]}, "flows[1].priority: missing"),
        (REPORT | {"flows": [FLOW, None]}, "flows[1]: None is not an object"),
        (changed(available_bps=[1e6] * 7), "available_bps: 7 numbers are not 8, one per gateway, as in the run"),
        (changed(backlog_bits=[1e6] * 9), "backlog_bits: 9 numbers are not 8"),
        (changed(available_bps=1e6), "available_bps: 1000000.0 is not a list of 8 numbers"),
        (changed(available_bps="12345678"), "available_bps: '12345678' is not a list of 8 numbers"),
        (changed(available_bps={}), "available_bps: {} is not a list of 8 numbers"),
        (changed(available_bps=[1e6] * 7 + [float("nan")]), "available_bps[7]: nan is not a number from 0 to"),
        (changed(available_bps=[-1] + [1e6] * 7), "available_bps[0]: -1 is not a number from 0 to 50000000"),
        (changed(available_bps=[1e6] * 2 + [1e9] * 6), "available_bps[2]: 1000000000.0 is not a number from 0 to"),
        (changed(available_bps=[True] * 8), "available_bps[0]: True is not a number"),
        (changed(backlog_bits=[None] * 8), "backlog_bits[0]: None is not a number from 0 to 1e+15"),
        (changed(backlog_bits=[[0]] * 8), "backlog_bits[0]: [0] is not a number"),
        (changed(backlog_bits=[0] * 7 + [float("inf")]), "backlog_bits[7]: inf is not a number"),
        (changed(available_tflops=-1e-9), "available_tflops: -1e-09 is not a number from 0 to 3000"),
        (changed(available_tflops=3001), "available_tflops: 3001 is not a number from 0 to 3000"),
        (changed(available_tflops=False), "available_tflops: False is not a number"),
        (changed(id=True), "id: True is not a text of at most 100 characters or a whole number"),
        (changed(id=1.5), "id: 1.5 is not a text"),
        (changed(id="x" * 101), "id: 'xxxx"),
        (changed(id=[]), "id: [] is not a text"),
        (flow(data_bits=0), "flow.data_bits: 0 is not a number from 1 to 1e+15"),
        (flow(data_bits=-4e6), "flow.data_bits: -4000000.0 is not a number"),
        (flow(data_bits=float("nan")), "flow.data_bits: nan is not a number"),
        (flow(data_bits=10**400), "flow.data_bits: inf is not a number"),
        (flow(data_bits="4e6"), "flow.data_bits: '4e6' is not a number"),
        (flow(work_tflop=None), "flow.work_tflop: None is not a number from 1e-09 to 1e+15"),
        (flow(work_tflop="9" * 5000), "flow.work_tflop: '999"),
        (flow(priority=0), "flow.priority: 0 is not a whole number from 1 to 3"),
        (flow(priority=4), "flow.priority: 4 is not"),
        (flow(priority=2.5), "flow.priority: 2.5 is not a whole number"),
        (flow(priority=float("inf")), "flow.priority: inf is not a whole number"),
        (flow(priority=True), "flow.priority: True is not a whole number"),
        (flow(deadline_s=0), "flow.deadline_s: 0 is not a number from 1e-06 to 2"),
        (flow(deadline_s=2.1), "flow.deadline_s: 2.1 is not a number from 1e-06 to 2"),
        (flow(bandwidth_bps=0), "flow.bandwidth_bps: 0 is not a number"),
        (flow(bandwidth_bps=None), "flow.bandwidth_bps: None is not a number"),
        (flow(workshop=1000), "flow.workshop: 1000 is not a whole number from 0 to 999"),
        (flow(workshop=-1), "flow.workshop: -1 is not a whole number from 0 to 999"),
        (flow(kind=1), "flow.kind: not one of data_bits, work_tflop, priority, deadline_s, bandwidth_bps, workshop"),
    ]
}


def test_a_bad_line_gets_one_line_with_the_name_of_its_field_and_draws_no_noise(busy):
    protocol = LineProtocol(Controller.load(busy, mode="sample"))
    for line, message in BAD.items():
        noise = protocol.controller.generator.get_state()
        answer = protocol.answer(line)
        assert answer.count(b"\n") == 1 and answer.endswith(b"\n") and len(answer) < 300 and answer.isascii()
        assert list(json.loads(answer)) == ["error"] and json.loads(answer)["error"].startswith(message), answer
        assert noise.equal(protocol.controller.generator.get_state()), message
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
    right = protocol.controller.agent.evaluation_policy
    monkeypatch.setattr(protocol.controller.agent, "evaluation_policy", lambda *given: right(*given) * float("nan"))
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
