"""The agent in the repository: small, as its README says it was made, and as good as its table says."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgediff.config import preset_settings
from edgediff.run.scores import agent_policy, score
from edgediff.run.weights import read_weights, restore_agent, weights_path
from edgediff.world.rules import one_step_greedy
from edgediff.world.simulator import Simulator
from edgediff.world.state import observe_gateways

ROOT = Path(__file__).parents[2]
AGENT = ROOT / "experiments/results/agent"


def test_the_committed_agent_is_that_of_deploy():
    """What it was trained with; how often it was evaluated on the way does not matter."""
    settings, epoch, _ = read_weights(weights_path(str(AGENT), "last"))
    wanted = preset_settings("deploy", {})
    assert (settings.world, settings.learner, epoch) == (wanted.world, wanted.learner, wanted.learner.epochs)
    assert sum(path.stat().st_size for path in AGENT.iterdir()) < 2_000_000


@pytest.mark.slow
def test_the_committed_agent_earns_more_than_greedy_at_load_2():
    settings, _, weights = read_weights(weights_path(str(AGENT), "last"))
    simulator = Simulator(settings.world.at_load(2.0), 1, state_of_view=observe_gateways)
    _, policy = agent_policy(restore_agent(weights, settings), settings.run)
    assert score(simulator, policy)["reward"] > score(simulator, one_step_greedy)["reward"] + 0.5


@pytest.mark.slow
def test_the_line_of_the_front_page_gets_the_answer_that_stands_there():
    page = ROOT.joinpath("README.md").read_text()
    line = ROOT.joinpath(re.search(r"results/agent < (\S+)", page)[1]).read_text()
    answer = json.loads(
        subprocess.run([sys.executable, "-m", "edgediff.control", str(AGENT)], input=line, capture_output=True,
                       text=True, timeout=120).stdout
    )  # fmt: skip
    shown = re.search(r'```text\n(\{"gateway".*?\})\n', page)[1]
    given = dict(re.findall(r'"(\w+)": ([0-9.]+|true|false)', shown))
    assert int(given["gateway"]) == answer["gateway"] and int(given["level"]) == answer["level"]
    assert abs(float(given["delay_s"]) - answer["delay_s"]) < 5e-4
