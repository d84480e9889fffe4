"""Stop signals: the first one is noted, the second one ends the process, an ignored one stays ignored."""

import os
import signal
import subprocess
import sys

import pytest

from edgediff.run.process import StopSignals

STOPS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


@pytest.mark.usefixtures("signals_heard")
@pytest.mark.parametrize("number", STOPS)
def test_stop_signals_notes_the_first_and_leaves_the_second_to_the_system(number):
    told = []
    with StopSignals(told.append) as stop:
        assert stop.number == 0
        os.kill(os.getpid(), number)
        assert (stop.number, told) == (number, [number])
        assert [signal.getsignal(each) for each in STOPS] == [signal.SIG_DFL] * 3


@pytest.mark.usefixtures("signals_heard")
def test_stop_signals_gives_the_second_to_a_handler():
    told = []
    with StopSignals(second=lambda number, _: told.append(number)) as stop:
        for number in STOPS:
            os.kill(os.getpid(), number)
        assert (stop.number, told) == (signal.SIGINT, [signal.SIGTERM, signal.SIGHUP])


@pytest.mark.usefixtures("signals_heard")
@pytest.mark.parametrize("sent", [(), (signal.SIGTERM,)])
def test_stop_signals_puts_the_handlers_back(sent):
    before = [signal.getsignal(each) for each in STOPS]
    with StopSignals():
        assert signal.SIG_DFL not in (during := [signal.getsignal(each) for each in STOPS]) and during != before
        for number in sent:
            os.kill(os.getpid(), number)
    assert [signal.getsignal(each) for each in STOPS] == before


@pytest.mark.usefixtures("signals_heard")
def test_stop_signals_leaves_an_ignored_signal_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    with StopSignals() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert stop.number == 0
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.number == signal.SIGTERM and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.slow
def test_a_second_signal_ends_a_process_that_hangs_in_a_write():
    program = """
import os, signal
from edgediff.run.process import StopSignals
inlet, outlet = os.pipe()
def both(number):
    print("noted", flush=True)
with StopSignals(both):
    os.write(1, b"ready\\n")
    os.write(outlet, bytes(1_000_000))  # nobody reads
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.stdout.readline() == b"noted\n"
        process.terminate()
        assert process.wait(10) == -signal.SIGTERM
