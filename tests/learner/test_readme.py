"""The loops in the README of the learner run as they stand there, with fewer epochs."""

import re
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).parents[2] / "edgediff/learner/README.md"


def run(which, epochs):
    """Run a block of the page; return its names."""
    block, names = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[which], {}
    exec(re.sub(r"epochs=\d+", f"epochs={epochs}", block), names)
    return names


@pytest.mark.slow
def test_the_loop_of_the_readme_runs():
    pytest.importorskip("gymnasium")
    names = run(0, epochs=2)
    agent, memory = names["agent"], names["memory"]
    assert len(memory) == 200 and names["metrics"].keys() == set(agent.METRICS)
    assert np.isin(agent.act(names["observation"]), [0, 1]).all()


@pytest.mark.slow
def test_a_shared_network_learns_a_problem_of_another_kind_and_serves_more_items():
    """Jobs to servers: far less time than at random, where it was trained and on four times as many servers."""
    names, rng = run(1, epochs=5), np.random.default_rng(0)

    def mean_time_s(act, servers):
        jobs = names["Servers"](100, servers, seed=1)
        return -np.mean([jobs.step(act(jobs.state())) for _ in range(200)])

    for agent, servers in ((names["agent"], 5), (names["larger"], 20)):
        at_random = mean_time_s(lambda state: rng.integers(servers, size=len(state)), servers)  # noqa: B023
        found = mean_time_s(agent.act, servers)
        assert found < at_random / 2
