"""A run whose terminal, pipe or output is lost goes on."""

import errno
import io
import os
import signal
import sys
import threading
import time

import pytest
from tiny import TINY, complete, outcome, shell, start

from edgediff import evaluate, train
from edgediff.run.process import Display, run_program


@pytest.mark.slow
def test_a_run_goes_on_when_its_pipe_closes(tmp_path):
    done = shell(tmp_path, "$TRAIN --run r $TINY --epochs 9 --eval-every 1 2>&1 | head -1")
    assert done.returncode == 0 and done.stdout.startswith("edgediff, agent d2sac") and done.stderr == ""
    assert complete(tmp_path / "r") == 9


@pytest.mark.slow
@pytest.mark.parametrize("lost, status", [("<&- >&- 2>&-", 0), (">/dev/full 2>/dev/full", 1)])
def test_a_run_without_a_display_is_saved_like_any_other(finished, lost, status):
    done = shell(finished.parent, f"$TRAIN --run r $TINY {lost}")
    assert done.returncode == status and done.stderr == ""
    assert complete(finished.parent / "r") == 4 and outcome(finished.parent / "r") == outcome(finished)


@pytest.mark.slow
def test_scores_that_cannot_be_written_are_an_error(finished):
    done = shell(finished.parent, "$EVALUATE a >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "edgediff.evaluate: the output cannot be written ([Errno 28] No space left on device)\n"


@pytest.mark.slow
def test_a_help_that_cannot_be_written_is_an_error(tmp_path):
    assert shell(tmp_path, "$TRAIN --help >/dev/full").returncode == 1


@pytest.mark.parametrize("unbuffered", [False, True])
def test_all_is_written_to_a_pipe_that_does_not_block(unbuffered):
    """The pipe holds less than a page of text, and its reader comes late."""
    inlet, outlet = os.pipe()
    os.set_blocking(outlet, False)
    text, found = "".join(f"line {k} ü\n" for k in range(20_000)), []

    def read():
        time.sleep(0.1)
        with open(inlet, encoding="utf-8") as pipe:
            found.append(pipe.read())

    reader = threading.Thread(target=read)
    reader.start()
    binary = open(outlet, "wb", buffering=0 if unbuffered else -1)
    with io.TextIOWrapper(binary, encoding="utf-8", write_through=unbuffered) as stream:
        display = Display(stream)
        display.write(text[:9])
        display.write(text[9:])
        assert display.lost is None
    reader.join()
    assert found == [text]


def test_the_streams_of_a_notebook_or_a_test_are_taken_as_they_are(monkeypatch):
    """They have no handle, cannot be reconfigured, and come back."""
    streams = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdout", streams[0])
    monkeypatch.setattr("sys.stderr", streams[1])
    assert run_program("x", lambda _: print("done") or 0, []) == 0
    assert run_program("x", evaluate.main, ["none"]) == 2
    assert (sys.stdout, sys.stderr) == streams and streams[0].getvalue() == "done\n"
    assert streams[1].getvalue().startswith("x: run: none/last.pt")


def test_an_encoding_with_a_mark_has_it_once(tmp_path):
    with open(tmp_path / "out", "w", encoding="utf-16") as stream:
        display = Display(stream)
        display.write("one ")
        display.write("two")
    assert (tmp_path / "out").read_text("utf-16") == "one two"


def test_a_reader_of_scores_may_leave_early(call, finished, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert call(evaluate, "a") == (0, "", "")


@pytest.mark.slow
@pytest.mark.usefixtures("signals_heard")
def test_a_closed_terminal_saves_the_run(tmp_path):
    """SIGHUP comes, and nobody reads what the run still says."""
    process = start(tmp_path)
    process.stdout.close()
    process.stderr.close()
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 129
    assert complete(tmp_path / "r") >= 2


@pytest.mark.parametrize("handler, status, epochs", [(print, 129, 2), (signal.SIG_IGN, 0, 4)])
def test_sighup_stops_a_run_unless_it_was_started_with_nohup(
    call, stop_after, tmp_path, monkeypatch, handler, status, epochs
):
    """`nohup` starts a program with SIGHUP ignored."""
    stop_after(2, signal.SIGHUP)
    before = signal.signal(signal.SIGHUP, handler)
    try:
        assert call(train, "--run", "r", *TINY)[0] == status
        assert signal.getsignal(signal.SIGHUP) is handler
    finally:
        signal.signal(signal.SIGHUP, before)
    assert complete(tmp_path / "r") == epochs


@pytest.mark.slow
def test_an_output_that_knows_only_ascii(tmp_path):
    done = shell(tmp_path, "$TRAIN --run rü2 $TINY", PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert "run folder r\\xfc2\n" in done.stdout and complete(tmp_path / "rü2") == 4


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_an_error_of_the_system_without_a_name_is_one_line(number, capsys):
    def main(_):
        raise OSError(number, os.strerror(number))

    assert run_program("x", main, []) == 2
    assert capsys.readouterr().err == f"x: [Errno {number}] {os.strerror(number)}\n"


@pytest.mark.slow
def test_scores_whose_stream_was_closed_before_the_start_are_lost(finished):
    done = shell(finished.parent, "$EVALUATE a --json --final-episodes 1 >&-")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "closed before the start" in done.stderr
