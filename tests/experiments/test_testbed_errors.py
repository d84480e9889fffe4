"""What the testbed refuses before it touches anything, and how it ends: one line each."""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from edgediff.run.process import StopSignals
from experiments.testbed import __main__ as testbed
from experiments.testbed import episode, namespaces
from experiments.testbed.child_processes import ProcessEnded, Processes, Stopped, run_testbed
from experiments.testbed.plan import Plan

PLAN = Plan("x", [1e6])
pytestmark = pytest.mark.usefixtures("no_network")


@pytest.mark.parametrize(
    "flags, words",
    [
        (["nobody"], "scheduler: 'nobody' is neither the folder of a run nor one of round-robin,"),
        (["greedy", "--queue", "all"], "queue: 'all' is not one of fifo, unsent"),
        (["greedy", "--name", "../x"], "name: '../x' is not up to 30 of a-z, 0-9 and -, with a letter first"),
        (["greedy", "--load", "0"], "load: 0.0 is not a number from"),
        (["greedy", "--num-gateways", "257"], "num_gateways: 257 is not a whole number from 1 to 256"),
        (["greedy", "--output", "."], "output: . exists"),
        (["greedy", "--output", "nowhere/a.csv"], "output: nowhere is no folder that can be written to"),
        (["a", "--num-gateways", "4"], "num_gateways: 4 is not 8, as in the run, whose network is mlp"),
    ],
)
def test_bad_flags(refused, finished, flags, words):
    refused(testbed, words, *flags)


@pytest.mark.parametrize("missing", ["ip", "tc"])
def test_a_program_is_missing(refused, monkeypatch, missing):
    monkeypatch.setattr(shutil, "which", lambda program: None if program == missing else program)
    refused(testbed, f"system: {missing} is missing; the testbed needs Linux, iproute2,", "greedy")


def test_neither_root_nor_user_namespaces(refused, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: program)
    monkeypatch.setattr(namespaces, "_error", lambda command: "unshare: unshare failed: Operation not permitted")
    refused(testbed, "system: neither root nor user namespaces may make a network here (unshare: unshare", "greedy")


def test_ctrl_c_does_not_reach_a_command_that_builds_the_network(signals_heard):
    """Not even between fork and exec, where a session of its own would come too late. The testbed gets it after it."""
    interrupted = "import os, signal; os.kill(os.getppid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGINT)"
    with StopSignals() as signals:
        assert namespaces._error([sys.executable, "-c", interrupted]) == "" and signals.number == signal.SIGINT
    assert namespaces._error([sys.executable, "-c", "import sys; sys.exit('why\\nand how')"]) == "why"


def test_a_process_whose_parent_has_entered_a_user_namespace_has_not(monkeypatch):
    monkeypatch.setenv(namespaces.INSIDE, str(os.getppid()))
    monkeypatch.setattr(namespaces.shutil, "which", lambda program: program)
    monkeypatch.setattr(namespaces, "_error", lambda command: "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert namespaces.enter() == "as root"  # `mount` would have failed the test


def test_root_that_may_make_a_network_but_not_configure_it_tries_a_user_namespace(monkeypatch):
    monkeypatch.setattr(namespaces.shutil, "which", lambda program: program)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    denied = "RTNETLINK answers: Operation not permitted"
    monkeypatch.setattr(namespaces, "_error", lambda command: denied if command[:3] == ["unshare", "-n", "ip"] else "")
    monkeypatch.setattr(os, "execvp", lambda _, command: sys.exit(" ".join(command)))
    monkeypatch.setenv(namespaces.INSIDE, "")
    with pytest.raises(SystemExit, match=f"^unshare -Urnm {sys.executable} "):
        namespaces.enter()


def test_a_signal_ends_the_building_of_the_network(monkeypatch):
    ran, signals = [], StopSignals()
    monkeypatch.setattr(namespaces, "run", lambda command: (ran.append(command), setattr(signals, "number", 15)))
    with pytest.raises(Stopped), namespaces.built(PLAN, signals):
        pass
    assert ran == PLAN.commands()[:1]


def test_a_file_that_comes_while_the_testbed_runs_stays(call, monkeypatch, tmp_path):
    fakes = {"merged": {}, "breaches": [], "report": "the numbers"}
    for name, value in fakes.items():
        monkeypatch.setattr(testbed, name, lambda *_, value=value: value)
    monkeypatch.setattr(testbed, "play", lambda *_: (tmp_path / "a.csv").write_text("mine") and {"fidelity": {}})
    monkeypatch.setattr(namespaces, "enter", lambda: "as root")
    status, out, err = call(testbed, "round-robin", "--num-slots", "1", "--output", "a.csv")
    assert status == 2 and err.endswith(": output: a.csv exists\n") and "the numbers" in out
    assert (tmp_path / "a.csv").read_text() == "mine"


def test_the_controller_gets_gateways_and_weights_and_uses_no_gpu_even_if_the_run_was_trained_on_one(finished):
    trained = episode.find(str(finished), {"world": {}, "learner": {}, "run": {"device": "cuda"}})
    weights = [f"--priority{p}-weight=1.0" for p in (1, 2)]
    flags = ["--num-gateways=8", *weights, "--priority3-weight=1.0", "--device=cpu"]
    assert trained.controller_flags() == [str(finished), *flags]
    assert trained.settings.run.device == "cpu"
    rule = episode.find("greedy", {"world": dict(num_gateways=5, priority3_weight=2.0), "learner": {}, "run": {}})
    assert rule.controller_flags() == ["greedy", "--num-gateways=5", *weights, "--priority3-weight=2.0"]


@pytest.mark.slow
def test_an_exported_agent_plays_the_flows_of_its_run(finished, tmp_path, call):
    """At one load, as a run does, and each time the same; its noise is its own, so its decisions need not be those."""
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="needs the extra `onnx`")
    from edgediff import export

    assert call(export, finished, tmp_path / "agent.onnx")[0] == 0
    given = {"world": {"load": 2.0}, "learner": {}, "run": {"seed": 1}}
    of_run, of_file = (episode.find(str(name), given) for name in (finished, tmp_path / "agent.onnx"))
    assert of_file.settings.world == of_run.settings.world and of_file.controller_flags()[0].endswith("agent.onnx")
    assert episode.traffic(of_file) == episode.traffic(of_run)
    one, two = (of_file.simulated()["delay_s"] for _ in range(2))
    assert len(one) == len(of_run.simulated()["delay_s"]) > 10 and (one == two).all()


def test_an_error_of_the_system_without_a_file_is_one_line(capsys):
    def main(argv):
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    assert run_testbed("testbed", main, []) == 1
    assert capsys.readouterr().err == "testbed: system: [Errno 11] Resource temporarily unavailable\n"


def test_a_process_that_could_not_even_write_why_it_ended(monkeypatch, tmp_path):
    processes = Processes(tmp_path, StopSignals())
    (tmp_path / "users.err").touch()
    processes.running["users"] = subprocess.Popen([sys.executable, "-c", "import sys; sys.exit(1)"])
    processes.running["users"].wait()
    with pytest.raises(ProcessEnded, match=r"users: ended before its time \(it has said nothing\)"):
        processes.wait_end("users", 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(ProcessEnded, match="it has said nothing; no space is left in"):
        processes.wait_end("users", 1)


def test_signals_after_the_first_change_nothing_until_the_network_is_taken_down(monkeypatch, signals_heard, tmp_path):
    taken_down = []

    @contextlib.contextmanager
    def built(_, signals):
        try:
            yield
        finally:
            assert signal.SIG_DFL not in map(signal.getsignal, (signal.SIGINT, signal.SIGTERM))  # it would end pytest
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            taken_down.append(signals.number)

    monkeypatch.setattr(namespaces, "built", built)
    monkeypatch.setattr(namespaces, "reserved", lambda _: contextlib.nullcontext(tmp_path))
    with pytest.raises(Stopped), episode.testbed(PLAN):
        os.kill(os.getpid(), signal.SIGINT)
    assert taken_down == [signal.SIGINT] and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_comes_while_the_network_is_taken_down_is_not_lost(monkeypatch, signals_heard, tmp_path):
    @contextlib.contextmanager
    def built(*_):
        yield
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(namespaces, "built", built)
    monkeypatch.setattr(namespaces, "reserved", lambda _: contextlib.nullcontext(tmp_path))
    ended = False
    with pytest.raises(Stopped), episode.testbed(PLAN):
        ended = True
    assert ended
