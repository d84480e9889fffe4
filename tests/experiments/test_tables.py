"""Reading results and printing them: pairing by seed, gaps, wrong names, and figures."""

import csv

import numpy as np
import pytest

from experiments.analysis import reading, tables

COLUMNS = ("phase", "variant", "agent", "seed", "traffic", "load", "flows", "gradient_steps", "completion",
           "latency_s", "reward")  # fmt: skip
REWARDS = {"d2sac": {0: -0.1, 1: 0.3, 2: 0.2}, "sac": {0: -0.3, 2: 0.3, 1: 0.3}, "random": {0: -1.0, 1: -1.5}}


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """Results of three agents, in all three phases where an agent learns."""
    (tmp_path / "some").mkdir()
    for agent, rewards in REWARDS.items():
        for seed, reward in rewards.items():
            who = dict(variant=agent, agent=agent, seed=seed, traffic="Poisson", completion=0.5, latency_s=0.3)
            found = [dict(phase="frozen", load=load, flows=200, gradient_steps=20, reward=reward * load, **who)
                     for load in ([1.0, 2.0] if agent != "random" else [1.0])]  # fmt: skip
            if agent != "random":
                steps = range(1, 41)
                found += [dict(phase="training", load=1.0, flows=10 * k, gradient_steps=k, reward=k, **who)
                          for k in steps]  # fmt: skip
                found += [dict(phase="held-out", load=1.0, flows=10 * k, gradient_steps=k, reward=2 * k, **who)
                          for k in (0, 20, 40)]  # fmt: skip
            with (tmp_path / "some" / f"{agent}-{seed}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(found)
    monkeypatch.setattr(tables, "read", lambda spec: reading.read(spec, tmp_path))
    return reading.read("some", tmp_path)


def test_seeds_are_paired(rows, capsys):
    """d2sac - sac: 0.2, 0.0, -0.1 by seed, so (1 + 0.5) / 3; pairs across seeds would give (1 + 1 + 0.5 + 1) / 9."""
    tables.main("some", "reward", "1")
    out = capsys.readouterr().out
    assert np.allclose(tables.paired(REWARDS["d2sac"], REWARDS["sac"]), [0.2, 0.0, -0.1])
    (line,) = [line for line in out.splitlines() if line.startswith("| sac") and "+" in line]
    assert line.endswith(" 0.50 |")
    (line,) = [line for line in out.splitlines() if line.startswith("| random") and "+" in line]
    assert "+1.350" in line and line.endswith(" 1.00 |")  # two seeds: 0.9 and 1.8


def test_all_columns_asked_for_are_printed(rows, capsys):
    tables.main("some", "reward,completion,latency_s")
    first, *_, last = capsys.readouterr().out.splitlines()
    assert [first.count(name) for name in ("reward, Poisson 1", "completion, Poisson 2", "latency_s, Poisson")] == [
        1,
        1,
        2,
    ]
    assert last.startswith("| random") and last.count("| - ") == 3  # no results at load 2


def test_several_specs_make_one_table(rows, tmp_path, capsys):
    """What only the second spec has keeps its name; what both have is told apart."""
    (tmp_path / "other").mkdir()
    text = (tmp_path / "some/sac-0.csv").read_text()
    (tmp_path / "other/sac-0.csv").write_text(text)
    (tmp_path / "other/sac-n___1-0.csv").write_text(text.replace(",sac,sac,", ",n = 1,sac,"))
    tables.main("some,other", "reward", "1")
    names = [line.split(" | ")[0] for line in capsys.readouterr().out.splitlines()]
    for name in ("sac", "sac of other", "n = 1"):
        assert names.count(f"| {name}") == 2  # a score, and a difference from d2sac


@pytest.mark.parametrize("given, message", [
    (("some", "speed"), "speed is no metric; there are area, completion, "),
    (("some", "reward", "1,7"), "load 7 is not in the results; there are [1.0, 2.0]"),
    (("some", "reward", "x"), "x are no loads"),
    (("other",), "no CSV in "),
])  # fmt: skip
def test_what_is_not_there_is_said(rows, given, message):
    with pytest.raises(SystemExit) as error:
        tables.main(*given)
    assert message in str(error.value)


def test_curves_by_agent(rows):
    """Forty training rows make twenty windows of two; held-out rows stay as they are."""
    curves = reading.by_agent(rows, "training", "gradient_steps", "reward")
    x, values = curves["d2sac"]
    assert list(curves) == ["d2sac", "sac"] and values.shape == (3, 20)
    assert x[:2].tolist() == [2, 4] and values[0, :2].tolist() == [1.5, 3.5]
    held_out = reading.by_agent(rows, "held-out", "gradient_steps", "reward")
    assert list(held_out) == ["d2sac", "sac"]
    for x, values in held_out.values():
        assert x.tolist() == [0, 20, 40] and values[1].tolist() == [0, 40, 80]


@pytest.mark.parametrize("with_range", [False, True])
def test_the_figures_are_drawn(with_range, rows, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    import network

    from experiments.analysis import figures

    monkeypatch.setattr(figures, "read", lambda _: rows)
    (tmp_path / "some_range").mkdir()
    if with_range:
        (tmp_path / "some_range/sac-0.csv").touch()
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    figures.main("some", tmp_path)
    network.main(tmp_path / "network.png")
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "figure4.png", "figure5.png", "figure6.png", "network.png"
    ]  # fmt: skip


def test_two_agents_with_one_variant_are_two_rows():
    given = [dict(agent="d2sac", variant="n = 1"), dict(agent="sac", variant="n = 1"), dict(agent="sac", variant="sac")]
    assert [row["variant"] for row in reading.named(given)] == ["d2sac, n = 1", "sac, n = 1", "sac"]


def test_the_area_under_a_curve_by_hand():
    """Reward -2, -1, 0 at 0, 100 and 400 flows: (150 + 150) / 400 below zero; the untrained agent is on the curve."""
    rows = [dict(phase="held-out", variant="d2sac", seed=3.0, flows=flows, reward=reward)
            for flows, reward in ((400.0, 0.0), (0.0, -2.0), (100.0, -1.0))]  # fmt: skip
    rows.append(dict(phase="training", variant="d2sac", seed=3.0, flows=50.0, reward=9.0))
    assert reading.areas(rows) == {"d2sac": {3.0: -0.75}}


def test_steps_to_a_share_of_the_way():
    """From -2 to 0 (the mean of the last two of eight points): -0.1 is 95 % of the way, first reached at step 40."""
    steps = np.arange(0, 80, 10.0)
    values = np.array([-2.0, -1.0, -0.5, -0.2, -0.1, -0.3, 0.1, -0.1])
    assert reading.steps_to(0.95, steps, values) == 40
    assert reading.steps_to(0.5, steps, values) == 10
    assert reading.steps_to(0.95, steps, -values) == 70  # a curve that falls makes its way back from its lowest point
    assert reading.steps_to(0.95, steps, -steps) == 70  # one that only falls has learned nothing before its end
    fallen = np.array([-0.05, *values[:-1]])  # a good start that training first spoils does not count
    assert reading.steps_to(0.95, steps, fallen) == 50


def test_the_figure_of_gateways(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    from experiments.analysis import gateways

    rows = []
    for agent, reward in (("d2sac", -0.5), ("sac", -0.4)):
        for seed in (0.0, 1.0):
            who = dict(agent=agent, variant="4 gateways", seed=seed, completion=0.9, load=1.0)
            rows += [dict(phase="held-out", flows=float(k), reward=min(reward, k / 10 - 3), **who)
                     for k in range(0, 41, 10)]  # fmt: skip
            rows.append(dict(phase="frozen", flows=40.0, reward=reward, **who))
    (tmp_path / "latency.csv").write_text(
        "agent,gateways,draws,p50_ms,update_ms\nd2sac,4,1,9,9\nd2sac,4,8,0.6,41\nsac,4,1,0.1,10\nsac,8,1,0.2,11\n"
    )
    headline = [row | dict(variant=row["agent"], reward=row["reward"] - 0.3) for row in rows if row["agent"] == "sac"]
    headline += [dict(agent="random", variant="random", load=1.0), headline[-1] | dict(load=2.0, reward=-9.0)]
    monkeypatch.setattr(gateways, "read", {"gateways": rows, "headline": headline}.get)
    found = gateways.times(tmp_path / "latency.csv")
    monkeypatch.setattr(gateways, "times", lambda: found)
    monkeypatch.setattr(gateways, "RESULTS", tmp_path)
    gateways.main()
    table = capsys.readouterr().out
    assert "| 4 | 12 | d2sac | 2 | 0.900 [0.900, 0.900] | -0.500 [-0.500, -0.500] | 30 | 0.6 | 41 |" in table
    assert "| 8 | 24 | sac | 2 | 0.900 [0.900, 0.900] | -0.700 [-0.700, -0.700] | 30 | 0.2 | 11 |" in table
    assert (tmp_path / "gateways.png").exists()
