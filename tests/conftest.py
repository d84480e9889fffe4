import numpy as np
import pytest
import torch

import edgediff  # noqa: F401  (sets the OpenMP wait policy before any test touches torch)

torch.set_num_threads(1)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(7)
