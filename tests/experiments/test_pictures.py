"""The pictures: what they show is what the package computes; every agent has some; a missing run is one line."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("matplotlib", reason="needs the extra `experiments`")

from edgediff.config import preset_settings
from edgediff.errors import ConfigError
from edgediff.learner.diffusion import variance_schedule
from edgediff.run.scores import agent_policy, score
from edgediff.run.weights import new_agent, write_weights
from edgediff.world.rules import RoundRobin
from edgediff.world.simulator import Simulator
from edgediff.world.state import state_of
from edgediff.world.workload import HELD_OUT
from experiments.own_file import refuse_foreign
from experiments.page.index import ROWS
from experiments.pictures import __main__ as pictures
from experiments.pictures import agent as agent_picture
from experiments.pictures import choices, denoising, moving, schedule, timelines
from experiments.pictures.drawing import MARK, plt, save

RESULTS = Path(pictures.__file__).parents[1] / "results"


ALWAYS = {"network.svg", "moving.svg", "timelines.png", "choices.png"}


def drawn_files():
    return [path for end in ("png", "svg") for path in RESULTS.rglob(f"*.{end}")]


def small(agent="d2sac", network="mlp"):
    kind = dict(network="shared", critic="priced") if network == "priced" else dict(network=network)
    given = {"world": dict(num_slots=60, num_gateways=3), "run": dict(eval_draws=2),
             "learner": dict(agent=agent, **kind, d2sac_denoising_steps=3, hidden=16)}  # fmt: skip
    settings = preset_settings("quick", given)
    return settings, new_agent(settings)


@pytest.fixture
def run(tmp_path):
    def _run(*which):
        settings, agent = small(*which)
        write_weights(tmp_path / "last.pt", settings, "", 0, agent.weights())
        return tmp_path

    return _run


@pytest.mark.slow
@pytest.mark.parametrize("which", [("d2sac", "mlp"), ("d2sac", "shared"), ("sac", "shared"), ("dqn",), ("ppo",)])
def test_pictures_are_drawn_into_the_folder_of_the_run(run, which, monkeypatch):
    """Or into another one; never over those that are committed. Only d2sac has a chain to draw."""
    monkeypatch.setattr(choices, "LOADS", (1.0, 2.0))
    monkeypatch.setattr(choices, "ENVIRONMENTS", 1)
    folder, committed = run(*which), {path: path.stat().st_mtime_ns for path in drawn_files()}
    chain = {"denoising.png", "schedule.svg"} if which[0] == "d2sac" else set()
    for flags, output in (((), folder / "pictures"), (("--output", str(folder / "drawn/here")), folder / "drawn/here")):
        assert pictures.run_program("pictures", pictures.main, [str(folder), *flags]) == 0
        assert {path.name for path in output.iterdir()} == ALWAYS | chain
    assert {path: path.stat().st_mtime_ns for path in drawn_files()} == committed


@pytest.mark.parametrize("name", ["a.svg", "a.png"])
def test_a_picture_is_drawn_over_one_of_ours_only(tmp_path, name):
    path = tmp_path / name
    path.write_text("<svg>mine</svg>")
    with pytest.raises(ConfigError, match=f"picture: .*{name} was not written by this program"):
        save(plt.figure(), path)
    assert path.read_text() == "<svg>mine</svg>"
    path.unlink()
    for _ in range(2):
        save(plt.figure(), path)


@pytest.mark.slow
def test_the_agent_is_drawn_into_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    agent_picture.main([])
    assert {path.name for path in tmp_path.iterdir()} == {"agent.svg"}


def test_mistakes_are_one_line(run, tmp_path, capsys):
    run()
    (tmp_path / "file").write_text("")
    for argv in ([str(tmp_path), "--output", str(tmp_path / "file")], [str(tmp_path / "none")], [], ["a", "more"]):
        assert pictures.run_program("pictures", pictures.main, argv) == 2
        message = capsys.readouterr().err
        assert message.startswith("pictures: ") and message.count("\n") == 1


@pytest.mark.slow
def test_gateway_0_is_on_top():
    """As in the page of a decision: its name, its queue and its marks. Here all flows and all bits are at gateway 0."""
    settings, _ = small()
    episode = timelines.record(settings.world, RoundRobin(2))
    figure, axes = plt.subplots()
    timelines.lanes(
        axes,
        episode._replace(gateway=0 * episode.gateway, backlog_bits=np.eye(3)[:1] * np.ones((len(episode.time_s), 1))),
        np.ones(3),
        1.0,
        "",
    )
    first, second, third = axes.get_yticks()
    assert [text.get_text()[0] for text in axes.get_yticklabels()] == ["0", "1", "2"] and first > second > third
    (queue,) = [
        line.get_ydata() for line in axes.lines if len(line.get_ydata()) > 2 and not np.isnan(line.get_ydata()).all()
    ]
    marks = np.concatenate([each.get_offsets()[:, 1] for each in axes.collections])
    assert (queue > first).all() and (marks[marks != 0] > first).all() and (marks != 0).any()
    plt.close(figure)


@pytest.mark.slow
def test_each_flow_of_the_moving_picture_moves_as_it_did(tmp_path):
    """Here all of an episode is shown, since it is short; gateways hold and queue what they did."""
    settings, agent = small()
    moving.draw(settings, agent, tmp_path / "moving.svg")
    refuse_foreign(tmp_path / "moving.svg", MARK, "picture")
    world = settings.world.at_load(moving.LOAD)
    episode = timelines.record(world, RoundRobin(2))
    assert 0 < episode.dropped.sum() < len(episode.dropped)
    svg = {"": "http://www.w3.org/2000/svg"}
    left, _ = xml.parse(tmp_path / "moving.svg").getroot().findall("svg", svg)
    for i, circle in enumerate(left.findall("circle", svg)):
        moves = circle.find("animate", svg).attrib
        begin_s = float(moves["begin"].removeprefix("clock.begin+").removesuffix("s")) / moving.SLOWER
        lane = moving.TOP + moving.LANE * episode.gateway[i]
        y = float(moves["from"] if episode.dropped[i] else circle.get("cy"))
        seconds = moving.FALL_S if episode.dropped[i] else episode.delay_s[i]
        assert lane < y < lane + moving.LANE and circle.get("class") == f"p{episode.priority[i]}"
        assert moves["attributeName"] == ("cy" if episode.dropped[i] else "cx")
        assert begin_s == pytest.approx(episode.time_s[i], abs=0.002)
        assert float(moves["dur"][:-1]) / moving.SLOWER == pytest.approx(seconds, abs=0.002)
        is_late = not (episode.completed[i] or episode.dropped[i])
        assert (circle.find("set", svg) is not None) == is_late
    assert i == len(episode.time_s) - 1
    last = {name: [bar for bar in left.findall("rect", svg) if bar.get("class") == name] for name in ("held", "queue")}
    widths = {name: [int(bar[0].get("values").split(";")[-1]) for bar in bars] for name, bars in last.items()}
    held = episode.reserved_bps[-1] / timelines.Simulator(world).topology.capacity_bps
    assert widths["held"] == pytest.approx(moving.BAR[1] * held, abs=0.6) and max(widths["held"]) > 5
    assert (np.argsort(widths["queue"]) == np.argsort(episode.backlog_bits[-1])).all()


def test_the_moving_picture_of_the_front_page_is_small():
    assert (RESULTS / "pictures/moving.svg").stat().st_size < 500_000


@pytest.mark.parametrize("network", ["mlp", "shared"])
def test_the_strip_ends_with_the_policy(network):
    settings, agent = small(network=network)
    simulator = Simulator(settings.world)
    simulator.reset(0)
    view = simulator.view()
    found = denoising.chain(agent, settings.world, view, draws=2)
    state = torch.as_tensor(state_of(network)(settings.world, view)).repeat(2, 1)
    with torch.no_grad():
        expected = agent.evaluation_policy(state, torch.Generator().manual_seed(0))
    assert found.shape == (4, 2, 9) and np.allclose(found.sum(axis=2), 1, atol=1e-5)
    assert np.allclose(found[-1], expected, atol=1e-6)


def test_the_states_are_idle_full_and_overloaded():
    settings, agent = small()
    idle, full, overload = denoising.three_states(agent, settings.world, draws=2).values()
    assert np.allclose(idle.available_bps, idle.capacity_bps * 0.8) and not idle.backlog_bits.any()
    assert (full.available_bps == 0).sum() == 1 and (full.backlog_bits > 0).sum() == 1
    assert overload.available_bps.sum() < idle.available_bps.sum()
    assert idle.flow == full.flow == overload.flow


def test_timelines_show_what_evaluation_counts():
    settings, _ = small()
    episode = timelines.record(settings.world, RoundRobin(2))
    scores = score(Simulator(settings.world), RoundRobin(2), HELD_OUT + 1)
    assert episode.completed.mean() == pytest.approx(scores["completion"])
    assert episode.dropped.mean() == pytest.approx(scores["dropped"])
    assert episode.reserved_bps.shape == episode.backlog_bits.shape == (len(episode.time_s), 3)
    assert not episode.reserved_bps[0].any() and episode.reserved_bps.max() > 0


def test_choices_are_those_of_the_policy():
    settings, agent = small()
    mbps, gateway, level = choices.play(settings.world, agent_policy(agent, settings.run)[1])
    assert mbps.min() >= 1 and mbps.max() <= 20 and set(gateway) <= {0, 1, 2} and set(level) <= {0, 1, 2}


def test_weights_of_the_noise_are_those_of_the_equations():
    betas = variance_schedule(10)
    right, printed_21, printed_24 = schedule.weights_of_noise(betas).values()
    assert torch.allclose(right, betas.beta / (betas.alpha * (1 - betas.alpha_bar)).sqrt())
    assert torch.allclose(printed_21, (betas.beta / betas.alpha).sqrt())
    assert torch.allclose(printed_24, betas.beta / betas.alpha.sqrt())


def test_the_arrows_of_the_agent_name_functions_of_their_equations():
    """What stands in the picture as `name, Eq. (n)` is in row n of the equation index."""
    text = Path(agent_picture.__file__).read_text().replace("\\n", " ")
    named = re.findall(r"([A-Za-z_.]+),? Eq\. \((\d+)\)", text)
    assert len(named) > 10
    for name, number in named:
        rows = [row for row in ROWS if int(number) in row.equations]
        assert any(function.endswith(f".{name}") for row in rows for function in row.functions), (name, number)


@pytest.mark.slow
def test_a_log_whose_name_looks_like_mathematics_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(timelines, "traffic_label", lambda world: "requests of a$\\x$.csv")
    timelines.draw(*small(), tmp_path / "timelines.png")
    assert (tmp_path / "timelines.png").exists()


@pytest.mark.slow
def test_the_backend_of_a_notebook_is_not_asked_for():
    """A notebook hands it to what `!command` starts."""
    command = [sys.executable, "-c", "from experiments.pictures.drawing import plt; plt.figure()"]
    environment = os.environ | {"MPLBACKEND": "module://of_a_notebook"}
    subprocess.run(command, cwd=RESULTS.parents[1], env=environment, check=True)
