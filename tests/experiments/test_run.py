"""The grid runner: a small grid as a whole, its jobs one by one, continuing, failing, stopping, refusing."""

import csv
import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edgediff.config import RunConfig
from edgediff.run.commandline import run_program
from edgediff.train import train
from edgediff.world.rollout import SCORES
from experiments.grid import __main__ as runner
from experiments.grid import job as jobs
from experiments.grid import spec as specs

ROOT = Path(__file__).parents[2]
SMOKE = json.loads((ROOT / "experiments/grid/specs/smoke.json").read_text())
TINY = SMOKE | {"agents": ["d2sac"], "episodes": 1, "evaluate": [{"load": 1.0}]}
TINY["settings"] = SMOKE["settings"] | {"epochs": 2, "eval_every": 1}
RULES = SMOKE | {"agents": ["most available", "random", "smallest wait"]}

# Stands for job.py: what it does depends on the seed. No torch, so that a grid takes no time.
STUB = """
import json, os, signal, sys, time
from pathlib import Path
seed, output = json.load(sys.stdin)["seed"], Path(sys.argv[1])
if seed == 1:
    sys.exit("something is wrong\\nthe trace is bad")
if seed == 2:
    print("  1%|##   | 1/100 epochs", end="", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
if seed == 3:
    Path(os.environ["STUB_PID"]).write_text(str(os.getpid()))
    time.sleep(600)
assert os.environ["OMP_NUM_THREADS"] == "1"
output.write_text(f"{os.getpid()}")
"""


@pytest.fixture
def grid(tmp_path, capsys):
    """Run the runner's main in this process; return status, stdout and stderr."""

    def _grid(spec, *flags):
        path = tmp_path / "spec.json"
        path.write_text(spec if isinstance(spec, str) else json.dumps(spec))
        status = run_program("run", runner.main, [str(path), "--results", str(tmp_path / "results"), *flags])
        return status, *capsys.readouterr()

    return _grid


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """Put STUB in the place of job.py; return the folder of results."""
    (tmp_path / "job.py").write_text(STUB)
    monkeypatch.setattr(runner, "HERE", tmp_path)
    monkeypatch.setenv("STUB_PID", str(tmp_path / "pid"))
    return tmp_path / "results/smoke"


def table(path) -> list[dict]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_small_grid_from_the_spec_to_the_files(grid, tmp_path):
    """The jobs as they are: one that learns, one that does not, each in a process of its own."""
    status, out, _ = grid(TINY | {"agents": ["d2sac", "random"]})
    folder = tmp_path / "results/smoke"
    assert status == 0 and out == f"2 of 2 jobs are in {folder}\n"
    assert sorted(os.listdir(folder)) == ["d2sac-0.csv", "random-0.csv", "spec.json"]
    (row,) = table(folder / "random-0.csv")
    assert row["phase"] == "frozen" and row["flows"] == "0" and 0 <= float(row["completion"]) <= 1
    (name, job) = next(iter(specs.jobs_of(specs.OPTIONAL | TINY).items()))
    assert name == "d2sac-0"
    written = [{key: str(value) for key, value in row.items()} for row in jobs.run_job(job)]
    assert [{key: value for key, value in row.items() if value} for row in table(folder / "d2sac-0.csv")] == written


def jobs_of(**changes) -> list[dict]:
    """Return the jobs of a changed TINY."""
    return list(specs.jobs_of(specs.OPTIONAL | TINY | changes).values())


def test_rows_of_a_job_are_those_of_the_run_itself(tmp_path):
    """Both curves, to six digits, are what `train` writes; the bits of d2sac are the same by both ways."""
    rows = jobs.run_job(jobs_of()[0])
    settings = specs.settings_of(jobs_of()[0])
    train(settings, tmp_path)
    for phase, file, columns in (("training", "train.csv", jobs.TRAINING), ("held-out", "evaluation.csv", SCORES)):
        mine, theirs = [row for row in rows if row["phase"] == phase], table(tmp_path / file)
        assert len(mine) == len(theirs) == (2 if phase == "training" else 3)
        for one, other in zip(mine, theirs):
            assert (one["flows"], one["gradient_steps"]) == (other["transitions"], other["gradient_steps"])
            assert all(one[name] == f"{float(other[name]):.6g}" for name in columns)
    (last,) = [row for row in rows if row["phase"] == "frozen"]
    assert (last["flows"], last["gradient_steps"], last["traffic"], last["load"]) == ("400", "10", "Poisson", 1.0)


def test_a_variant_of_the_class_is_used_in_its_job():
    """Eq. (21) as printed gives other numbers."""
    plain, printed = jobs_of(variants={"plain": {}, "printed": {"class": "PrintedEq21"}})
    rows = {job["variant"]: jobs.run_job(job) for job in (plain, printed)}
    assert [row["variant"] for row in rows["printed"]] == ["printed"] * 6
    one, other = ([row["reward"] for row in rows[name]] for name in ("plain", "printed"))
    assert one != other


def test_modes_are_scored_where_they_exist_and_once():
    evaluate = [{"load": 1.0}, {"load": 1.0, "mode": "mean"}, {"load": 1.0, "mode": "argmax"},
                {"load": 1.0, "mode": "mean", "eval_draws": 2}]  # fmt: skip
    given = jobs_of(evaluate=evaluate, agents=["d2sac", "sac", "random"])
    found = [[row["variant"] for row in jobs.run_job(job) if row["phase"] == "frozen"] for job in given]
    assert found == [["d2sac", "d2sac, mode argmax", "d2sac, mode mean, eval_draws 2"], ["sac"], ["random"]]


def test_every_seed_has_traffic_of_its_own():
    first, other = (jobs.run_job(job)[0]["reward"] for job in jobs_of(agents=["most available"], seeds=[0, 1]))
    assert first != other


def test_continues_where_it_was_left(grid, stub):
    assert grid(RULES)[0] == 0
    before = {path: path.read_text() for path in stub.glob("*.csv")}
    stamp = (stub / "spec.json").stat().st_mtime_ns
    (stub / "random-0.csv").unlink()  # as if the runner had been killed before this one
    status, out, _ = grid(RULES)
    assert status == 0 and out == f"3 of 3 jobs are in {stub}\n"
    assert {path.name for path in before if path.read_text() != before[path]} == {"random-0.csv"}
    assert (stub / "spec.json").stat().st_mtime_ns == stamp  # written once

    status, _, err = grid(RULES | {"episodes": 3})
    assert status == 2 and "most_available-0.csv belongs to another version of this spec or of its settings" in err
    status, _, err = grid(RULES | {"agents": RULES["agents"][1:]})  # one result has no job any more
    assert status == 2 and f"{RULES['agents'][0].replace(' ', '_')}-0.csv belongs to another version" in err
    (stub / "spec.json").write_text("{")
    status, _, err = grid(RULES)
    assert status == 2 and "cannot be used" in err and err.count("\n") == 1
    (stub / "spec.json").unlink()
    status, _, err = grid(RULES)
    assert status == 2 and "holds CSV files and no spec.json" in err and len(list(stub.glob("*.csv"))) == 3


def test_a_spec_may_grow(grid, stub):
    """Another seed is one more job; what was done stays."""
    grid(RULES)
    before = {path: path.stat().st_mtime_ns for path in stub.glob("*.csv")}
    status, out, _ = grid(RULES | {"seeds": [0, 4]})
    assert status == 0 and out == f"6 of 6 jobs are in {stub}\n" and len(before) == 3
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_new_default_concerns_the_agents_that_use_it(monkeypatch):
    """A default of ppo is nothing to d2sac, and no setting of a learner is anything to a rule."""
    given = jobs_of(agents=["d2sac", "ppo", "random"])
    before = [runner.digest(job) for job in given]
    usual = runner.settings_of
    for change, same in ((dict(ppo_clip=0.3), [True, False, True]), (dict(tau=0.01), [False, False, True])):
        changed = lambda job: usual(job)._replace(learner=replace(usual(job).learner, **change))  # noqa: B023, E731
        monkeypatch.setattr(runner, "settings_of", changed)
        assert [runner.digest(job) == old for job, old in zip(given, before)] == same


def test_failures_are_named_and_take_nothing_down(grid, stub):
    status, out, _ = grid(RULES | {"agents": ["random"], "seeds": [0, 1, 2, 4]})
    assert status == 1
    assert out.splitlines() == [
        f"2 of 4 jobs are in {stub}; missing: random-1, random-2",
        "failed: random-1: the trace is bad",
        "failed: random-2: killed by signal 9 (Killed)",
    ]


def test_a_mistake_found_in_a_job_is_one_line(grid, tmp_path):
    """A real job: the request log is read there."""
    (tmp_path / "bad.csv").write_text("nonsense\n")
    status, out, _ = grid(RULES | {"agents": ["random"], "settings": {"trace": str(tmp_path / "bad.csv")}})
    assert status == 1 and "failed: random-0: job: trace: " in out and out.count("\n") == 2


@pytest.mark.usefixtures("signals_heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_grid_and_its_jobs_at_once(grid, stub, tmp_path, number):
    def send():
        while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text() and (stub / "random-4.csv").exists()):
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    sender = threading.Thread(target=send)
    sender.start()
    started = time.monotonic()
    status, out, err = grid(RULES | {"agents": ["random"], "seeds": [3, 4, 3 + 2**20]}, "--workers", "2")
    sender.join()
    assert time.monotonic() - started < 30 and status == 128 + number and signal.getsignal(number) == before
    assert out.startswith(f"2 of 3 jobs are in {stub}; missing: random-3\n")
    assert f"stopped by signal {int(number)}" in err
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_dies_of_the_signal_that_stops_it(monkeypatch, tmp_path, number):
    def stopped(_):
        raise jobs.Stop(number)

    monkeypatch.setattr(jobs, "run_job", stopped)
    monkeypatch.setattr("sys.stdin", open(os.devnull))
    monkeypatch.setattr(jobs.json, "load", lambda _: {})
    child = os.fork()
    if child == 0:
        jobs.main([str(tmp_path / "x.csv")])
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == number


def test_ranks_split_the_grid_and_say_what_is_missing(grid, stub, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    found = []
    for rank in "10":
        monkeypatch.setenv("RANK", rank)
        found.append(grid(RULES)[:2])
    assert found[0] == (0, f"1 of 3 jobs are in {stub}; missing: most_available-0, smallest_wait-0\n")
    assert found[1] == (0, f"3 of 3 jobs are in {stub}\n")


@pytest.mark.parametrize("rank, size", [("1", None), (None, "2"), ("2", "2"), ("a", "2"), ("-1", "2"), ("0", "1.5")])
def test_a_launcher_that_makes_no_sense_is_one_line(grid, tmp_path, monkeypatch, rank, size):
    for name, value in (("RANK", rank), ("WORLD_SIZE", size)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    status, out, err = grid(RULES)
    assert status == 2 and out == "" and err.count("\n") == 1 and "RANK, WORLD_SIZE" in err
    assert not (tmp_path / "results").exists()


BAD = [
    (dict(agents=["d2sac", "a3c"]), "agents: 'a3c' is not one of d2sac, sac"),
    (dict(agents=[["d2sac"]]), "agents: ['d2sac'] is not one of"),
    (dict(seeds=[]), "seeds: [] is not a list with at least one entry"),
    (dict(seeds=[-1]), "seed: -1 is not"),
    (dict(seeds=[True]), "seed: True is not"),
    (dict(seeds=[[1]]), "seed: [1] is not"),
    (dict(colour="red"), "colour: unknown"),
    (dict(learner={}), "learner: unknown"),
    (dict(episodes="many"), "episodes: unknown, missing or of the wrong kind"),
    (dict(episodes=True), "episodes: unknown, missing or of the wrong kind"),
    (dict(episodes=0), "episodes: 0 is not"),
    (dict(preset="huge"), "preset: 'huge'"),
    (dict(name="../up"), "name: '../up'"),
    (dict(name="n" * 300), "name: "),
    (dict(settings={"gamma": 2.0}), "gamma: 2.0 is not a number from 0 to 1"),
    (dict(settings={"gamma": [1]}), "gamma: [1] is not a number from 0 to 1"),
    (dict(settings={"gama": 0.9}), "settings: 'gama' is not a setting"),
    (dict(settings={"seed": 3}), "settings: seed is set by the fields agents and seeds"),
    (dict(settings={"class": "Mish"}), "settings: 'class' is not a setting"),
    (dict(variants={"a": {"agent": "sac"}}), "variants: a: agent is set by the fields agents and seeds"),
    (dict(variants={"a": [1]}), "variants: a: [1] is not an object"),
    (dict(variants={"a": {"class": "Hish"}}), "class: 'Hish' is not one of D2SAC, "),
    (dict(variants={"a": {"class": ["Mish"]}}), "class: ['Mish'] is not one of"),
    (dict(agents=["sac"], variants={"a": {"class": "Mish"}}), "class is for d2sac alone"),
    (dict(variants={"a b": {}, "a_b": {}}), "two jobs would have the same name, d2sac-a_b-0"),
    (dict(variants={"v" * 300: {}}), "is longer than 150 characters"),
    (dict(evaluate=[1]), "evaluate: 1 is not an object"),
    (dict(evaluate=[{"load": -1.0}]), "load: -1.0"),
    (dict(evaluate=[{"gamma": 0.9}]), "evaluate: 'gamma' is not a setting"),
    (dict(evaluate=[{"mode": "best"}]), "mode: 'best' is not one of argmax, mean, sample"),
    (dict(evaluate=[{"mode": ["mean"]}]), "mode: ['mean'] is not one of"),
    (dict(evaluate=[{"mode": "mean", "eval_draws": 0}]), "eval_draws: 0 is not"),
    (dict(evaluate=[{"num_gateways": 4}]), "num_gateways cannot change"),
]


@pytest.mark.parametrize("change, message", [*BAD, ("{", "spec.json"), ("[]", "not a JSON object"),
                                             ('{"seeds": [1], "seeds": [2]}', "a key stands twice")])  # fmt: skip
def test_bad_specs_are_one_line_and_status_2(grid, tmp_path, change, message):
    status, out, err = grid(change if isinstance(change, str) else SMOKE | change)
    assert status == 2 and out == "" and err.count("\n") == 1 and err.startswith("run: ") and message in err, err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("workers", ["0", "-1", "two", "--"])
def test_workers_are_a_whole_number(grid, workers):
    assert grid(SMOKE, f"--workers={workers}")[0] == 2


def test_a_spec_that_is_not_there_is_one_line(tmp_path, capsys):
    for path in (tmp_path / "none.json", tmp_path):
        assert run_program("run", runner.main, [str(path)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("path", sorted((ROOT / "experiments/grid/specs").glob("*.json")), ids=lambda path: path.stem)
def test_the_specs_that_come_along(path):
    """Each is allowed, is named after its file, and trains with the settings that it says."""
    spec = specs.load_spec(str(path))
    assert spec["name"] == path.stem
    for job in specs.jobs_of(spec).values():
        assert specs.settings_of(job).run == RunConfig(**{
            name: value for name, value in (specs.PRESETS["quick"] | job["settings"]).items()
            if specs.OWNER.get(name) == "run"
        }, seed=job["seed"])  # fmt: skip
