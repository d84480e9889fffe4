import signal

import numpy as np
import pytest
import torch
from equation_index import ROWS, keywords

import edgediff  # noqa: F401  (sets the OpenMP wait policy before any test touches torch)

torch.set_num_threads(1)


@pytest.hookimpl(tryfirst=True)  # before `-k` selects
def pytest_collection_modifyitems(items):
    """Let `pytest -k eq21` and `pytest -k line16` select what the README's equation index names for them."""
    words = {}
    for row in ROWS:
        for test in row.tests:
            words.setdefault(test, set()).update(keywords(row))
    for item in items:
        item.extra_keyword_matches.update(words.get((item.path.name, getattr(item, "originalname", item.name)), ()))


@pytest.fixture(autouse=True)
def denormal_numbers():
    """Take back what a test that starts a run in this process leaves behind: very small numbers count as zero."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture
def signals_heard():
    """Hear SIGINT and SIGHUP in this process and its children, also if `nohup` or a script's `&` had both ignored."""
    heard = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in heard.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(7)
