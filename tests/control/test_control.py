"""The controller: it decides as `evaluate` does, refuses a bad line by its field, and survives its clients."""

import copy
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from tiny import TINY, wait_for

from edgediff import evaluate, train
from edgediff.config import LearnerConfig, RunConfig, Settings, WorldConfig
from edgediff.control import __main__ as control
from edgediff.control import controller as module
from edgediff.control.controller import Controller
from edgediff.control.listen import check_address, listening
from edgediff.control.protocol import MOST_BYTES, Answers, Lines
from edgediff.control.service import MOST_CLIENTS, Service
from edgediff.errors import ConfigError
from edgediff.learner.agents import AGENTS, build_agent
from edgediff.run.commandline import run_program
from edgediff.run.scores import agent_policy
from edgediff.run.weights import write_weights
from edgediff.world.rollout import rollout
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT
from experiments.timing import drive_controller

CONTROL = [sys.executable, "-m", "edgediff.control"]
FLOW = {"data_bits": 4.13e6, "work_tflop": 4.13, "priority": 3, "deadline_s": 0.51}
REPORT = {"available_bps": [15e6, 0, 21.9e6, 17e6, 0, 39.8e6, 19.3e6, 0],
          "backlog_bits": [0, 4.7e6, 0, 9.5e6, 0, 1.1e6, 3e6, 5.4e6], "available_tflops": 1368}  # fmt: skip
GOOD = REPORT | {"flow": FLOW}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on busy traffic, with several flows in most slots."""
    folder = tmp_path_factory.mktemp("control") / "a"
    flags = ["--run", str(folder), *TINY, "--num-slots", "60", "--load", "3"]
    assert run_program("edgediff.train", train.main, flags) == 0
    return folder


@pytest.fixture
def answers(run):
    return Answers(Controller.load(run))


@pytest.fixture
def ask(answers):
    """Send an object or bytes as a line; return the answer as an object."""
    return lambda line: json.loads(answers.answer(line if isinstance(line, bytes) else encoded(line)[:-1]))


def encoded(*lines):
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def untimed(answer):
    return {name: value for name, value in answer.items() if name != "decision_ms"}


def changed(**fields):
    return GOOD | fields


def flow(**fields):
    return REPORT | {"flow": FLOW | fields}


# What it decides


def test_an_answer_holds_the_grant_and_what_is_expected_of_it(answers, ask):
    answers.probabilities = True
    answer = ask(GOOD | {"id": "a 7"})
    assert list(answer) == ["id", "gateway", "level", "rate_bps", "compute_tflops", "delay_s", "in_time", "dropped",
                            "decision_ms", "probabilities"]  # fmt: skip
    pi = np.array(answer["probabilities"])
    assert pi.shape == (8, 3) and abs(pi.sum() - 1) < 1e-4
    assert pi[answer["gateway"], answer["level"]] == pi.max()
    assert answer["id"] == "a 7" and answer["decision_ms"] > 0


@pytest.mark.parametrize("mode", ["mean", "argmax", "sample"])
def test_an_episode_through_the_controller_is_that_of_evaluate_flow_by_flow(run, mode):
    answers = Answers(Controller.load(run, mode=mode))
    settings = answers.controller.settings
    played = [drive_controller.drive(lambda r: json.loads(answers.answer(json.dumps(r).encode())),
                                     Simulator(settings.world, 1, first_env=k)) for k in range(2)]  # fmt: skip
    _, policy = agent_policy(answers.controller.agent, settings.run, mode)
    for k, driven in enumerate(played):
        wanted = rollout(Simulator(settings.world, 1, first_env=k), policy, HELD_OUT + 1)
        assert len(wanted["completed"]) > 100 and all(np.array_equal(driven[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_decides_as_in_evaluate(tmp_path, agent):
    settings = Settings(WorldConfig(num_slots=40, num_gateways=3), LearnerConfig(agent=agent, hidden=16), RunConfig())
    built = build_agent(settings.world.state_dim, settings.world.num_actions, settings.learner,
                        np.random.SeedSequence(5))  # fmt: skip
    write_weights(tmp_path / "last.pt", settings, "", 0, built.weights())
    answers = Answers(Controller.load(tmp_path))
    driven = drive_controller.drive(lambda r: json.loads(answers.answer(json.dumps(r).encode())),
                                    Simulator(settings.world))  # fmt: skip
    wanted = rollout(Simulator(settings.world), agent_policy(built, settings.run)[1], HELD_OUT + 1)
    assert all(np.array_equal(driven[name], wanted[name]) for name in wanted)


def test_driving_the_program_finds_the_completion_that_evaluate_prints(run, call):
    status, out, _ = call(evaluate, run, "--final-episodes", 1, "--json")
    completion = json.loads(out)["d2sac, mean of 8"]["completion"]
    driver = subprocess.run([sys.executable, drive_controller.__file__, str(run)], capture_output=True, text=True)
    assert status == driver.returncode == 0
    assert driver.stdout.startswith(f"d2sac, mean of 8: completion {completion:.1%} of ")
    assert "; 0 flows differ from evaluate\n" in driver.stdout
    assert "lines refused: 0; time of a decision: p50 " in driver.stderr


def test_the_flows_of_a_line_see_what_the_simulator_would_show_them(answers, ask, monkeypatch):
    seen, shown, right = [], [], module.observe
    monkeypatch.setattr(module, "observe", lambda world, view: seen.append(view) or right(world, view))
    simulator = Simulator(answers.controller.world.at_load(30))  # an overload: some flows are dropped
    step = simulator.step
    simulator.step = lambda action: shown.append(copy.deepcopy(simulator.view())) or step(action)
    driven = drive_controller.drive(ask, simulator)
    assert len(seen) == len(shown) > 1000 and driven["dropped"].any() and not driven["dropped"].all()
    for mine, its in zip(seen, shown):
        assert all(np.array_equal(mine.flow[name], its.flow[name]) for name in drive_controller.DEMAND)
        for name in mine._fields[1:]:
            np.testing.assert_allclose(getattr(mine, name), getattr(its, name), rtol=1e-9, atol=1e-4, err_msg=name)


def test_on_zero_bandwidth_a_flow_is_dropped_and_takes_nothing(ask):
    first, second = ask(REPORT | {"available_bps": [0] * 8, "flows": [FLOW, FLOW]})["decisions"]
    for decision in (first, second):
        assert decision["dropped"] and not decision["in_time"]
        assert decision["rate_bps"] == decision["compute_tflops"] == 0 and decision["delay_s"] == 2


def test_bandwidth_and_propagation_of_a_flow_that_does_not_tell_them(run, monkeypatch):
    seen, right, controller = [], module.observe, Controller.load(run)
    monkeypatch.setattr(module, "observe", lambda world, view: seen.append(view) or right(world, view))
    for given in ({}, {"bandwidth_bps": 5e6}, {"workshop": 7}):
        controller.decide(REPORT, FLOW | given)
    assert [view.flow["bandwidth_bps"][0] for view in seen] == [2 * 4.13e6 / 0.51, 5e6, 2 * 4.13e6 / 0.51]
    known_s = Simulator(controller.world).topology.propagation_s
    np.testing.assert_allclose(seen[0].propagation_s[0], known_s.mean(axis=0))
    assert np.array_equal(seen[2].propagation_s[0], known_s[7])


def test_numbers_of_numpy_are_taken_as_well(run):
    arrays = {name: np.array(value, float) for name, value in REPORT.items() if name != "available_tflops"}
    arrays["available_tflops"] = np.float64(1368)
    numbers = FLOW | {"priority": np.int64(3), "data_bits": np.float64(4.13e6)}
    mine, its = (Controller.load(run).decide(*given) for given in ((arrays, numbers), (REPORT, FLOW)))
    assert mine[:7] == its[:7] and np.array_equal(mine.probabilities, its.probabilities)
    assert np.array_equal(arrays["available_bps"], REPORT["available_bps"])  # as they were


def test_best_weights_and_the_number_of_draws_can_be_chosen(run):
    assert Controller.load(run, weights="best", eval_draws=3).draws == 3
    with pytest.raises(ConfigError, match="mode: 'most' is not one of mean, argmax, sample"):
        Controller.load(run, mode="most")


# Lines that are of no use

BAD = {
    b"hello": "line: not JSON (Expecting value, character 1)",
    b'{"flow": ': "line: not JSON (Expecting value, character 10)",
    b"[1, 2]": "line: [1, 2] is not an object",
    b"null": "line: None is not an object",
    b"\xff\xfe": "line: not UTF-8",
    b"\xef\xbb\xbf{}": "line: not JSON (",
    b"[" * 60_000: "line: nested too deeply",
    b'{"a": ' * 10_000: "line: nested too deeply",
    b"\x00": "line: not JSON (",
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
        (REPORT | {"flows": []}, "flows: [] is not a list of one flow or more"),
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
        (flow(priority=2.0), "flow.priority: 2.0 is not a whole number"),
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


@pytest.fixture(scope="module")
def shared(run):
    """One controller for all bad lines: none of them may change what it decides next."""
    return Answers(Controller.load(run, mode="sample"))


@pytest.mark.parametrize("line, message", BAD.items(), ids=[message[:30] for message in BAD.values()])
def test_a_bad_line_gets_one_line_with_the_name_of_its_field_and_changes_nothing(shared, line, message):
    state = shared.controller.generator.get_state()
    answer = shared.answer(line)
    assert answer.count(b"\n") == 1 and answer.endswith(b"\n") and len(answer) < 300 and answer.isascii()
    assert list(json.loads(answer)) == ["error"] and json.loads(answer)["error"].startswith(message)
    assert state.equal(shared.controller.generator.get_state())
    assert "gateway" in json.loads(shared.answer(encoded(GOOD)))


def test_an_error_comes_back_with_the_id_of_its_line(ask):
    assert ask(flow(priority=9) | {"id": 17})["id"] == 17
    assert ask({"id": "\ud800\n"}) == {"id": "\ud800\n", "error": "flow: missing"}


def test_probabilities_that_are_not_finite_are_an_error_of_the_line(answers, ask, monkeypatch):
    right = answers.controller.agent.evaluation_policy
    monkeypatch.setattr(answers.controller.agent, "evaluation_policy", lambda *given: right(*given) * float("nan"))
    assert ask(GOOD) == {"error": "action probabilities: not finite"}


@pytest.mark.parametrize("line", [b"", b"\r", b"  \t "])
def test_an_empty_line_gets_no_answer(answers, line):
    assert answers.answer(line) == b"" and answers.refused == 0


def test_lines_are_the_same_however_the_bytes_arrive(rng):
    text = b"".join(bytes(rng.integers(97, 123, size=n, dtype=np.uint8)) + b"\n" for n in rng.integers(0, 50, 200))
    text += b"x" * (MOST_BYTES + 1) + b"\n" + b"y" * MOST_BYTES + b"\nz" * 3
    wanted = [line if len(line) <= MOST_BYTES else None for line in text.split(b"\n")]
    for size in (1, 7, 1000, 200_000):
        lines = Lines()
        found = [line for at in range(0, len(text), size) for line in lines.feed(text[at : at + size])] + lines.end()
        assert found == wanted


def test_a_line_of_ten_megabytes_is_answered_once_and_never_kept(answers):
    lines, found = Lines(), []
    for _ in range(160):
        found += lines.feed(b"x" * 65_536)
        assert len(lines.rest) <= MOST_BYTES
    found += lines.feed(b"x\n" + encoded(GOOD))
    assert found == [None, encoded(GOOD)[:-1]] and lines.end() == [b""]
    assert json.loads(answers.answer(None)) == {"error": "line: longer than 65536 bytes"}


def test_the_percentiles_are_those_of_the_decisions(answers, ask):
    assert answers.latencies() == "decisions: 0, lines refused: 0"
    ask({})
    ask(REPORT | {"flows": [FLOW] * 3})
    answers.times_ms.clear()
    answers.times_ms.extend(range(1, 102))
    assert answers.latencies() == (
        "decisions: 3, lines refused: 1; time of a decision: p50 51.000 ms, p95 96.000 ms, p99 100.000 ms"
    )


# The program


@pytest.fixture
def start(run):
    """Start the program; what still runs in the end is ended."""
    started = []

    def _start(*flags, **pipes):
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) | pipes
        started.append(subprocess.Popen([*CONTROL, str(run), *map(str, flags)], **pipes))
        return started[-1]

    yield _start
    for process in started:
        process.kill()
        process.communicate()


def test_lines_in_lines_out_until_the_end_of_the_input(start):
    lines = encoded(GOOD | {"id": 1}) + b"\n" + b"x" * 10_000_000 + b"\nhello\n" + encoded(GOOD | {"id": 2})[:-1]
    process = start("--probabilities", "--mode", "argmax", "--eval-draws", 2)
    out, err = process.communicate(lines, timeout=60)
    first, long, bad, last = map(json.loads, out.splitlines())
    assert (first["id"], last["id"]) == (1, 2) and len(last["probabilities"]) == 8
    assert long["error"].startswith("line: longer") and bad["error"].startswith("line: not JSON")
    assert process.returncode == 0 and err.count(b"\n") == 1
    assert err.startswith(b"decisions: 2, lines refused: 2; time of a decision: p50 ")


@pytest.mark.usefixtures("signals_heard")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_answers_what_has_come_and_ends_with_status_0(start, number):
    process = start()
    process.stdin.write(encoded(GOOD))
    process.stdin.flush()
    assert b"gateway" in process.stdout.readline()
    process.send_signal(signal.SIGUSR1)
    assert process.stderr.readline().startswith(b"decisions: 1, lines refused: 0; time of a decision: p50 ")
    process.stdin.write(encoded(GOOD, GOOD, GOOD) + b'{"begun": ')
    process.stdin.flush()
    process.send_signal(number)
    wait_for(lambda: process.poll() is not None)
    assert process.returncode == 0 and process.stdout.read().count(b"gateway") == 3
    assert process.stderr.read().startswith(b"decisions: 4, lines refused: 0;")


def test_a_closed_output_ends_it_quietly(start):
    process = start()
    process.stdout.close()
    process.stdin.write(encoded(*[GOOD] * 50))
    process.stdin.flush()
    wait_for(lambda: process.poll() is not None)
    err = process.stderr.read()
    assert process.returncode == 0 and err.count(b"\n") == 1 and err.startswith(b"decisions: ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said(start):
    with open("/dev/full", "wb") as full:
        process = start(stdout=full)
        _, err = process.communicate(encoded(GOOD), timeout=60)
    assert process.returncode == 1 and b"No space left on device" in err.splitlines()[-1]


def test_a_unix_socket_serves_and_is_removed_in_the_end(start, tmp_path):
    path = tmp_path / "s"
    process = start("--listen", f"unix:{path}")
    assert process.stdout.readline() == f"listening on unix:{path}\n".encode()
    other = start("--listen", f"unix:{path}")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(encoded(GOOD))
        assert b"gateway" in client.makefile("rb").readline()
    assert other.wait(60) == 2 and b"is in use by another server\n" in other.stderr.read() and path.exists()
    process.terminate()
    assert process.wait(60) == 0 and not path.exists()
    assert process.stderr.read().startswith(b"decisions: 1, lines refused: 0;")


def test_a_tcp_port_of_the_loopback_is_chosen_and_said(start):
    process = start("--listen", "localhost:0")
    address = process.stdout.readline().decode().split()[-1]
    with socket.create_connection(("127.0.0.1", int(address.removeprefix("127.0.0.1:")))) as client:
        client.sendall(encoded(GOOD) * 2)
        client.shutdown(socket.SHUT_WR)
        assert client.makefile("rb").read().count(b"gateway") == 2
    process.terminate()
    assert process.wait(60) == 0


@pytest.mark.parametrize(
    "argv, message",
    [
        (["none"], "run: none/last.pt does not exist"),
        (["a", "--mode", "best"], "mode: 'best' is not one of mean, argmax, sample"),
        (["a", "--weights", "first"], "weights: 'first' is not one of last, best"),
        (["a", "--eval-draws", "0"], "eval_draws: 0 is not a whole number from 1 to 1000"),
        (["a", "--threads", "x"], "threads: 'x' is not a whole number"),
        (["a", "--listen", "0.0.0.0:80"], "listen: '0.0.0.0:80' is not unix:PATH, 127.0.0.1:PORT or localhost:PORT"),
        (["a", "--listen", "localhost:70000"], "listen: 'localhost:70000' is not"),
        (["a", "--listen", "unix:"], "listen: 'unix:' is not"),
        (["a", "--listen", ""], "listen: the value is empty"),
        (["a", "--listen", "unix:a/config.json"], "listen: a/config.json exists and is no socket"),
        (["a", "--listen", "unix:none/s"], "listen: none/s cannot be opened ([Errno 2] No such file"),
        (["a", "--listen", "unix:" + "x" * 200], "cannot be opened (AF_UNIX path too long)"),
        (["a", "--load", "2"], "unknown setting --load"),
        ([], "RUN"),
    ],
)
def test_a_mistake_in_the_flags_is_one_line(finished, refused, argv, message):
    refused(control, message, *argv)


# Sockets


@pytest.fixture
def service(tmp_path):
    """A server in a thread that sends every line back; its path, and the end that signals are sent through."""
    inbox, signals = socket.socketpair()
    heard = []
    with listening(str(tmp_path / "s")) as (server, _), inbox, signals:
        running = Service(lambda line: (line or b"too long") + b"\n", inbox, lambda: heard.append(1))
        running.listen(server)
        thread = threading.Thread(target=running.run)
        thread.start()
        yield running, tmp_path / "s", signals
        signals.send(bytes([signal.SIGTERM]))
        thread.join(10)
        assert not thread.is_alive() and not running.clients
    assert not (tmp_path / "s").exists()


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(path))
    return client


def test_clients_at_once_get_their_own_answers(service):
    _, path, _ = service
    with connect(path) as one, connect(path) as two:
        one.sendall(b"a line in")
        two.sendall(b"2\n")
        assert two.recv(100) == b"2\n"
        one.sendall(b" two parts\n")
        assert one.recv(100) == b"a line in two parts\n"


def test_a_client_that_disappears_harms_nobody(service):
    running, path, _ = service
    with connect(path) as other:
        for begun in (b"", b"half a line", b"x" * 3000 + b"\n"):
            client = connect(path)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(begun * 20)
            client.close()
        other.sendall(b"still here\n")
        assert other.recv(100) == b"still here\n"
        wait_for(lambda: len(running.clients) == 1)


def test_a_line_that_comes_just_before_the_signal_is_answered():
    """The line is written while the signal is being heard: after the last look that would have seen it."""
    source, to_source = os.pipe()
    from_sink, sink = os.pipe()
    inbox, signals = socket.socketpair()
    with inbox, signals:
        service = Service(lambda line: line + b"\n", inbox, lambda: os.write(to_source, b"a line\nbegun"))
        service.add(source, sink)
        signals.send(bytes([signal.SIGUSR1, signal.SIGTERM]))
        service.run()
    assert os.read(from_sink, 100) == b"a line\n" and os.read(from_sink, 100) == b""
    os.close(to_source)
    os.close(from_sink)


def test_a_client_that_does_not_listen_blocks_neither_the_others_nor_the_end(service):
    running, path, _ = service
    deaf = connect(path)
    deaf.setblocking(False)
    with deaf, connect(path) as other:
        while select.select([], [deaf], [], 0.5)[1]:
            deaf.send(b"x" * 1000 + b"\n")
        assert all(len(client.waiting) < 300_000 for client in running.clients)
        other.sendall(b"2\n")
        assert other.recv(100) == b"2\n"


def test_more_clients_than_are_served_at_once_wait_for_their_turn(service):
    running, path, _ = service
    clients = [connect(path) for _ in range(MOST_CLIENTS + 2)]
    wait_for(lambda: len(running.clients) == MOST_CLIENTS)
    clients[-1].sendall(b"last\n")
    for client in clients[:2]:
        client.close()
    assert clients[-1].recv(100) == b"last\n"
    for client in clients[2:]:
        client.close()


def test_only_the_socket_of_a_dead_server_is_replaced(tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    with listening(path) as (_, address):
        assert address == f"unix:{path}"
        with pytest.raises(ConfigError, match="is in use by another server"), listening(path):
            pass
        assert os.path.exists(path)
    assert not os.path.exists(path)
    os.symlink("elsewhere", path)
    with pytest.raises(ConfigError, match="exists and is no socket"), listening(path):
        pass
    assert os.path.islink(path)


def test_a_file_that_took_the_place_of_the_socket_stays(tmp_path):
    path = tmp_path / "s"
    with listening(str(path)):
        path.unlink()
        path.write_text("mine")
    assert path.read_text() == "mine"


def test_a_port_in_use_is_said():
    with listening(check_address("127.0.0.1:0")) as (_, address):
        port = check_address(address)
        with pytest.raises(ConfigError, match=rf"listen: {port} cannot be opened .*in use"), listening(port):
            pass
