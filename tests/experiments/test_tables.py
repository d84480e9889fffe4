"""Reading results and making tables and figures of them: pairing, gaps, files that are cut, wrong names, READMEs."""

import itertools
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("pandas", reason="needs the extra `experiments`")

import pandas as pd
from resealed import again

from edgediff.errors import ConfigError
from edgediff.run.process import run_program
from experiments import ROOT
from experiments.analysis import gateways, prose_numbers, reading, score_tables, tables
from experiments.grid.results import sealed, with_digest
from experiments.testbed import cases

pytestmark = pytest.mark.slow

SCORES = dict(completion=0.5, latency_s=0.3)
REWARDS = {"d2sac": {0: -0.1, 1: 0.3, 2: 0.2}, "sac": {0: -0.3, 1: 0.3, 2: 0.3}, "random": {0: -1.0, 1: -1.5, 2: -1.6}}


def write_csv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sealed(rows, {}, "unknown").encode())


def job(agent, seed, reward, loads=(1.0, 2.0), variant=""):
    """Return the rows of one result, in the order of a job's phases."""
    who = dict(variant=variant or agent, agent=agent, seed=seed, traffic="Poisson", **SCORES)
    frozen = [dict(phase="frozen", load=x, flows=400, gradient_steps=40, reward=reward * x, **who) for x in loads]
    if agent == "random":
        return frozen
    curves = [("training", range(1, 41), 1), ("held-out", (0, 20, 40), 2)]
    return [dict(phase=phase, load=1.0, flows=10 * k, gradient_steps=k, reward=scale * k, **who)
            for phase, points, scale in curves for k in points] + frozen  # fmt: skip


@pytest.fixture
def results(tmp_path):
    """A folder with a grid of three agents; random has no result at load 2."""
    reading.read.cache_clear()
    for agent, rewards in REWARDS.items():
        for seed, reward in rewards.items():
            loads = (1.0,) if agent == "random" else (1.0, 2.0)
            write_csv(tmp_path / f"some/{agent}-{seed}.csv", job(agent, seed, reward, loads))
    yield tmp_path
    reading.read.cache_clear()


def printed(capsys, results, *words):
    assert tables.main([*words, "--results", str(results)]) == 0
    return capsys.readouterr().out.splitlines()


def test_seeds_are_paired(results, capsys):
    """d2sac - sac: 0.2, 0.0, -0.1 by seed, so (1 + 0.5) / 3; pairs across seeds would give (1 + 1 + 0.5 + 1) / 9."""
    column = score_tables.columns_of(reading.read("some", results), ["reward"], ["1"])["reward, load 1"]
    assert np.allclose(score_tables.paired(column, "d2sac", "sac"), [0.2, 0.0, -0.1])
    lines = printed(capsys, results, "some", "reward", "1")
    assert "| sac | +0.033 [-0.100, +0.200] 0.50 |" in lines
    assert "| random | +1.500 [+0.900, +1.800] 1.00 |" in lines


def test_rows_may_be_chosen(results, capsys):
    """By agent, or by the short name of a rule; without d2sac there are no differences from it."""
    rows = [line.split(" | ")[0] for line in printed(capsys, results, "some", "reward", "1", "sac,random")]
    assert rows == ["| scheduler", "|---|---|---|", "| sac", "| random"]
    assert "| sac | +0.033 [-0.100, +0.200] 0.50 |" in printed(capsys, results, "some", "reward", "1", "sac,d2sac")


def test_differences_are_from_the_first_variant_of_d2sac(results):
    for agent in ("d2sac", "sac"):
        write_csv(results / f"more/{agent}-x-0.csv", job(agent, 0, REWARDS[agent][0], variant="x"))
        write_csv(results / f"more/{agent}-x-1.csv", job(agent, 1, REWARDS[agent][1], variant="x"))
    lines = tables.made("differences more reward 1", results).splitlines()
    assert lines[2:] == ["| sac, x | +0.100 [+0.000, +0.200] 0.75 |"]


def test_paired_takes_the_seeds_that_both_have():
    """Ours has the seeds 2, 0, 1, theirs 1, 2, 3: of seed 1, 10 - 1; of seed 2, 20 - 2."""
    values = {("a", 2): 20.0, ("a", 0): 5.0, ("a", 1): 10.0, ("b", 1): 1.0, ("b", 2): 2.0, ("b", 3): 3.0}
    column = pd.Series(values).rename_axis(["variant", "seed"])
    assert sorted(score_tables.paired(column, "a", "b")) == [9.0, 18.0]


def test_all_columns_asked_for_are_printed(results, capsys):
    lines = printed(capsys, results, "some", "area,reward,latency_s")
    wanted = ["area", "reward, load 1", "reward, load 2", "latency s, load 1", "latency s, load 2"]
    assert lines[0] == f"| scheduler | seeds | {' | '.join(wanted)} |"
    (random,) = [line for line in lines if line.startswith("| random | 3")]
    assert random == "| random | 3 | - | -1.367 [-1.600, -1.000] | - | 0.300 [0.300, 0.300] | - |"


def test_points_of_the_curve_are_columns(results, capsys):
    """The curve is 0, 40, 80 at 0, 200 and 400 flows."""
    lines = printed(capsys, results, "some", "reward@200,area,late_area")
    assert "| sac | 3 | 40.000 [40.000, 40.000] | 40.000 [40.000, 40.000] | 60.000 [60.000, 60.000] |" in lines


def test_several_grids_make_one_table(results, capsys):
    """Only seeds that both have count; what only the second has gets its agent's name, what both have its grid's."""
    for seed in (1, 2, 7):
        write_csv(results / f"other/sac-{seed}.csv", job("sac", seed, 0.5))
        write_csv(results / f"other/sac-n___1-{seed}.csv", job("sac", seed, -0.5, variant="n = 1"))
    lines = printed(capsys, results, "some,other", "reward", "1")
    assert "| sac | 2 | 0.300 [0.300, 0.300] |" in lines
    assert "| sac of other | 2 | 0.500 [0.500, 0.500] |" in lines
    assert "| sac, n = 1 | 2 | -0.500 [-0.500, -0.500] |" in lines


def test_rows_are_agents_with_their_variants_others_and_rules_in_the_order_of_numbers():
    names = ["N = 10", "sac", "N = 2", "random", "d2sac", "lambda", "d2sac, n = 10", "d2sac, n = 9", "sac of headline"]
    index = pd.MultiIndex.from_product([names, [0.0]], names=["variant", "seed"])
    columns = {"x": pd.Series(0.0, index)}
    others = ["lambda", "N = 2", "N = 10", "sac of headline"]
    assert [*score_tables.names_of(columns)] == ["d2sac", "d2sac, n = 9", "d2sac, n = 10", "sac", *others, "random"]
    assert [*score_tables.names_of(columns, ["d2sac", "random"])] == [
        "d2sac",
        "d2sac, n = 9",
        "d2sac, n = 10",
        "random",
    ]


WRONG = {
    "grid: no CSV in ": "other reward 1",
    "there are results of some": "other reward 1",
    "metric: speed is not one of area, late_area, reward@N, completion": "some speed 1",
    "metric: reward@7: no held-out curve has this point; there are [0, 200, 400]": "some reward@7",
    "load: 7 is not in the results; there are 1, 2": "some reward 1,7",
    "load: x is not in the results": "some reward x",
    "rows: a3c is not in the results; there are d2sac, random, sac": "some reward 1 d2sac,a3c",
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_not_there_is_one_line(message, results, refused):
    refused(tables, message, *WRONG[message].split(), "--results", results)
    readme = results / "README.md"
    readme.write_text(f"<!-- table {WRONG[message]} -->\n<!-- end -->\n")
    for action in ("--check", "--write"):
        refused(tables, f"{readme}: table {WRONG[message]}: ", action, readme, "--results", results)


@pytest.mark.parametrize("text, message", [
    ("<!-- table nowhere -->\n<!-- end -->\n", "no table nowhere; there are run, front, "),
    ("<!-- table some reward 1 -->\n", "table some reward 1: there is no <!-- end -->"),
    ("<!-- table some reward 1 -->\n<!-- table some reward 2 -->\n<!-- end -->\n", "1: there is no <!-- end -->"),
    ("<!-- table some reward 1 d2sac 2 -->\n<!-- end -->\n", "a marker names grids, metrics, perhaps loads and rows"),
])  # fmt: skip
def test_a_wrong_marker_is_one_line(text, message, results, refused):
    (results / "README.md").write_text(text)
    refused(tables, message, "--write", results / "README.md", "--results", results)
    refused(tables, "cannot be read", "--check", results / "none.md", "--results", results)


def test_a_table_is_written_and_a_changed_digit_found(results, call):
    readme = results / "README.md"
    block = "<!-- {} some reward 1 -->\n<!-- end -->\n"
    readme.write_text(
        "Before.\n\n" + block.format("table") + "\nBetween 1.234.\n" + block.format("differences") + "After."
    )
    argv = readme, "--results", results
    status, _, err = call(tables, "--check", *argv)
    assert status == 1 and err.count("\n") == 2 and f"tables: {readme}: differences some reward 1: differs" in err
    assert call(tables, "--write", *argv) == (0, "", "")
    text = readme.read_text()
    assert call(tables, "--check", *argv) == (0, "", "")
    assert "| d2sac | 3 | 0.133 [-0.100, 0.300] |\n" in text and "| sac | +0.033 [-0.100, +0.200] 0.50 |\n" in text
    assert (
        re.sub(r"\|.*\n", "", text)
        == "Before.\n\n" + block.format("table") + "\nBetween 1.234.\n" + block.format("differences") + "After."
    )
    readme.write_text(text.replace("0.133", "0.134"))
    status, _, err = call(tables, "--check", *argv)
    assert status == 1 and err.count("\n") == 1 and f"{readme}: table some reward 1: differs from the results" in err
    assert call(tables, "--write", *argv)[0] == 0 and readme.read_text() == text


@pytest.fixture
def more(results):
    """Beside the grid some: one of a variant, one of two kinds of traffic, and two seeds on the testbed."""
    write_csv(results / "ablated/d2sac-no_L_d-0.csv", job("d2sac", 0, 0.5, variant="no L_d"))
    rows = [
        row | dict(traffic=name) for name, reward in (("Poisson", 0.5), ("x", 0.25)) for row in job("random", 0, reward)
    ]
    write_csv(results / "logs/random-0.csv", rows)
    runs = [("fifo", name, 2, seed, x) for name, x in (("agent", 0.75), ("greedy", 0.25)) for seed in (0, 1)]
    lines = [[*run[:4], 1, run[4] + run[3] / 10, *[0] * (len(cases.COLUMNS) - 6)] for run in runs]
    (results / "testbed").mkdir()
    (results / "testbed/runs.csv").write_text("".join(",".join(map(str, x)) + "\n" for x in (cases.COLUMNS, *lines)))
    return results


NUMBERS = {  # rewards of d2sac are -0.1, 0.3, 0.2, those of sac -0.3, 0.3, 0.3; at load 2 twice as much
    ("mean some reward 1 d2sac", "0 %"): "13 %",
    ("mean some reward 2 d2sac", "0.00"): "0.27",
    ("min some reward 1 d2sac", ".000"): "-.100",
    ("max some reward 1 sac", "+.0"): "+.3",
    ("median some reward 1 d2sac", "0 ms"): "200 ms",
    ("mean some reward 1 d2sac sac", "-9 points"): "3 points",
    ("above some reward 1 d2sac sac", ""): "1 of 3",
    ("above some reward 1 d2sac random", "none"): "3 of 3",
    ("iqm some,ablated latency_s 1 sac", "0.0%"): "30.0%",
    ('iqm ablated reward 1 "no L_d"', "0.0 of 1"): "0.5 of 1",
    ("mean logs reward x 1 random", "0.00"): "0.25",
    ("mean testbed completion fifo 2 agent", ".000"): ".800",
    ("max testbed completion fifo 2 agent greedy", "+0.0"): "+0.5",
}


@pytest.mark.parametrize("marker, shown", NUMBERS)
def test_a_number_is_printed_as_the_one_that_stands_there(marker, shown, more):
    assert prose_numbers.number(marker, shown, more) == NUMBERS[marker, shown]


@pytest.mark.parametrize("marker, message", [
    ("mode some reward 1 sac", "a number has one of iqm, mean, median, min, max, above, then"),
    ("mean", "a number has one of iqm"),
    ("mean some reward 1", "some needs load, variant"),
    ("mean some reward 1 sac d2sac random", "some needs load, variant"),
    ("above some reward 1 sac", "some needs load, variant"),
    ("mean logs reward 1 random", "logs needs traffic, load, variant"),
    ("mean other reward 1 sac", "grid: no CSV in "),
    ("mean some seed 1 sac", "metric: seed is not one of "),
    ("mean some reward 7 sac", "load: 7 is not in the results; there are 1, 2"),
    ("mean some reward 1 a3c", "variant: a3c is not in the results; there are d2sac, random, sac"),
    ("mean some reward 2 random", "variant: random is not in the results; there are d2sac, sac"),
    ("mean some dropped 1 sac", "metric: dropped is missing on a seed of sac"),
    ("mean testbed completion unpaced 2 agent", "setting: unpaced is not in the results; there are fifo"),
    ("mean some reward 1 sac", "'many' does not say how to print the number"),
])  # fmt: skip
def test_a_wrong_number_is_one_line(marker, message, more, refused):
    readme = more / "README.md"
    readme.write_text(f"There are <!-- {marker} -->many<!-- -->.\n")
    for action in ("--check", "--write"):
        refused(tables, f"{readme}: {marker}: {message}", action, readme, "--results", more)


@pytest.mark.parametrize("text, marker", [
    ("It is <!-- mean x --> 3.", "mean x"),
    ("It is <!-- mean x -->3\n<!-- -->.", "mean x"),
    ("It is <!-- mean x -->3 <!-- mean y -->4<!-- -->.", "mean x"),
    ("It is 3<!-- -->.", ""),
    ("It is <!-- mean x", "mean x"),
    ("<!-- mean x -->3<!-- --> of them", "mean x"),
    ("- <!-- mean x -->3<!-- --> of them", "mean x"),
    ("12. <!-- mean x -->3<!-- --> of them", "mean x"),
    ("<!-- tabel some reward 1 -->\n<!-- end -->\n", "tabel some reward 1"),
])  # fmt: skip
def test_a_number_stands_within_a_line(text, marker, results, refused):
    (results / "README.md").write_text(text)
    refused(tables, f"README.md: {marker}: a number stands between", "--check", results / "README.md")


def test_a_number_is_written_in_a_sentence_and_in_a_cell(results, call):
    """The file stays as it is around them; a table between them keeps its own marker."""
    readme = results / "README.md"
    one, cell = "<!-- mean some reward 1 d2sac -->0 %<!-- -->", "<!-- max some reward 1 sac -->.0<!-- -->"
    block = "<!-- table some reward 1 sac -->\n<!-- end -->\n"
    before = f"So {one}, and {one}.\n\n{block}\n| x | {cell} | {one} |\n| {cell} |\n"
    readme.write_text(before)
    argv = readme, "--results", results
    status, _, err = call(tables, "--check", *argv)
    assert status == 1 and err.count("\n") == 6 and f"{readme}: max some reward 1 sac: differs from the results" in err
    assert call(tables, "--write", *argv) == (0, "", "")
    after = readme.read_text()
    assert call(tables, "--check", *argv) == (0, "", "")
    assert re.sub(r"\| (sac|sch|---).*\n|\|---.*\n", "", after) == before.replace("0 %", "13 %").replace(".0<", ".3<")


def test_the_tables_of_all_readmes_are_up_to_date():
    """Also when there is one more agent, which no table has."""
    code = (
        "from edgediff.learner.agents import AGENTS; AGENTS['reinforce'] = AGENTS['ppo']\n"
        "from experiments.analysis import tables; raise SystemExit(tables.main(['--check']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert sum(len(tables.blocks(tables.Path(path))) for path in tables.READMES) > 20


def test_every_table_of_results_has_a_marker():
    """Outside the markers no row of a table has a number with three decimals."""
    for path in map(tables.Path, tables.READMES):
        outside = prose_numbers.NUMBER.sub("", tables.BLOCK.sub("", path.read_text()))
        rows = [line for line in outside.splitlines() if line.startswith("|") and re.search(r"\d\.\d{3}", line)]
        assert rows == [], path


CUT = "is cut, or was changed: its last line is not the SHA-256"


@pytest.mark.parametrize("damage, message", [
    (lambda text: "", CUT),
    (lambda text: text[:-4], CUT),
    (lambda text: text.replace(",0.5,", ",0.6,"), CUT),
    (lambda text: text.replace(",0.5,", ",half,"), CUT),
    (lambda text: "".join(text.splitlines(keepends=True)[:-1]), CUT),
    (lambda text: "".join(text.splitlines(keepends=True)[:20]), CUT),
    (lambda text: with_digest("a,b\n1,2\n# made by code 0 with {}\n"), "is cut, or no result of this kind: its"),
    (lambda text: sealed([], {}, ""), "is cut, or no result of this kind"),
    (lambda text: again(text, ",0.5,", ",half,"), "could not convert string to float"),
    (lambda text: again(text, ",d2sac,1,", ",d2sac,5,"), "holds the result of another job: d2sac, d2sac, seed 5"),
    (lambda text: again(text, ",d2sac,1,", ",sac,1,"), "holds the result of another job: sac, d2sac, seed 1"),
    (lambda text: again(text, ",d2sac,1,", ",d2sac,2,", 1), "holds the result of another job: d2sac, d2sac, seed 2"),
])  # fmt: skip
def test_a_file_that_is_no_whole_result_is_named(damage, message, results, refused):
    path = results / "some/d2sac-1.csv"
    path.write_bytes(damage(path.read_bytes().decode()).encode())
    refused(tables, f"{path}: {message}", "some", "reward", "1", "--results", results)


def test_a_binary_file_is_named(results, refused):
    (results / "some/d2sac-1.csv").write_bytes(bytes(range(256)))
    refused(tables, "some/d2sac-1.csv: ", "some", "--results", results)


def test_a_missing_score_stays_missing(results, capsys):
    """A score that a CSV leaves empty is NaN, and so is its mean; it is not cut off as the highest."""
    rows = job("d2sac", 1, 0.3)
    write_csv(results / "some/d2sac-1.csv", [row | dict(latency_s="") for row in rows])
    assert "| d2sac | 3 | nan [nan, nan] |" in printed(capsys, results, "some", "latency_s", "1")


def test_curves_by_agent(results):
    """Forty training rows make twenty windows of two; held-out rows stay as they are."""
    rows = reading.read("some", results)
    curves = reading.by_agent(rows, "training", "gradient_steps", "reward")
    x, values = curves["d2sac"]
    assert [*curves] == ["d2sac", "sac"] and values.shape == (3, 20)
    assert x[:2].tolist() == [2, 4] and values[0, :2].tolist() == [1.5, 3.5]
    held_out = reading.by_agent(rows, "held-out", "gradient_steps", "reward")
    assert [*held_out] == ["d2sac", "sac"]
    for x, values in held_out.values():
        assert x.tolist() == [0, 20, 40] and values[1].tolist() == [0, 40, 80]


def test_a_seed_that_lacks_a_point_is_in_no_curve(results):
    rows = job("sac", 1, 0.3)
    write_csv(results / "some/sac-1.csv", [row for row in rows if (row["phase"], row["flows"]) != ("held-out", 200)])
    curves = reading.by_agent(reading.read("some", results), "held-out", "flows", "reward")
    assert [len(values) for _, values in curves.values()] == [3, 2]


def held_out(points, variant="d2sac", seed=3.0):
    rows = [dict(phase="held-out", variant=variant, seed=seed, flows=flows, reward=reward) for flows, reward in points]
    return pd.DataFrame([*rows, dict(phase="training", variant=variant, seed=seed, flows=50.0, reward=9.0)])


def test_the_area_under_a_curve_by_hand():
    """Reward -2, -1, 0 at 0, 100 and 400 flows: (150 + 150) / 400 below zero; from 100 on, 150 / 300."""
    rows = held_out([(400.0, 0.0), (0.0, -2.0), (100.0, -1.0)])
    assert reading.areas(rows).to_dict() == {("d2sac", 3.0): -0.75}
    assert reading.areas(rows, start=1).to_dict() == {("d2sac", 3.0): -0.5}


def test_steps_to_a_share_of_the_way():
    """From -2 to 0 (the mean of the last two of eight points): -0.1 is 95 % of the way, first reached at step 40."""
    steps = np.arange(0, 80, 10.0)
    curve = pd.Series([-2.0, -1.0, -0.5, -0.2, -0.1, -0.3, 0.1, -0.1], steps)
    assert reading.steps_to(0.95, curve) == 40
    assert reading.steps_to(0.5, curve) == 10
    assert reading.steps_to(0.95, -curve) == 70  # a curve that falls makes its way back from its lowest point
    assert reading.steps_to(0.95, pd.Series(-steps, steps)) == 70  # one that only falls learned nothing before its end
    fallen = pd.Series([-0.05, *curve.iloc[:-1]], steps)  # a good start that training first spoils does not count
    assert reading.steps_to(0.95, fallen) == 50


@pytest.mark.parametrize("with_range", [False, True])
def test_the_figures_are_drawn_beside_their_results(with_range, results, call):
    pytest.importorskip("matplotlib")
    from experiments.analysis import figures

    if with_range:
        shutil.copytree(results / "some", results / "some_range")
    committed = {path: path.stat().st_mtime_ns for path in reading.RESULTS.glob("*.png")}
    status, _, err = call(figures, "some", "--results", results)
    assert status == 0, err
    assert sorted(path.name for path in results.glob("*.png")) == ["figure4.png", "figure5.png", "figure6.png"]
    assert committed == {path: path.stat().st_mtime_ns for path in reading.RESULTS.glob("*.png")}


def test_the_names_of_rules_stand_apart_and_in_the_order_of_their_lines():
    pytest.importorskip("matplotlib")
    from matplotlib.text import Text

    from experiments.analysis import lines
    from experiments.pictures.drawing import plt

    axes = plt.figure(figsize=(4, 3)).add_subplot(ylim=(0, 1))
    ends = dict(zip(lines.DASHES, (0.7, 0.4, 0.41, 0.42), strict=True))
    lines.draw_levels(axes, ends)
    lines.name_rules(axes)
    axes.figure.canvas.draw()
    boxes = [(text.xyann[1], text.get_text(), Text.get_window_extent(text)) for text in axes.texts]
    names = [name.replace("\n", " ") for _, name, _ in sorted(boxes, key=lambda each: each[0])]
    assert names == [name.replace(" (knows the model)", "") for name in sorted(ends, key=ends.get)]
    for (_, _, below), (_, _, above) in itertools.pairwise(sorted(boxes, key=lambda each: each[0])):
        assert below.y1 <= above.y0 + 1
    plt.close()


@pytest.fixture
def sizes(tmp_path):
    """Results and times with 4 and 8 gateways."""
    reading.read.cache_clear()
    for agent, reward in (("d2sac", -0.5), ("sac", -0.4)):
        for seed in (0, 1):
            rows = job(agent, seed, reward, (1.0,), "4 gateways")
            points = [
                rows[0] | dict(phase="held-out", flows=k, reward=min(reward, k / 10 - 3)) for k in range(0, 41, 10)
            ]
            write_csv(tmp_path / f"gateways/{agent}-4_gateways-{seed}.csv", points + rows[-1:])
            if agent == "sac":
                usual = [row | dict(variant="sac", reward=row["reward"] - 0.3) for row in points + rows[-1:]]
                write_csv(tmp_path / f"headline/sac-{seed}.csv", [*usual, usual[-1] | dict(load=2.0, reward=-9)])
                write_csv(tmp_path / f"headline/random-{seed}.csv", job("random", seed, -1.0))
    times = ["d2sac,4,10,1,9,9,9,9", "d2sac,4,10,8,0.6,1,1,41", "sac,4,,1,0.1,1,1,10", "sac,8,,1,0.2,1,1,11"]
    times = [f"paper,{line}" for line in times] + ["deploy,sac,8,,1,7,7,7,7"]
    (tmp_path / "latency.csv").write_text("\n".join([",".join(gateways.TIMES), *times]) + "\n")
    yield tmp_path
    reading.read.cache_clear()


def test_the_table_of_gateways(sizes):
    lines = gateways.table(sizes).splitlines()
    assert "| 4 | 12 | d2sac | 2 | 0.500 [0.500, 0.500] | -0.500 [-0.500, -0.500] | 30 | 0.6 | 41 |" in lines
    assert "| 8 | 24 | sac | 2 | 0.500 [0.500, 0.500] | -0.700 [-0.700, -0.700] | 30 | 0.2 | 11 |" in lines
    assert len(lines) == 5


def test_the_figure_of_gateways_is_drawn_beside_its_results(sizes, call):
    pytest.importorskip("matplotlib")
    assert call(gateways, "--results", sizes)[0] == 0 and (sizes / "gateways.png").exists()


def test_the_figure_of_deploy_is_drawn_beside_its_results(tmp_path, call):
    pytest.importorskip("matplotlib")
    from experiments.analysis import deployed

    reading.read.cache_clear()
    for agent in ("d2sac", "sac"):
        write_csv(tmp_path / f"deploy/{agent}-0.csv", job(agent, 0, -0.2))
    for rule in deployed.SHOWN_RULES:
        rows = [row for row in job("random", 0, -0.5)]
        name = re.sub(r"[^a-zA-Z0-9.-]", "_", f"{rule}-0")
        write_csv(tmp_path / f"deploy/{name}.csv", [row | dict(agent=rule, variant=rule) for row in rows])
    assert call(deployed, "--results", tmp_path)[0] == 0 and (tmp_path / "deploy.png").exists()


def test_read_times_takes_those_of_the_project_where_a_folder_has_none(tmp_path, sizes):
    assert len(gateways.read_times(sizes, "deploy")) == 1
    assert len(gateways.read_times(tmp_path / "none", "paper")) > 20


def test_read_csv_names_other_columns(tmp_path):
    path = tmp_path / "latency.csv"
    path.write_text("agent,ms\nsac,1\n")
    with pytest.raises(ConfigError, match="latency.csv: is cut, or no result of this kind"):
        reading.read_csv(path, gateways.TIMES, ("agent",))


def test_write_and_check_are_not_taken_together(capsys):
    assert run_program("tables", tables.main, ["--write", "--check"]) == 2
    assert capsys.readouterr().err == "tables: write: cannot be given together with --check\n"


def test_a_file_that_cannot_be_written_is_one_line(results, capsys, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", "figure4.png")

    monkeypatch.setattr(tables, "made", refuse)
    assert run_program("tables", tables.main, ["some", "--results", str(results)]) == 2
    assert capsys.readouterr().err == "tables: figure4.png: Permission denied\n"
