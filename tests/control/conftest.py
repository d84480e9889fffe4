import json

import pytest
from lines import encoded, write_run

from edgediff.config import LearnerConfig, RunConfig, Settings, WorldConfig
from edgediff.control.controller import Controller
from edgediff.control.protocol import LineProtocol


@pytest.fixture(scope="session")
def busy(tmp_path_factory):
    """Return a run with drawn weights on busy traffic, with several flows in most slots."""
    learner = LearnerConfig(hidden=8, d2sac_denoising_steps=2)
    settings = Settings(WorldConfig(num_slots=60, load=3.0), learner, RunConfig(final_episodes=2))
    return write_run(tmp_path_factory.mktemp("control") / "a", settings)


@pytest.fixture
def protocol(busy):
    return LineProtocol(Controller.load(busy))


@pytest.fixture
def ask(protocol):
    """Send an object as a line; return the answer as an object."""
    return lambda line: json.loads(protocol.answer(encoded(line)))
