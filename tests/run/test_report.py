"""What a run reports: means over whole epochs, and evaluations at one load."""

import numpy as np
import pytest
import torch
from tiny import TINY, rows

from edgediff import train
from edgediff.config import LearnerConfig, RunConfig, Settings, WorldConfig
from edgediff.run.report import mean_metrics, mean_outcome


def test_mean_metrics_averages_all_updates():
    updates = [{"loss_q": torch.tensor(q), "grad_q": torch.tensor(g)} for q, g in ((1.0, 8.0), (2.0, 6.0), (6.0, 1.0))]
    assert mean_metrics(updates, ("grad_q", "loss_q"), 1) == {"loss_q": 3.0, "grad_q": 5.0}
    assert mean_metrics([], ("loss_q",), 1) == {}


@pytest.mark.parametrize("names", [("loss_q",), ("loss_q", "grad_q", "q")])
def test_mean_metrics_refuses_a_metric_that_is_unknown_or_missing(names):
    with pytest.raises(LookupError, match="^metrics: loss_q, grad_q are not loss_q"):
        mean_metrics([{"loss_q": torch.tensor(1.0), "grad_q": torch.tensor(2.0)}], names, 1)


def test_mean_outcome_averages_all_steps_and_environments():
    def info(reward, completed, delay_s):
        return {"reward": np.array(reward), "completed": np.array(completed), "delay_s": np.array(delay_s)}

    infos = [info([1.0, 3.0], [True, False], [0.5, 0.25]), info([-1.0, -7.0], [True, True], [1.0, 2.25])]
    assert mean_outcome(infos) == {"reward": -1.0, "completion": 0.75, "latency_s": 1.0}


def test_held_out_world_has_one_load():
    settings = Settings(WorldConfig(load=2.0, load_low=0.5, load_high=3.0), LearnerConfig(), RunConfig())
    assert train.held_out_world(settings) == WorldConfig(load=2.0)


def test_the_range_of_loads_changes_training_but_no_evaluation(call, tmp_path):
    """The untrained agent and the rules score as without a range: all meet the same traffic."""
    shown = {}
    for run, spread in (("one", ()), ("range", ("--load-low", "2", "--load-high", "3"))):
        status, shown[run], _ = call(train, "--run", run, *TINY, *spread)
        assert status == 0
    one, spread = ([rows(tmp_path / run / f"{name}.csv") for name in ("train", "evaluation")] for run in shown)
    assert one[0] != spread[0]
    assert one[1][0] == spread[1][0] and one[1][0]["epoch"] == "0"
    rules = [[line for line in out.splitlines() if line.startswith(train.SHOWN_RULES)] for out in shown.values()]
    assert rules[0] == rules[1] and len(rules[0]) == len(train.SHOWN_RULES)
