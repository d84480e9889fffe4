"""Agents and rules on networks that they were not trained for, and a gateway that fails."""

import csv

import numpy as np
import pytest
from tiny import TINY

from edgediff.config import WorldConfig
from edgediff.run.process import run_program
from edgediff.run.start import load_run
from edgediff.train import main as train
from edgediff.world.decision import all_outcomes
from edgediff.world.rollout import rollout
from edgediff.world.rules import GREEDY, RoundRobin
from edgediff.world.simulator import Simulator
from edgediff.world.state import observe_gateways
from experiments.analysis import transfer

WORLD = WorldConfig(num_slots=40)


def test_remaining_is_the_network_without_a_gateway():
    simulator = Simulator(WORLD, 3, state_of_view=observe_gateways)
    simulator.reset(0)
    whole = simulator.view()
    world, fewer = transfer.remaining(WORLD, whole, 2)
    assert world.num_gateways == 7
    for name in ("backlog_bits", "available_bps", "capacity_bps", "propagation_s"):
        assert np.array_equal(getattr(fewer, name), getattr(whole, name)[..., [0, 1, 3, 4, 5, 6, 7]])
    reward = simulator.outcomes().reward.reshape(3, 8, 3)[:, [0, 1, 3, 4, 5, 6, 7]].reshape(3, 21)
    kept = all_outcomes(world, fewer).delay_s == simulator.outcomes().delay_s.reshape(3, 8, 3)[
        :, [0, 1, 3, 4, 5, 6, 7]
    ].reshape(3, 21)
    assert kept.all() and all_outcomes(world, fewer).reward.shape == reward.shape


def test_with_failure_never_takes_the_gateway_that_has_failed():
    """Before the failure all eight gateways are used, after it all but the third, and in turn."""
    simulator, taken = Simulator(WORLD, 4, state_of_view=observe_gateways), {False: set(), True: set()}
    policy = transfer.WithFailure(RoundRobin(2), RoundRobin(2), 3)

    def noted(world, view):
        action = policy(world, view)
        for late, gateway in zip(view.flow["slot"] >= 20, action // 3, strict=True):
            taken[bool(late)].add(int(gateway))
        assert (action % 3 == 2).all()
        return action

    rollout(simulator, noted, 1)
    assert taken == {False: set(range(8)), True: set(range(8)) - {3}}


@pytest.mark.slow
def test_a_run_is_scored_on_every_network(tmp_path, monkeypatch, capsys):
    short = {name: given | dict(num_slots=15) for name, given in transfer.NETWORKS.items()}
    monkeypatch.setattr(transfer, "NETWORKS", short)
    monkeypatch.setattr(transfer, "EPISODES", 1)
    for name, flags in (("run", ()), ("there", ("--num-gateways", "16", "--critic", "priced"))):
        argv = [*TINY, "--network", "shared", "--run", str(tmp_path / name), *flags]
        assert run_program("train", train, argv) == 0
    runs = [str(tmp_path / name) for name in ("run", "there")]
    assert run_program("transfer", transfer.main, [*runs, "--results", str(tmp_path)]) == 0
    with (tmp_path / "transfer.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["network"] for row in rows} == set(transfer.NETWORKS)
    there = rows.pop()
    assert (there["scheduler"], there["network"]) == ("deploy, trained there, E 4, n 3", "16 gateways")
    critics = load_run(runs[1]).agent.networks["critics"]
    price = (critics.q1.prices[0].item() + critics.q2.prices[0].item()) / 2
    assert float(there["price"]) == pytest.approx(price, rel=1e-5) and not any(row["price"] for row in rows)
    assert len(rows) == 4 * len(short) and {row["scheduler"] for row in rows} >= {"deploy", GREEDY}
    assert all(0 <= float(row["completion"]) <= 1 for row in rows)
