import json

import pytest
from lines import encoded
from tiny import TINY

from edgediff import train
from edgediff.control.controller import Controller
from edgediff.control.protocol import LineProtocol
from edgediff.run.process import run_program


@pytest.fixture(scope="session")
def busy(tmp_path_factory):
    """Make a run on busy traffic, with several flows in most slots."""
    folder = tmp_path_factory.mktemp("control") / "a"
    flags = ["--run", str(folder), *TINY, "--num-slots", "60", "--load", "3"]
    assert run_program("edgediff.train", train.main, flags) == 0
    return folder


@pytest.fixture
def protocol(busy):
    return LineProtocol(Controller.load(busy))


@pytest.fixture
def ask(protocol):
    """Send an object as a line; return the answer as an object."""
    return lambda line: json.loads(protocol.answer(encoded(line)))
