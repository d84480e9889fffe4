"""Flags, and what a program does to its process."""

import re
import threading
from importlib.util import find_spec

import pytest
from tiny import TINY

from edgediff import train
from edgediff.__main__ import main as programs
from edgediff.run.process import run_program


@pytest.mark.parametrize(
    "flags", [["--resume="], ["--resume", ""], ["--resume=--"], ["--run", ""], ["--preset", ""], ["--seed=--"],
              ["--load=--"], ["--agent="], ["--trace", ""]], ids=" ".join)  # fmt: skip
def test_an_empty_value_is_refused(refused, flags):
    name = re.match("--([a-z]+)", flags[0])[1]
    refused(train, f"{name}: the value is empty", *flags, *TINY)


@pytest.mark.parametrize("flag", ["--run", "--resume", "--trace"])
def test_a_name_that_is_no_text_is_one_line(refused, flag):
    """So does Python spell the name of bytes r, 255."""
    refused(train, f"{flag[2:]}: r\\udcff is not UTF-8\n", flag, "r\udcff", *TINY)


@pytest.mark.parametrize("text", ["１２", "1_000", " 1 ", "١", "1\n"])
@pytest.mark.parametrize("flag", ["seed", "load"])
def test_only_plain_digits_are_numbers(refused, flag, text):
    refused(train, f"{flag}: {text!r} is not a ", *TINY, f"--{flag}", text)


def test_run_program_gives_the_hook_of_threads_back():
    before = threading.excepthook
    assert run_program("x", lambda _: 0, []) == 0 and threading.excepthook is before


@pytest.mark.parametrize("argv, status", [([], 0), (["train"], 2)])
def test_the_package_lists_its_programs_and_each_exists(argv, status, capsys):
    """Also where somebody takes it for one of them."""
    assert programs(argv) == status
    out, err = capsys.readouterr()
    listed = re.findall(r"python -m (edgediff\.\w+)", out or err)
    assert len(listed) == 4 and all(find_spec(name) for name in listed) and not (out and err)
