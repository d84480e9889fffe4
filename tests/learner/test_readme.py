"""The loop in the README of the learner runs as it stands there, with fewer epochs."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

README = Path(__file__).parents[2] / "edgediff/learner/README.md"


@pytest.mark.slow
def test_the_loop_of_the_readme_runs():
    pytest.importorskip("gymnasium")
    loop = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[1]
    names = {}
    exec(loop.replace("range(config.epochs)", "range(2)"), names)
    agent, memory = names["agent"], names["memory"]
    assert len(memory) == 200 and names["metrics"].keys() == set(agent.METRICS)
    assert np.isin(agent.act(names["observation"], torch.Generator(), draws=8), [0, 1]).all()
