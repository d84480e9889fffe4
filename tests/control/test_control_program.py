"""The program: `python -m edgediff.control RUN|RULE` on standard input, on a socket, under signals, with bad flags."""

import contextlib
import fcntl
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lines import GOOD, encoded
from tiny import at_import, is_caught, wait_for

from edgediff.control import __main__ as control
from edgediff.control.server import MAX_CLIENTS, SHUTDOWN_TIMEOUT_S

pytestmark = pytest.mark.slow

ROOT = Path(control.__file__).parents[2]
LATEST_END_S = SHUTDOWN_TIMEOUT_S + 3  # the interpreter needs time to end, the more the busier the machine is
CONTROL = [sys.executable, "-m", "edgediff.control"]


@pytest.fixture
def start():
    """Start the program, with a rule unless a name is given; what still runs in the end is ended."""
    started = []

    def _start(*flags, **options):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        name = options.pop("name", "greedy")
        started.append(subprocess.Popen([*CONTROL, str(name), *map(str, flags)], **pipes | options))
        return started[-1]

    yield _start
    for process in started:
        process.kill()
        process.wait()
        for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
            with contextlib.suppress(OSError):  # what waits in the buffer of a closed pipe
                pipe.close()


@pytest.fixture
def listen(start, tmp_path):
    """Start the program on a Unix socket; return it and a function that connects a client."""

    def _connect():
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        client.connect(str(tmp_path / "s"))
        return client

    def _listen(**options):
        process = start("--listen", f"unix:{tmp_path}/s", **options)
        assert process.stdout.readline() == f"listening on unix:{tmp_path}/s\n".encode()
        return process, _connect

    return _listen


def asked(client):
    """Send a line; return whether the answer is a decision."""
    client.sendall(encoded(GOOD))
    return b"gateway" in client.makefile("rb").readline()


def be_deaf(client):
    """Send lines until no more are taken, and read nothing."""
    client.settimeout(1)
    with contextlib.suppress(TimeoutError):
        while True:
            client.send(encoded(GOOD) * 100)


@contextlib.contextmanager
def full_pipe():
    """Yield the end of a pipe that takes no more bytes, and that nobody reads."""
    inlet, outlet = os.pipe()
    os.set_blocking(outlet, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(outlet, b"x")
    os.set_blocking(outlet, True)
    yield outlet
    os.close(inlet)
    os.close(outlet)


# Standard input and output


def test_lines_in_lines_out_until_the_end_of_the_input(start, busy):
    lines = encoded(GOOD | {"id": 1}) + b"\n" + b"x" * 10_000_000 + b"\nhello\n" + encoded(GOOD | {"id": 2})[:-1]
    process = start("--probabilities", "--mode", "argmax", "--eval-draws", 2, name=busy)
    out, err = process.communicate(lines, timeout=60)
    first, long, bad, last = map(json.loads, out.splitlines())
    assert (first["id"], last["id"]) == (1, 2) and len(last["probabilities"]) == 8
    assert long["error"].startswith("line: longer") and bad["error"].startswith("line: not JSON")
    assert process.returncode == 0 and err.count(b"\n") == 1
    assert err.startswith(b"decisions: 2, lines refused: 2; time of a decision: p50 ")


def test_standard_input_and_output_may_be_files(start, tmp_path):
    lines = tmp_path / "lines"
    lines.write_bytes(encoded(*[GOOD] * 300))  # more than is read at once
    with lines.open("rb") as source, (tmp_path / "answers").open("wb") as sink:
        assert start(stdin=source, stdout=sink).wait(60) == 0
    assert (tmp_path / "answers").read_bytes().count(b"gateway") == 300


def test_standard_streams_keep_their_flags_and_may_be_non_blocking(start):
    """Other processes share them: O_NONBLOCK would break a shell, and they may have set it themselves."""
    for blocking in (True, False):
        inlet, outlet = os.pipe()
        process = start(stdin=inlet)
        os.set_blocking(inlet, blocking)
        flags = fcntl.fcntl(inlet, fcntl.F_GETFL)
        for _ in range(2):
            os.write(outlet, encoded(GOOD))
            assert b"gateway" in process.stdout.readline()
        assert fcntl.fcntl(inlet, fcntl.F_GETFL) == flags
        os.close(outlet)
        assert process.wait(60) == 0
        os.close(inlet)


@pytest.mark.usefixtures("signals_heard")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
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


@pytest.mark.usefixtures("signals_heard")
def test_an_ignored_signal_stays_ignored(start):
    ignored = signal.SIGHUP, signal.SIGUSR1
    process = start(preexec_fn=lambda: [signal.signal(number, signal.SIG_IGN) for number in ignored])  # as nohup does
    for _ in range(2):
        process.stdin.write(encoded(GOOD))
        process.stdin.flush()
        assert b"gateway" in process.stdout.readline()
        for number in ignored:
            process.send_signal(number)
    process.stdin.close()
    assert process.wait(60) == 0 and process.stderr.read().count(b"\n") == 1


def test_lines_whose_answers_nobody_takes_fill_no_memory_and_do_not_delay_the_end(start):
    process, sent = start(), 0
    process.stdin.write(encoded(GOOD))
    process.stdin.flush()
    assert b"gateway" in process.stdout.readline()
    os.set_blocking(process.stdin.fileno(), False)
    for _ in range(3):  # until neither lines nor answers are taken any more
        with contextlib.suppress(BlockingIOError):
            while sent < 2_000_000:
                sent += os.write(process.stdin.fileno(), encoded(GOOD))
        time.sleep(1)
    assert sent < 1_000_000
    begin = time.monotonic()
    process.terminate()
    assert process.wait(60) == 0 and time.monotonic() - begin < LATEST_END_S


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


# Sockets


def test_a_unix_socket_serves_and_is_removed_in_the_end(listen, start, tmp_path):
    process, connect = listen()
    other = start("--listen", f"unix:{tmp_path}/s")
    with connect() as client:
        assert asked(client)
    assert other.wait(60) == 2 and other.stderr.read().count(b"\n") == 1
    process.terminate()
    assert process.wait(60) == 0 and list(tmp_path.iterdir()) == []
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


def test_a_client_that_comes_after_the_signal_is_not_served(listen):
    process, connect = listen()
    with connect() as deaf:
        be_deaf(deaf)
        begin = time.monotonic()
        process.terminate()
        time.sleep(0.3)
        with pytest.raises(OSError):
            connect()
        assert process.wait(60) == 0 and time.monotonic() - begin < LATEST_END_S


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_second_signal_ends_the_program_at_once(listen):
    process, connect = listen()
    with connect() as deaf:
        be_deaf(deaf)
        process.terminate()
        while is_caught(process, signal.SIGTERM):  # until the first has been noted
            time.sleep(0.001)
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM


def test_a_standard_error_that_nobody_reads_holds_up_neither_answers_nor_the_end(listen):
    with full_pipe() as stderr:
        process, connect = listen(stderr=stderr)
        with connect() as client:
            for _ in range(1500):
                process.send_signal(signal.SIGUSR1)
            assert asked(client)
            process.send_signal(signal.SIGUSR1)
            assert asked(client)
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_without_free_descriptors_it_waits_and_recovers(listen):
    few = 40
    process, connect = listen(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (few, few)))

    def used():
        return len(os.listdir(f"/proc/{process.pid}/fd"))

    def cpu_s():
        ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    before, clients = used(), [connect() for _ in range(MAX_CLIENTS - 10)]
    assert asked(clients[0])
    wait_for(lambda: used() >= few - 1)
    spent = cpu_s()
    time.sleep(1)
    assert cpu_s() - spent < 0.3
    assert asked(clients[1])
    for client in clients:
        client.close()
    with connect() as client:
        assert asked(client)
    wait_for(lambda: used() == before)


def test_more_than_a_thousand_descriptors_do_no_harm(listen, start):
    def inherit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (1500, hard))
        for _ in range(1100):
            os.set_inheritable(os.dup(0), True)

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    many = {"preexec_fn": inherit, "close_fds": False}
    out, err = start(**many).communicate(encoded(GOOD), timeout=60)
    assert b"gateway" in out and err.count(b"\n") == 1
    process, connect = listen(**many)
    with connect() as client:
        assert asked(client)
    process.terminate()
    assert process.wait(60) == 0 and process.stderr.read().count(b"\n") == 1


# Errors


WRONG = """
import sys
from edgediff.control import __main__ as control, protocol
def fail(self, line):
    raise ZeroDivisionError("unforeseen")
protocol.LineProtocol.answer = fail
sys.exit(control.run_program("edgediff.control", control.main, sys.argv[1:]))
"""


@pytest.mark.parametrize("socket_too", (False, True))
def test_an_error_that_nobody_has_foreseen_ends_the_program(tmp_path, socket_too):
    flags = ["--listen", f"unix:{tmp_path}/s"] if socket_too else []
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", WRONG, "greedy", *flags], **pipes) as process:
        if socket_too:
            process.stdout.readline()
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(f"{tmp_path}/s")
                client.sendall(encoded(GOOD))
                wait_for(lambda: process.poll() is not None)
        else:
            process.stdin.write(encoded(GOOD))
            process.stdin.flush()
            wait_for(lambda: process.poll() is not None)
        assert process.returncode == 1 and b"ZeroDivisionError: unforeseen" in process.stderr.read().splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_a_signal_for_latencies_while_it_starts_is_harmless(start):
    process = start()
    state, bit = Path(f"/proc/{process.pid}"), 1 << signal.SIGUSR1 - 1
    wait_for(lambda: int((state / "status").read_text().split("SigCgt:")[1].split()[0], 16) & bit)
    assert "libtorch" not in (state / "maps").read_text()
    process.send_signal(signal.SIGUSR1)
    out, err = process.communicate(encoded(GOOD), timeout=60)
    assert process.returncode == 0 and b"gateway" in out and err.startswith(b"decisions: 1,")


@pytest.mark.usefixtures("signals_heard")
def test_a_signal_for_latencies_before_its_imports_is_harmless(start, tmp_path):
    kill = f"os.kill(os.getpid(), {int(signal.SIGUSR1)})"
    process = start(env=at_import("edgediff.errors", kill, tmp_path), cwd=ROOT)
    out, _ = process.communicate(encoded(GOOD), timeout=60)
    assert process.returncode == 0 and b"gateway" in out


LATE = "sys.late = type('Late', (), {'__del__': lambda _, kill=os.kill, me=os.getpid(): kill(me, NUMBER)})()"


@pytest.mark.parametrize("name, status", [("greedy", 0), ("none", 2)])
def test_a_signal_for_latencies_after_all_else_is_harmless(start, tmp_path, name, status):
    """When Python ends, it takes handlers back, then deletes what is left."""
    late = at_import("edgediff.errors", LATE.replace("NUMBER", str(int(signal.SIGUSR1))), tmp_path)
    process = start(name=name, env=late, cwd=ROOT)
    _, err = process.communicate(encoded(GOOD), timeout=60)
    assert process.returncode == status and err.count(b"\n") == 1


# Flags


@pytest.mark.parametrize(
    "argv, message",
    [
        (["none"], "run: none is neither a folder nor one of round-robin"),
        (["a", "--weights", "first"], "weights: 'first'"),
        (["a", "--threads", "x"], "threads: 'x'"),
        (["greedy", "--num-gateways", "0"], "num_gateways: 0"),
        (["a", "--listen", "0.0.0.0:80"], "listen: '0.0.0.0:80'"),
        (["a", "--listen", "unix:none/s"], "listen: none/s cannot be opened"),
        (["a", "--listen", "unix:" + "x" * 200], "cannot be opened (AF_UNIX path too long)"),
        (["a", "--hidden", "2"], "unknown setting --hidden"),
        ([], "RUN|RULE"),
    ],
)
def test_a_mistake_in_the_flags_is_one_line(finished, refused, argv, message):
    refused(control, message, *argv)


def test_a_refused_start_gives_the_signal_for_latencies_back(refused):
    """What comes until the process ends must not reach the loop, which is closed."""
    before = signal.getsignal(signal.SIGUSR1)
    refused(control, "listen: none/s cannot be opened", "greedy", "--listen", "unix:none/s")
    assert signal.getsignal(signal.SIGUSR1) is before


@pytest.mark.parametrize("name, flag", [("stdin", "<&-"), ("stdout", ">&-")])
def test_a_closed_standard_stream_is_named(name, flag):
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(CONTROL)} greedy {flag}"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and done.stderr.startswith(f"edgediff.control: {name}: closed")
    assert done.stderr.count("\n") == 1


WITHOUT = """
import signal, select, socket, sys
for name in ("SIGHUP", "SIGUSR1"):
    delattr(signal, name)
del select.PIPE_BUF, socket.AF_UNIX
sys.modules["fcntl"] = sys.modules["resource"] = None
from edgediff.control.__main__ import run_program, main
sys.exit(run_program("edgediff.control", main))
"""


def test_on_another_system_there_is_help_and_one_line(busy):
    """Stood for by an interpreter that lacks what Windows lacks."""

    def run(*argv):
        return subprocess.run([sys.executable, "-c", WITHOUT, *argv], capture_output=True, text=True, timeout=60)

    helped, refused = run("--help"), run(str(busy))
    assert helped.returncode == 0 and "--listen" in helped.stdout and helped.stderr == ""
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and "needs Linux or macOS" in refused.stderr
