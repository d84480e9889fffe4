"""How long the estimated load lags: when the load changed, and what is told then."""

import numpy as np
import pytest

pytest.importorskip("pandas", reason="needs the extra `experiments`")

from edgediff.config import WorldConfig
from edgediff.world.rules import smallest_wait
from edgediff.world.workload import HELD_OUT, draw_traffic
from experiments.analysis import lag

WORLD = WorldConfig(load=1.5, load_swing=0.7)


def test_seconds_since_the_last_change_are_counted_in_slots(monkeypatch):
    monkeypatch.setattr(lag, "two_states", lambda *_: np.array([[True], [True], [False], [False], [False], [True]]))
    busy, seconds = lag.since_change(WORLD, 0, 0)
    assert busy.tolist() == [True, True, False, False, False, True]
    assert seconds[2:] == pytest.approx([0, 0.01, 0.02, 0]) and min(seconds[:2]) > 1000


def test_the_higher_load_is_where_flows_are(monkeypatch):
    """Of the traffic that is played: 0.85 / 0.15 times as many flows a slot."""
    busy, _ = lag.since_change(WORLD, HELD_OUT, 3)
    slots = draw_traffic(WORLD, HELD_OUT, 3, 0).flows["slot"][:-1]
    high, low = (np.isin(slots, np.flatnonzero(of)).sum() / of[:1000].sum() for of in (busy, ~busy))
    assert 4 < high / low < 8


def test_what_is_told_lags_by_a_second(monkeypatch):
    monkeypatch.setattr(lag, "EPISODES", 2)
    flows = lag.played(WORLD, smallest_wait, HELD_OUT)
    assert set(flows["since"]) == {lag.RISE, lag.FALL} and flows["seconds"].max() < lag.SHOWN_S
    mean = {name: of.groupby(of["seconds"] > 1.1)["load"].mean() for name, of in flows.groupby("since")}
    assert mean[lag.RISE][True] > 2.2 > mean[lag.RISE][False] + 0.3
    assert mean[lag.FALL][True] < 0.6 < mean[lag.FALL][False] - 0.3
