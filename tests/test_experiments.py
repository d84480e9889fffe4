"""The grid runner: a whole small grid, continuing, failing, refusing."""

import csv
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgediff.commandline import guard

ROOT = Path(__file__).parents[1]
SMOKE = json.loads((ROOT / "experiments/specs/smoke.json").read_text())


def run(tmp_path, spec, *flags, launcher=()):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec))
    script = [*(launcher or [sys.executable]), str(ROOT / "experiments/run.py")]
    command = [*script, str(path), "--results", str(tmp_path / "results"), *flags]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)


def test_the_smoke_grid_continues_where_it_was_left(tmp_path):
    done = run(tmp_path, SMOKE)
    folder = tmp_path / "results/smoke"
    assert done.returncode == 0 and "6 of 6 jobs" in done.stdout
    names = sorted(path.stem for path in folder.glob("*.csv"))
    assert names == ["d2sac-0", "dqn-0", "oracle-0", "ppo-0", "round_robin__level_2-0", "sac-0"]
    rows = list(csv.DictReader((folder / "d2sac-0.csv").open()))
    assert [r["phase"] for r in rows] == ["training"] * 4 + ["frozen"] * 2
    assert [r["flows"] for r in rows[:4]] == ["200", "400", "600", "800"] and rows[3]["gradient_steps"] == "20"
    assert [float(r["load"]) for r in rows[4:]] == [1.0, 2.0] and all(0 <= float(r["completion"]) <= 1 for r in rows)

    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.csv")}
    content = (folder / "ppo-0.csv").read_text()
    (folder / "ppo-0.csv").unlink()  # as if the runner had been killed before this one
    assert run(tmp_path, SMOKE).returncode == 0
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.csv")}
    assert {name for name in before if before[name] != after[name]} == {"ppo-0.csv"}
    assert (folder / "ppo-0.csv").read_text() == content  # and it repeats exactly

    changed = run(tmp_path, SMOKE | {"learner": SMOKE["learner"] | {"gamma": 0.9}})
    assert changed.returncode == 2 and changed.stderr.count("\n") == 1
    assert "belongs to another version of this spec or of its settings" in changed.stderr
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.csv")} == after


def test_a_failed_job_is_named_and_takes_nothing_down(tmp_path):
    trace = tmp_path / "bad.csv"
    trace.write_text("nonsense\n")
    spec = SMOKE | {"agents": ["ppo", "random"], "variants": {"good": {}, "bad": {"trace": str(trace)}}}
    done = run(tmp_path, spec)
    assert done.returncode == 1 and "failed: ppo-bad-0: " in done.stdout and "bad.csv" in done.stdout
    names = sorted(path.stem for path in (tmp_path / "results/smoke").glob("*.csv"))
    assert names == ["ppo-good-0", "random-0"]


def test_ranks_split_the_grid_and_rank_0_gathers(tmp_path):
    spec = SMOKE | {"agents": ["random", "most available", "smallest wait"]}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = run(tmp_path, spec, "--workers", "1", launcher=launcher)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("3 of 3 jobs") == 1
    assert len(list((tmp_path / "results/smoke").glob("*.csv"))) == 3


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(agents=["d2sac", "a3c"]), "agents: 'a3c' is not one of d2sac, sac"),
        (dict(seeds=[]), "seeds: empty"),
        (dict(seeds=[-1]), "seeds: [-1]"),
        (dict(colour="red"), "colour: unknown"),
        (dict(episodes="many"), "episodes: unknown, missing or of the wrong kind"),
        (dict(preset="huge"), "preset: 'huge'"),
        (dict(name="../up"), "name: '../up'"),
        (dict(learner={"gamma": 2.0}), "gamma: 2.0 is not a number from 0 to 1"),
        (dict(learner={"gama": 0.9}), "unexpected keyword argument 'gama'"),
        (dict(evaluate=[{"load": -1.0}]), "load: -1.0"),
        (dict(evaluate=[{"mode": "best"}]), "mode: 'best' is not one of argmax, mean, sample"),
        (dict(evaluate=[{"mode": "mean", "eval_draws": 0}]), "eval_draws: 0 is not"),
    ],
)
def test_bad_specs_are_one_line_and_status_2(refusal, tmp_path, change, message):
    (tmp_path / "spec.json").write_text(json.dumps(SMOKE | change))
    assert message in refusal(tmp_path / "spec.json")


def test_an_unreadable_spec_is_one_line(refusal, tmp_path):
    (tmp_path / "x.json").write_text("{")
    for name in ("x.json", "none.json"):
        assert name in refusal(tmp_path / name)


@pytest.fixture
def refusal(tmp_path, monkeypatch, capsys):
    """Run the runner's main in this process; return the one line with which it refuses a spec."""
    monkeypatch.syspath_prepend(ROOT / "experiments")
    runner = importlib.import_module("run")

    def _refusal(path):
        assert guard("run", runner.main, [str(path), "--results", str(tmp_path / "results")]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and not (tmp_path / "results").exists()
        return err

    return _refusal
