"""Look inside a decision: the numbers in the file are the simulator's own, and the page works in a browser."""

import base64
import json
import re
import zlib
from decimal import Decimal

import numpy as np
import pytest
import torch

pytest.importorskip("latex2mathml", reason="needs the extra `experiments`")

from edgediff.config import preset_settings
from edgediff.learner.shared import PRICE_GAIN
from edgediff.run.process import run_program
from edgediff.run.scores import agent_policy
from edgediff.run.weights import new_agent, write_weights
from edgediff.world.laws import mean_data_bits
from edgediff.world.rules import all_rules
from edgediff.world.simulator import Simulator
from edgediff.world.state import state_dim, state_of, state_scale
from edgediff.world.workload import HELD_OUT
from experiments.look import __main__ as page
from experiments.look import data, inside, states
from experiments.look.equations import EQUATIONS


def small(agent="d2sac", network="mlp", **world):
    """Return settings and an untrained agent; "priced" is a shared network whose critics learn prices."""
    form = dict(network="shared", critic="priced") if network == "priced" else dict(network=network)
    given = {"world": dict(num_slots=60, num_gateways=3) | world, "run": dict(eval_draws=3),
             "learner": dict(agent=agent, d2sac_denoising_steps=4, hidden=16) | form}  # fmt: skip
    settings = preset_settings("quick", given)
    return settings, new_agent(settings)


def write(folder, settings, agent):
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / "last.pt", settings, "", 7, agent.weights())
    return folder


def run(*argv):
    return run_program("look", page.main, [*map(str, argv)])


def known(text):
    """Read what a page knows besides its numbers."""
    return json.loads(re.search(r'id="about">(.*?)</script>', text, re.DOTALL)[1])


def decode(text):
    """Read the numbers of a page, as texts with the digits that are printed outside of a sum."""
    content = zlib.decompress(base64.b64decode(re.search(r'id="numbers">(.*?)</script>', text, re.DOTALL)[1]))
    found, at = {}, 0
    for name, kept in known(text)["shapes"].items():
        size = int(np.prod(kept["shape"]))
        planes = np.frombuffer(content, np.uint8, 4 * size, at).reshape(4, size).astype(np.int64)
        zigzag = planes[0] + 256 * planes[1] + 256**2 * planes[2] + 256**3 * planes[3]
        whole = np.where(zigzag % 2, -(zigzag + 1) // 2, zigzag // 2)
        values = np.where(whole == page.BESIDE, np.inf, whole / 10 ** kept["digits"])
        values[[*map(int, kept["beside"])]] = [*map(float, kept["beside"].values())]
        found[name] = printed(values, min(kept["digits"], data.PRINTED)).reshape(kept["shape"])
        at += 4 * size
    assert at == len(content)
    return found


def printed(values, digits):
    """Print numbers to their last digit, a negative zero without its sign."""
    texts = [f"{value:.{digits}f}" for value in np.ravel(np.asarray(values, float))]
    return np.array([re.sub(r"^-(?=[0.]*$)", "", text) for text in texts]).reshape(np.shape(values))


def assert_printed(found, values, digits=3):
    assert np.array_equal(found, printed(values, digits))


@pytest.fixture
def write_page(tmp_path):
    """Write the page of a small untrained agent; return its path."""

    def _write_page(agent="d2sac", network="mlp", *flags, **world):
        folder = write(tmp_path / "run", *small(agent, network, **world))
        assert run(folder, *flags) == 0
        return folder / "decisions.html"

    return _write_page


@pytest.mark.parametrize(("agent", "network"), [("d2sac", "mlp"), ("d2sac", "priced"), ("sac", "shared")])
def test_every_number_is_that_of_a_fresh_simulation(write_page, agent, network):
    """What an evaluation of one environment plays, with the chosen action and with each of the others."""
    numbers = decode(write_page(agent, network).read_text())
    settings, agent = small(agent, network)
    simulator = Simulator(settings.world, state_of_view=state_of(network))
    _, policy = agent_policy(agent, settings.run)
    rules = [all_rules()[name] for name in data.RULES]
    observation, truncated, f = simulator.reset(HELD_OUT + 1), [False], 0
    while not truncated[0]:
        view, every = simulator.view(), simulator.outcomes()
        flow, row = view.flow[0], {name: values[f] for name, values in numbers.items()}
        assert_printed(row["state"], observation[0])
        assert_printed(row["values"], values_of(agent, observation))
        for name, value in dict(data=flow["data_bits"] / 1e6, work=flow["work_tflop"], deadline=flow["deadline_s"],
                                bandwidth=flow["bandwidth_bps"] / 1e6, time=flow["slot"] * settings.world.slot_s,
                                backlog=view.backlog_bits[0] / 1e6, available=view.available_bps[0] / 1e6,
                                propagation=view.propagation_s[0] * 1e6).items():  # fmt: skip
            assert_printed(row[name], value)
        for name, values in dict(delay=every.delay_s, reward=every.reward, imbalance=every.imbalance).items():
            assert_printed(row[name], values[0])
        action = policy(simulator.world, simulator.view())
        assert int(row["action"]) == action[0]
        assert [*map(int, row["rules"])] == [rule(settings.world, view)[0] for rule in rules]
        observation, reward, _, truncated, info = simulator.step(action)
        assert row["reward"][action[0]] == printed(reward, 3)[0]
        assert row["delay"][action[0]] == printed(info["delay_s"], 3)[0]
        for name in ("completed", "dropped"):
            assert int(row[name][action[0]]) == info[name][0]
        phi = sum(int(row[name][action[0]]) for name in ("late", "short_rate", "short_compute"))
        assert phi == info["violations"][0]
        f += 1
    assert f == len(numbers["action"])


def values_of(agent, observation):
    """Return what both critics say of every action, (2, A)."""
    with torch.no_grad():
        return torch.cat(agent.networks["critics"](torch.as_tensor(observation))).numpy()


def test_value_and_prices_make_the_values_of_a_critic_with_prices():
    """Q = V + r - p c for every action, with what the state says of reward and crowding."""
    settings, agent = small("d2sac", "priced")
    for critic in (agent.networks["critics"].q1, agent.networks["critics"].q2):
        torch.nn.init.normal_(critic.scaled_prices)  # they start at 0
    found = data.play(settings, agent)
    places = np.array(states.entries(settings.world, "priced")["levels"])  # (level, r and what is taken, gateway)
    own = found["state"][:, None, places.transpose(2, 0, 1).reshape(9, -1)]  # (flow, 1, action, ...)
    value, price = found["prices"][..., :1], found["prices"][:, :, None, 1:]
    cost = (price * own[..., 1:]).sum(axis=-1)
    assert np.abs(cost).max() > 0.01
    assert np.allclose(found["values"], value + own[..., 0] - cost, atol=1e-4)
    assert data.play(*small("dqn", "priced"))["prices"].shape[1:] == (1, price.shape[-1] + 1)
    assert data.play(*small("d2sac"))["prices"].shape[1:] == (0, price.shape[-1] + 1)


@pytest.mark.parametrize("network", ["mlp", "shared"])
def test_the_names_of_the_state_are_those_of_its_entries(network):
    """Beside numbers of the simulator: two entries of a flow, both of a gateway, and the reward of every level."""
    world = small()[0].world
    simulator = Simulator(world, state_of_view=state_of(network))
    simulator.reset(0)
    for _ in range(20):
        state, *_ = simulator.step(np.array([4]))
    view, found = simulator.view(), states.entries(world, network)
    centre, unit = state_scale(world)
    gain = 2 if network == "mlp" else 1
    common = {name: state[0, place] for name, place in found["common"]}
    assert common["p"] == pytest.approx(gain * (view.flow["priority"][0] - centre[2]) / unit[2], rel=1e-5)
    assert common["F_avail"] == pytest.approx(gain * (view.available_tflops[0] - centre[-1]) / unit[-1], rel=1e-5)
    gateway = {name: state[0, places] for name, places in found["gateway"]}
    raw = np.concatenate([view.backlog_bits[0] / mean_data_bits(world), view.available_bps[0] / view.capacity_bps])
    shown = np.concatenate([gateway["Q"], gateway["R_avail"]])
    assert np.allclose(shown, gain * (raw - centre[4:-1]) / unit[4:-1], atol=1e-5)
    rewards = [state[0, places[0]] for places in found["levels"]]
    assert not rewards if network == "mlp" else np.allclose(rewards, simulator.outcomes().reward.reshape(3, 3).T)


def test_the_parts_of_an_action_add_up():
    """Eqs. 2, 9, 13 from the numbers between, at a load at which some flows are late and some dropped."""
    settings, agent = small("sac", priority3_weight=2.0, load=4.0)
    kept, world = data.play(settings, agent), settings.world
    gateway, level = np.divmod(np.arange(world.num_actions), 3)
    total = kept["transmission"] + kept["queueing"][:, gateway] + kept["processing"][:, level]
    total = total + kept["propagation"][:, gateway] * 1e-6
    assert np.allclose(np.minimum(total, world.max_delay_s), kept["delay"])
    assert np.array_equal(total > world.max_delay_s, kept["dropped"]) and 0 < kept["dropped"].mean() < 1
    used = np.repeat(kept["used"][:, None], world.num_actions, axis=1)
    used[:, np.arange(world.num_actions), gateway] = kept["used_after"]
    assert np.allclose(used.max(axis=2) - used.min(axis=2), kept["imbalance"])
    assert np.allclose(kept["deviation"] + 0.5 * kept["imbalance"], kept["cost"])
    phi = 1 * kept["late"] + kept["short_rate"] + kept["short_compute"]
    weight = np.where(kept["priority"] == 3, 2.0, 1.0)[:, None]
    assert np.allclose(-weight * (kept["cost"] + phi), kept["reward"])
    assert np.array_equal(kept["completed"], ~kept["late"] & ~kept["dropped"]) and kept["completed"].any()


def test_the_chain_starts_with_the_noise_of_the_evaluation_and_ends_with_its_policy():
    settings, agent = small()
    for name in ("actor", "critics"):  # training moves them away from their targets
        for parameter in agent.networks[name].parameters():
            parameter.data.mul_(1.5)
    kept = data.play(settings, agent)
    noise = agent.draw_noise(
        torch.zeros(3, state_dim(settings.world, settings.learner.network)), agent.evaluation_stream()
    )
    assert kept["latents"].shape[1:] == (5, 3, 9)
    assert np.allclose(kept["latents"][0, 0], noise[0])
    assert np.allclose(torch.softmax(torch.as_tensor(kept["latents"][:, -1]), dim=-1), kept["draws"], atol=1e-6)
    assert np.allclose(kept["draws"].mean(axis=1), kept["probability"], atol=1e-6)
    assert np.array_equal(kept["probability"].argmax(axis=1), kept["action"])
    with torch.no_grad():
        values = torch.stack(agent.critics(torch.as_tensor(kept["state"])), dim=1)
    assert np.allclose(kept["values"], values, atol=1e-5)


def test_a_long_chain_is_kept_in_part(monkeypatch):
    """Its first and last latent, and as many draws as fit."""
    settings, agent = small()
    monkeypatch.setattr(inside, "MOST_STEPS", 3)
    monkeypatch.setattr(data, "MOST_LATENTS", 2 * 60 * 3 * 9)
    assert inside.kept_steps(agent).tolist() == [4, 2, 0]
    assert data.kept_draws(agent, settings, 60) == 2
    assert data.kept_draws(agent, settings, 10**6) == 1


def test_a_long_episode_is_kept_in_part(write_page, monkeypatch):
    monkeypatch.setattr(data, "MOST_FLOWS", 20)
    monkeypatch.setattr(page, "MOST_FLOWS", 20)
    text = write_page().read_text()
    assert known(text)["flows"] == len(decode(text)["action"]) == 20 and known(text)["cut"]


def test_no_number_is_clipped_and_a_second_rounding_changes_none():
    """What does not fit in 32 bits stands beside; 0.0004996 is 0.000, though it is 0.000500 with six digits."""
    given = np.array([[1e12, -3e9, np.inf], [0.0004996, 0.0005004, -1.25]])
    shapes, numbers = page.pack({"x": given, "y": np.array([np.nan, 7])}, {"x": 6, "y": 0})
    assert shapes["x"]["beside"] == {0: "1000000000000.0", 1: "-3000000000.0"} and shapes["y"]["beside"] == {0: "nan"}
    found = decode(f'id="about">{json.dumps({"shapes": shapes})}</script>id="numbers">{numbers}</script>')
    assert found["x"].tolist() == [["1000000000000.000", "-3000000000.000", "inf"], ["0.000", "0.001", "-1.250"]]
    assert found["y"].tolist() == ["nan", "7"]


@pytest.mark.parametrize(("agent", "critics"), [("sac", 2), ("dqn", 1), ("ppo", 0)])
def test_another_agent_has_no_chain_and_not_always_critics(write_page, agent, critics):
    numbers = decode(write_page(agent).read_text())
    assert numbers["latents"].shape[1:] == (0, 0, 9) and numbers["draws"].shape[1:] == (0, 9)
    assert numbers["values"].shape[1:] == (critics, 9)


def test_the_load_can_be_given(write_page):
    few, many = (known(write_page("sac", "mlp", "--load", load).read_text()) for load in (1, 3))
    assert "load 1," in few["traffic"] and "load 3," in many["traffic"] and many["flows"] > 2 * few["flows"]


@pytest.mark.slow
def test_an_episode_of_a_thousand_flows_has_at_most_four_megabytes(tmp_path):
    """Untrained chains have the largest latents, and they take the most room."""
    settings = preset_settings("quick", {})
    assert run(write(tmp_path / "run", settings, new_agent(settings))) == 0
    file = tmp_path / "run/decisions.html"
    assert known(file.read_text())["flows"] > 950 and file.stat().st_size < 4e6


def test_every_equation_links_to_the_annotated_paper(write_page):
    path = write_page()
    links = re.findall(r'href="([^"]+annotated_paper.html)(#eq\d+)?"', path.read_text())
    assert [place for _, place in links] == ["", *(f"#eq{number}" for number, *_ in EQUATIONS)]
    assert {path.parent.joinpath(file).resolve() for file, _ in links} == {page.PAPER}


def test_a_way_with_odd_signs_is_a_link(write_page, monkeypatch, tmp_path):
    monkeypatch.setattr(page, "PAPER", tmp_path / "a#b %41?" / "paper.html")
    assert 'href="../a%23b%20%2541%3F/paper.html#eq2"' in write_page().read_text()


NAMES = "<!--<script>", "<!-- numbers -->", "<!-- script -->", "a & b 'q' \"d\" \\1 <b>", "\u202e\u2028"


@pytest.mark.parametrize("name", NAMES)
def test_outside_text_is_data(tmp_path, name):
    """The name of a run or a request log ends no script and is no place of the template."""
    log = tmp_path / f"{name}.csv"
    log.write_text("time,sent,generated\n" + "".join(f"{k},{100 + k},{50 + k}\n" for k in range(60)))
    folder = write(tmp_path / name, *small("sac", trace=str(log), trace_columns="time,sent,generated"))
    assert run(folder) == 0
    text = (folder / "decisions.html").read_text()
    assert known(text)["run"] == name and name in known(text)["traffic"] and decode(text)["action"].size
    assert text.count("<!--") == 0 and text.count("<script") == text.count("</script>") == 3


def test_mistakes_are_one_line_and_change_nothing(tmp_path, capsys):
    folder = write(tmp_path / "run", *small())
    notes = tmp_path / "notes.html"
    notes.write_text("mine")
    for argv, message in (
        ((tmp_path / "none",), "does not exist; give the folder of a run"),
        ((folder, "more"), "more"),
        ((folder, "--load", "0"), "load: 0.0 is not a number from"),
        ((folder, "--load", "much"), "load: 'much' is not a number"),
        ((folder, "--lod", "2"), "did you mean --load?"),
        ((folder, "--output", notes), "notes.html was not written by this program"),
        ((folder, "--output", folder), "was not written by this program"),
        ((folder, "--output", tmp_path / "none/page.html"), "is not a folder"),
    ):
        assert run(*argv) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and message in err, err
    assert notes.read_text() == "mine" and sorted(path.name for path in folder.iterdir()) == ["last.pt"]


def test_a_page_of_ours_is_written_again(write_page):
    assert page.MARK in write_page("sac").read_text()
    assert known(write_page("ppo").read_text())["agent"] == "ppo"


@pytest.fixture
def opened(browser_page, tmp_path):
    """Open the page of given settings and agent."""

    def _opened(settings, agent, name="run", width=1280, scheme="light"):
        folder = write(tmp_path / name, settings, agent)
        assert run(folder) == 0
        browser_page.set_viewport_size({"width": width, "height": 800})
        browser_page.emulate_media(color_scheme=scheme)
        browser_page.goto((folder / "decisions.html").as_uri())
        browser_page.wait_for_selector("#t-act")
        return browser_page

    return _opened


@pytest.fixture
def shown(opened):
    """Show the page of a small agent."""
    return lambda *which, width=1280, scheme="light", **world: opened(*small(*which, **world), "run", width, scheme)


def taught(agent, **world):
    """Return a small agent whose critics ask a price of what an action takes."""
    settings, agent = small(agent, "priced", load=4.0, **world)
    for critic in inside.critics(agent):
        torch.nn.init.constant_(critic.scaled_prices, 2.0 / PRICE_GAIN)
    return settings, agent


def number(text):
    """Read a number as it is printed, behind = or ≈, before s or µs."""
    return Decimal(re.sub(r"[=≈µs\s]", "", text).replace("−", "-").replace("∞", "Infinity"))


def cells(tab):
    """Read the table of two actions: its rows by name, without what stands small below."""
    read = "e => [...e.rows].map(r => [...r.cells].map(c => [...c.childNodes].filter(n => n.nodeName !== 'SMALL')"
    return {name: row for name, *row in tab.eval_on_selector("#pair", read + ".map(n => n.textContent).join('')))")}


def reasons(tab):
    """Read what the page says of every flow, its action beside that of the greedy rule."""
    return tab.evaluate("times.map((_, f) => reason(f, value('action', f), whoChose(f)[2]))")


@pytest.mark.slow
@pytest.mark.parametrize("network", ["mlp", "shared", "priced"])
@pytest.mark.parametrize(("agent", "critics"), [("d2sac", "12"), ("sac", "12"), ("dqn", " "), ("ppo", "")])
def test_two_actions_stand_side_by_side_for_every_agent_and_network(shown, agent, critics, network):
    """That of the agent, and that of the greedy rule or one that is clicked, with all that the critics say."""
    tab, priced = shown(agent, network), network == "priced" and agent != "ppo"
    parts = ("value V{0}", "price p{0}", "p{0} c", "Q{0} = V{0} + r − p{0} c") if priced else ("value Q{0}",)
    values = [name.format(c.strip()) for c in critics for name in parts]
    assert [*cells(tab)] == ["", "Tact, s", "reward r", *["takes c"] * priced, *values, "policy π"]
    assert re.match("(A, .*)?G", cells(tab)[""][-1])
    tab.locator("[data-action='8']").first.click()
    assert "gateway 2, level 2" in cells(tab)[""][-1] and not re.search("NaN|undefined|null", tab.text_content("main"))
    assert (
        ("price p" in tab.inner_text("#pair-words")) == ("crowding in Mbit" in tab.inner_text("#pair-words")) == priced
    )


@pytest.mark.slow
@pytest.mark.parametrize(("agent", "critics"), [("dqn", [""]), ("sac", ["1", "2"])])
def test_it_says_why_a_flow_is_refused(opened, agent, critics):
    """The action of dqn is that of its critic; that of sac is not yet, so its critics may value the other one more."""
    tab = opened(*taught(agent))
    told = reasons(tab)
    refused = [f for f, text in enumerate(told) if text.startswith("Refused")]
    assert refused and "One-step greedy would do the same." in told
    assert any("policy chose otherwise" in text for text in told) == (agent == "sac")
    for f in refused[:3]:
        tab.evaluate(f"choose({f})")
        rate, hold, _, _, *costs, earns = re.findall(r"\d+(?:\.\d+)?", tab.inner_text("#why"))
        assert "dropped" in tab.inner_text(".verdict") and f"{rate} Mbit/s for {hold} s" in tab.inner_text("#pair")
        mine, other = map(number, cells(tab)["reward r"])
        assert abs(other - mine - Decimal(earns)) <= Decimal("0.001")
        for c, cost in zip(critics, costs, strict=True):
            nothing, taken = map(number, cells(tab)[f"p{c} c"])
            assert nothing == 0 and abs(taken - Decimal(cost)) <= Decimal("0.001") and Decimal(cost) >= Decimal(earns)


@pytest.mark.slow
@pytest.mark.parametrize(("agent", "says"), [("sac", "Both critics value|disagree"), ("dqn", "The critic values"),
                                             ("ppo", "ppo has no critic that says more")])  # fmt: skip
def test_without_prices_it_speaks_of_reward_delay_and_value(shown, agent, says):
    told = [text for text in reasons(shown(agent, "shared", load=4.0)) if "Why not" in text]
    assert told and all(re.search(says, text) for text in told) and any(text.startswith("Let go") for text in told)
    assert not any(word in text for text in told for word in ("Refused", "price", "later flows"))


@pytest.mark.slow
def test_what_is_printed_of_a_sum_adds_up(opened):
    """Eqs. 2, 9 and 13 for every flow and action, and the values; a sum that cannot is marked, one in a thousand."""
    tab, signs = opened(*taught("sac", priority1_weight=0.7, priority3_weight=2.0)), ""
    for n in tab.evaluate("times.flatMap((_, f) => row('delay', f).map((_, k) => numbersOf(f, k)))"):
        of = {name: number(n[name]) for name in n if re.search("bare|used|processing|propagation", name)}
        delay = of["transmission_bare"] + of["queueing_bare"] + of["processing"] + of["propagation"] / 10**6
        sums = dict(total=delay, deviation=of["delay_bare"] - of["deadline_bare"],
                    imbalance=of["most_used"] - of["least_used"],
                    cost=of["deviation_bare"] + Decimal("0.5") * of["imbalance_bare"],
                    reward=-Decimal(str(n["weight"])) * (of["cost_bare"] + n["phi"]))  # fmt: skip
        for name, value in sums.items():
            signs += n[name][0]
            assert n[name][0] in "≈>" or abs(value - number(n[name])) < Decimal("0.0005"), (name, n)
            assert n[name][0] != ">" or name == "total" and delay >= 2
    assert signs.count("≈") < len(signs) / 1000 and signs.count(">") > 0
    for f in range(0, 60, 20):
        tab.evaluate(f"choose({f})")
        for c in "12":
            names = f"value V{c}", "reward r", f"p{c} c", f"Q{c} = V{c} + r − p{c} c"
            for value, reward, cost, q in zip(*(map(number, cells(tab)[name]) for name in names), strict=True):
                assert abs(value + reward - cost - q) < Decimal("0.0005")


@pytest.mark.slow
def test_the_weight_of_the_priority_stands_where_the_reward_is(shown):
    tab, weights = shown("sac", priority1_weight=0.7, priority2_weight=1.5, priority3_weight=2.0), ["0.7", "1.5", "2"]
    for f in range(4):
        tab.evaluate(f"choose({f})")
        priority = tab.evaluate("value('priority', chosen)")
        weight = weights[priority - 1]
        assert f"{priority}, weight {weight}\n" in tab.inner_text("#flow")
        assert f"priority {priority}, weight {weight}\n" in tab.inner_text("#pair")
        assert tab.text_content("[data-n=weight]") == weight


SLOWEST = dict(capacity_low_bps=1e-12, capacity_high_bps=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("world", "shows"), [(dict(server_tflops=1e12), "{12}.\\d TFLOP/s"), (SLOWEST, "{17}.000 s")])
def test_very_large_numbers_are_shown(shown, world, shows):
    tab = shown("sac", **world)
    tab.evaluate("choose(30)")
    assert re.search(rf"\d{shows}", tab.text_content("main")) and not re.search(
        "NaN|21474836", tab.text_content("main")
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_any_name_opens(opened, name):
    assert f"({name})" in opened(*small("sac"), name).text_content("#summary")


@pytest.mark.slow
@pytest.mark.parametrize(("width", "before"), [(1280, "gateway "), (390, "")])
def test_the_lanes_of_the_overview_have_labels_and_a_click_meets_its_flow(shown, width, before):
    tab = shown("sac", width=width)
    assert tab.locator("#overview text").all_text_contents() == [f"{before}{g}" for g in range(3)]
    lane, box = tab.locator("#overview .lane").first.bounding_box(), tab.locator("#overview").bounding_box()
    assert lane["x"] > box["x"] + 40
    for x, flow in ((lane["x"] + 0.5, 0), (lane["x"] + lane["width"] - 0.5, tab.evaluate("F - 1"))):
        tab.mouse.click(x, lane["y"] + 5)
        assert tab.inner_text("#which-flow") == f"Flow {flow}"


@pytest.mark.slow
@pytest.mark.parametrize("network", ["mlp", "priced"])
def test_a_click_on_flow_17_shows_its_delay(shown, network):
    """It is the T_act of the simulator, to the last digit; so is that of the other actions, in the equations."""
    tab = shown("d2sac", network)
    settings, agent = small("d2sac", network)
    simulator = Simulator(settings.world, state_of_view=state_of(network))
    observation, policy = simulator.reset(HELD_OUT + 1), agent_policy(agent, settings.run)[1]
    for _ in range(17):
        observation, *_ = simulator.step(policy(simulator.world, simulator.view()))
    every = simulator.outcomes()
    *_, info = simulator.step(policy(simulator.world, simulator.view()))
    tab.locator("[data-flow='17']").click()
    assert tab.inner_text("#which-flow") == "Flow 17"
    assert tab.inner_text("#t-act") == f"{info['delay_s'][0]:.3f}"
    names = ["A d2sac, this agent", "R round robin, level 2", "G one-step greedy", "P prices times load",
             "C price of crowding"]  # fmt: skip
    assert [name.replace("\n", " ") for name in tab.locator("#others button").all_inner_texts()] == names
    for k in (0, 4, 8):
        tab.select_option("#action", str(k))
        assert number(tab.text_content("#equations [data-n=reward]")) == Decimal(f"{every.reward[0, k]:.3f}")
    tab.wait_for_function("location.hash === '#flow=17'")


@pytest.mark.slow
def test_the_keyboard_chooses_a_flow(shown):
    tab = shown("d2sac")
    for key, flow in (("ArrowRight", 1), ("Shift+ArrowRight", 11), ("ArrowLeft", 10)):
        tab.keyboard.press(key)
        assert tab.inner_text("#which-flow") == f"Flow {flow}" and tab.input_value("#slider") == str(flow)
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "inside"
    tab.keyboard.press("Escape")
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.activeElement.id") == "slider" and tab.inner_text("#which-flow") == "Flow 11"


@pytest.mark.slow
def test_the_episode_plays_and_stops(shown):
    tab = shown("d2sac")
    tab.click("#play")
    tab.wait_for_function("document.getElementById('which-flow').textContent === 'Flow 2'")
    tab.click("#play")
    assert tab.get_attribute("#play", "aria-pressed") == "false"
    tab.click("#miss")
    assert tab.locator(".mark.chosen.s0").count() == 0 and tab.locator(".mark.chosen").count() == 1
    tab.evaluate("choose(F - 1)")
    tab.click("#play")  # from the start again
    tab.wait_for_function("chosen === 1")


@pytest.mark.slow
def test_a_noise_draw_shows_its_chain_and_the_mean_all_draws(shown):
    tab = shown("d2sac")
    labels = "() => [...document.querySelectorAll('#figure .row > text:first-child')].map(e => e.textContent)"
    below = ["πmean", "Q", "Tact", "r"]
    squeezed = [re.sub(r"\s", "", label) for label in tab.evaluate(labels)]
    assert squeezed == ["a4", "a3", "a2", "a1", "a0", "πdraw", *below]
    tab.click("#draws label >> nth=0")
    assert [re.sub(r"\s", "", label) for label in tab.evaluate(labels)] == ["π1", "π2", "π3", *below]


@pytest.mark.slow
@pytest.mark.parametrize(("agent", "says"), [("sac", "sac has no diffusion chain"), ("dqn", "of the target network"),
                                             ("ppo", "ppo has no critic")])  # fmt: skip
def test_the_page_says_what_another_agent_has_not(shown, agent, says):
    tab = shown(agent)
    assert says in tab.inner_text("#chain-words") and tab.locator("#draws input").count() == 0
    assert tab.locator("#figure .dot").count() == {"sac": 9, "dqn": 9, "ppo": 0}[agent]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_the_page_is_no_wider_than_the_screen(shown, width, scheme):
    """And every equation has its numbers, also for a flow that is dropped at a gateway without bandwidth."""
    tab = shown("d2sac", "priced", width=width, scheme=scheme, load=4.0)
    tab.click("#miss")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.eval_on_selector(".scroll:has(> #pair)", "e => e.scrollWidth <= e.clientWidth")
    assert tab.locator("#equations li").count() == 13
    assert not re.search("NaN|undefined|null", tab.text_content("main"))
    grounds = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert grounds == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 24, 29)")


@pytest.mark.slow
def test_a_table_that_goes_on_to_the_side_shows_an_arrow(shown):
    tab = shown("d2sac", "priced", width=390)
    box = tab.locator(".scroll:has(> #gateways)")
    assert box.evaluate("e => e.scrollWidth > e.clientWidth")
    style = "e => [getComputedStyle(e).backgroundImage.includes('svg'), parseFloat(getComputedStyle(e).paddingBottom)]"
    assert box.evaluate(style) == [True, 16]
