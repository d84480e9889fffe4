"""The grid runner: a small grid as a whole, its jobs one by one, continuing, failing, stopping, refusing."""

import csv
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import CancelledError, Future
from pathlib import Path
from types import SimpleNamespace

import pytest
from jobs_alive import processes_until

from edgediff.config import PRESETS, RunConfig
from edgediff.errors import ConfigError
from edgediff.run.folder import create
from edgediff.run.process import run_program
from edgediff.train import train
from edgediff.world.rollout import SCORES
from experiments.grid import __main__ as runner
from experiments.grid import job as jobs
from experiments.grid import record
from experiments.grid.grid import OWNER, Variant
from experiments.grid.grids import GRIDS
from experiments.grid.results import IDENTITY, TRAINING, identities, locked, opened
from experiments.variants.agents import Mish, PrintedEq21
from experiments.variants.observations import with_ratios

RULES = "most available", "random", "smallest wait"

# Stands for job.py: what it does depends on the seed. No torch, so that a grid takes no time.
STUB = """
import os, signal, sys, time
from pathlib import Path
from types import SimpleNamespace
name, ready, noted = sys.argv[1:]
seed = int(name.split("-")[-1])
if seed == 1:
    sys.exit("something is wrong\\nthe trace is bad")
if seed == 2:
    print("  1%|##   | 1/100 epochs", end="", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
if seed == 3:
    Path(noted).write_text(str(os.getpid()))
    time.sleep(60)
assert os.environ["OMP_NUM_THREADS"] == "1"
text = Path(ready).read_bytes()
sys.stdout.buffer.write(text[:-9] if seed == 5 else text)
"""


@pytest.fixture
def stubbed(tmp_path, write_result, monkeypatch, capsys):
    """Run a grid with STUB in place of its jobs; return status, stdout and stderr."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # a job gets one, whatever its runner has

    def _stubbed(grid, workers=2):
        def command(name):
            ready = tmp_path / "ready" / name
            write_result(ready, grid.jobs()[name])
            return [sys.executable, "-c", STUB, name, str(ready), str(tmp_path / "pid")]

        place = runner.on_this_machine(workers, command)
        status = run_program("grid", lambda _: runner.run_grid(grid, tmp_path / "results", place))
        return status, *capsys.readouterr()

    return _stubbed


def table(path) -> list[dict]:
    return list(csv.DictReader(opened(path.read_bytes().decode())[0].splitlines()))


@pytest.mark.slow
def test_a_grid_from_the_command_line_to_the_files(write_result, tmp_path, capsys):
    """The jobs that are missing, one that learns and one that does not, each in a process of its own."""
    folder, given = tmp_path / "smoke", GRIDS["smoke"].jobs()
    rule = "round_robin__level_2-0"
    for name in set(given) - {"sac-0", rule}:
        write_result(folder / f"{name}.csv", given[name])
    assert runner.main(["smoke", "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"6 of 6 jobs are in {folder}\n"
    assert sorted(os.listdir(folder)) == sorted(f"{name}.csv" for name in given)
    for row in table(folder / f"{rule}.csv"):
        assert row["phase"] == "frozen" and row["flows"] == "0" and 0 <= float(row["completion"]) <= 1
    written = [{key: str(value) for key, value in row.items()} for row in jobs.run_job(given["sac-0"])]
    assert [{key: value for key, value in row.items() if value} for row in table(folder / "sac-0.csv")] == written


@pytest.mark.slow
def test_rows_of_a_job_are_those_of_the_run_itself(tiny, tmp_path):
    """Both curves, to six digits, are what `train` writes."""
    (job,) = tiny(settings=dict(epochs=2, eval_every=1)).jobs().values()
    rows = jobs.run_job(job)
    with create(tmp_path / "run", unique=False) as folder:
        train(job.settings, folder)
    for phase, file, columns in (("training", "train.csv", TRAINING), ("held-out", "evaluation.csv", SCORES)):
        mine = [row for row in rows if row["phase"] == phase]
        theirs = [*csv.DictReader((folder.path / file).read_text().splitlines())]
        assert len(mine) == len(theirs) == (2 if phase == "training" else 3)
        for one, other in zip(mine, theirs, strict=True):
            assert (one["flows"], one["gradient_steps"]) == (other["transitions"], other["gradient_steps"])
            assert all(one[name] == f"{float(other[name]):.6g}" for name in columns)
    (last,) = [row for row in rows if row["phase"] == "frozen"]
    assert (last["flows"], last["gradient_steps"], last["traffic"], last["load"]) == ("400", "10", "Poisson", 1.0)


@pytest.mark.slow
def test_identities_are_those_of_the_rows_of_a_job(tiny):
    """With a last evaluation off the rhythm, modes, draws, planners and several kinds of traffic."""
    evaluate = (dict(load=2.0), dict(load=1.0, mode="argmax"), dict(load=1.0, mode="mean", eval_draws=2),
                dict(load=1.0, planner_horizon=1))  # fmt: skip
    settings = dict(epochs=3, eval_every=2, load_low=0.5, load_high=2.0)
    for job in tiny(agents=("d2sac", "sac", "random"), evaluate=evaluate, settings=settings).jobs().values():
        found = [tuple(str(row[name]) for name in IDENTITY) for row in jobs.run_job(job)]
        assert found == identities(job)


@pytest.mark.slow
@pytest.mark.parametrize("variant", [Variant(agent_class=PrintedEq21), Variant(observe=with_ratios)])
def test_a_variant_is_used_in_its_job(tiny, variant):
    """Another class, or another state, gives other numbers."""
    given = tiny(settings=dict(d2sac_denoising_steps=5), variants={"plain": Variant(), "other": variant})
    plain, other = given.jobs().values()
    rows = {job.label: jobs.run_job(job) for job in (plain, other)}
    assert [row["variant"] for row in rows["other"]] == ["other"] * 7
    one, two = ([row["reward"] for row in rows[name]] for name in ("plain", "other"))
    assert one != two


def test_scorings_have_each_mode_where_it_exists_and_once(tiny):
    evaluate = (dict(load=1.0), dict(load=1.0, mode="mean"), dict(load=1.0, mode="argmax"),
                dict(load=1.0, mode="mean", eval_draws=2), dict(load=1.0, weights="last"))  # fmt: skip
    given = tiny(evaluate=evaluate, agents=("d2sac", "sac", "random")).jobs().values()
    found = [[scoring.label for scoring in job.scorings()] for job in given]
    of_d2sac = ["d2sac", "d2sac, mode argmax", "d2sac, mode mean, eval_draws 2", "d2sac, weights last"]
    assert found == [of_d2sac, ["sac", "sac, weights last"], ["random"]]


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["d2sac", "sac", "dqn", "ppo"])
def test_the_last_weights_are_scored_without_their_average(tiny, agent):
    """With tau = 1 the average is the last weights; with the usual one it is not."""
    evaluate = dict(load=1.0), dict(load=1.0, weights="last")
    for tau, same in ((1.0, True), (0.005, False)):
        (job,) = tiny(agents=(agent,), evaluate=evaluate, settings=dict(tau=tau)).jobs().values()
        averaged, last = [row["reward"] for row in jobs.run_job(job) if row["phase"] == "frozen"]
        assert (averaged == last) is same


def test_evaluated_is_at_one_load(tiny):
    """Also after training on a range of loads."""
    (job,) = tiny(settings=dict(load_low=0.5, load_high=3.0)).jobs().values()
    world, _, run = job.evaluated(dict(load=2.0, mode="mean", eval_draws=3))
    assert (world.load, world.load_low, world.load_high, run.eval_draws) == (2.0, 0.0, 0.0, 3)
    assert job.evaluated({}).world.load == 1.0 and job.evaluated({}).run.eval_draws == job.settings.run.eval_draws


def test_every_seed_has_traffic_of_its_own(tiny):
    given = tiny(agents=("most available",), seeds=(0, 1)).jobs().values()
    first, other = (jobs.run_job(job)[0]["reward"] for job in given)
    assert first != other


@pytest.mark.slow
def test_run_grid_continues_where_it_was_left(stubbed, tiny, tmp_path):
    """A result that is there stays, also if the grid has grown since; one that is broken is not taken for done."""
    folder = tmp_path / "results/smoke"
    assert stubbed(tiny(agents=RULES))[0] == 0
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert {path.suffix for path in before} == {".csv"} and len(before) == 3
    (folder / "random-0.csv").unlink()  # as if the runner had been killed before this one
    status, out, _ = stubbed(tiny(agents=RULES))
    assert status == 0 and out == f"3 of 3 jobs are in {folder}\n"
    assert {path.name for path in before if path.stat().st_mtime_ns != before[path]} == {"random-0.csv"}
    assert stubbed(tiny(agents=RULES, seeds=(0, 4)))[1] == f"6 of 6 jobs are in {folder}\n"
    changed = {path.name for path in before if path.stat().st_mtime_ns != before[path]}
    assert changed == {"random-0.csv"}

    status, _, err = stubbed(tiny(agents=RULES, episodes=3))
    assert status == 2 and "most_available-0.csv was made with job.episodes 1, which is 3 now" in err
    status, _, err = stubbed(tiny(agents=RULES[1:]))  # one result has no job any more
    assert status == 2 and "most_available-0.csv is the result of no job of this grid" in err
    (folder / "random-0.csv").write_text("")
    status, out, err = stubbed(tiny(agents=RULES, seeds=(0, 4)))
    assert status == 2 and out == "" and err.count("\n") == 1 and "random-0.csv is cut" in err
    assert (folder / "random-0.csv").read_text() == ""


@pytest.mark.slow
def test_failures_are_named_and_take_nothing_down(stubbed, tiny, tmp_path):
    folder = tmp_path / "results/smoke"
    status, out, _ = stubbed(tiny(agents=("random",), seeds=(0, 1, 2, 4, 5)))
    assert status == 1
    assert out.splitlines() == [
        f"2 of 5 jobs are in {folder}; missing: random-1, random-2, random-5",
        "failed: random-1: the trace is bad",
        "failed: random-2: killed by signal 9 (Killed)",
        "failed: random-5: is cut, or was changed: its last line is not the SHA-256 of the others",
    ]
    assert sorted(os.listdir(folder)) == ["random-0.csv", "random-4.csv"]  # and nothing half written


def test_a_second_runner_is_told(stubbed, tiny, tmp_path):
    folder = tmp_path / "results/smoke"
    with locked(folder):
        status, out, err = stubbed(tiny(agents=RULES))
    assert status == 2 and out == "" and err == f"grid: results: another runner works in {folder}\n"
    assert os.listdir(folder) == []


def test_what_is_finished_when_the_work_ends_is_kept(tiny, write_result, tmp_path):
    """A scheduler that ends cancels the others; a signal may come while a result arrives."""
    jobs = tiny(agents=("random",), seeds=(0, 1, 2)).jobs()
    for number, waiting in ((0, CancelledError), (15, None)):
        folder, futures = tmp_path / str(number), {}
        for name, job in jobs.items():
            write_result(tmp_path / "ready" / name, job)
            futures[name] = Future()
        for name in ("random-0", "random-1"):
            futures[name].set_result((tmp_path / "ready" / name).read_bytes().decode())
        if waiting:
            futures["random-2"].cancel()
            futures["random-2"].set_running_or_notify_cancel()
        folder.mkdir()
        assert runner.run_jobs(jobs, folder, futures.get, SimpleNamespace(number=number)) == {}
        assert sorted(os.listdir(folder)) == ["random-0.csv", "random-1.csv"]


def test_a_result_of_other_code_is_kept_and_named(stubbed, tiny, tmp_path, monkeypatch):
    """As of a worker that has another version, or of sources that were changed meanwhile."""
    monkeypatch.setattr(record, "code_of", lambda job: "today")
    status, out, err = stubbed(tiny(agents=("random",)))
    assert status == 0 and out.startswith("1 of 1 jobs") and "note: made by other code than today's: random-0" in err


def test_a_result_that_cannot_be_written_is_named(tiny, write_result, tmp_path):
    (job,) = tiny().jobs().values()
    write_result(tmp_path / "ready", job)
    future = Future()
    future.set_result((tmp_path / "ready").read_bytes().decode())
    (tmp_path / "x.csv").mkdir()
    assert "x.csv cannot be written" in runner.keep(future, job, tmp_path / "x.csv")
    assert sorted(os.listdir(tmp_path)) == ["ready", "x.csv"]


def test_a_mistake_found_in_a_job_is_one_line(tiny, tmp_path, monkeypatch, capsys):
    """The request log is read there."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # a job has a temporary folder of its own, and leaves its name behind
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "bad.csv").write_text("nonsense\n")
    grid = tiny(agents=("random",), settings=dict(trace=str(tmp_path / "bad.csv")))
    monkeypatch.setitem(GRIDS, "smoke", grid)
    assert run_program("job", jobs.main, ["smoke", "random-0", str(tmp_path / "x.csv")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("job: trace: ") and err.count("\n") == 1 and not (tmp_path / "x.csv").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("signals_heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_grid_and_its_jobs_at_once(stubbed, tiny, tmp_path, number):
    folder, pid = tmp_path / "results/smoke", tmp_path / "pid"

    def send():
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if pid.exists() and pid.read_text() and (folder / "random-4.csv").exists():
                break
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    sender = threading.Thread(target=send)
    sender.start()
    started = time.monotonic()
    status, out, err = stubbed(tiny(agents=("random",), seeds=(3, 4)))
    sender.join()
    assert time.monotonic() - started < 40 and status == 128 + number and signal.getsignal(number) == before
    assert out == f"1 of 2 jobs are in {folder}; missing: random-3\n"
    assert f"stopped by signal {int(number)}" in err
    assert os.listdir(folder) == ["random-4.csv"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.slow
def test_no_job_outlives_a_runner_that_is_killed(tmp_path):
    """Nor does it leave its temporary files."""
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "experiments.grid", "smoke", "--results", str(tmp_path / "results")]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        started = processes_until(lambda found: len(found) == 2 and any((tmp_path / "temporary").iterdir()))
        process.kill()
    processes_until(lambda found: not started & found)
    assert not any((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_dies_of_the_signal_that_stops_it(monkeypatch, tmp_path, number):
    def stopped(*_):
        raise jobs.Stop(number)

    monkeypatch.setattr(jobs, "run_job", stopped)
    child = os.fork()
    if child == 0:
        jobs.main(["smoke", "sac-0", str(tmp_path / "x.csv")])
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == number


BAD = [
    (dict(agents=("d2sac", "a3c")), "agents: 'a3c' is not one of d2sac, sac"),
    (dict(seeds=(-1,)), "seed: -1 is not"),
    (dict(seeds=(True,)), "seed: True is not"),
    (dict(preset="huge"), "preset: 'huge'"),
    (dict(settings={"gamma": 2.0}), "gamma: 2.0 is not a number from 0 to 1"),
    (dict(settings={"gama": 0.9}), "gama is not a setting"),
    (dict(settings={"seed": 3}), "seed is not a setting that a grid or a variant can change"),
    (dict(variants={"a": Variant(dict(agent="sac"))}), "agent is not a setting that a grid or a variant can change"),
    (dict(agents=("sac",), variants={"a": Variant(agent_class=Mish)}), "variants: a: Mish is no sac"),
    (dict(variants={"a b": Variant(), "a_b": Variant(dict(tau=0.1))}), "two jobs have the name d2sac-a_b-0"),
    (dict(variants={"v" * 300: Variant()}), "is longer than 150 characters"),
    (dict(evaluate=(dict(load=-1.0),)), "load: -1.0"),
    (dict(evaluate=(dict(gamma=0.9),)), "evaluate: gamma cannot be changed after training"),
    (dict(evaluate=(dict(num_gateways=4),)), "evaluate: num_gateways cannot be changed after training"),
    (dict(evaluate=(dict(mode="best"),)), "mode: 'best' is not one of"),
    (dict(evaluate=(dict(weights="best"),)), "weights: 'best' is not one of averaged, last"),
    (dict(evaluate=(dict(mode="mean", eval_draws=0),)), "eval_draws: 0 is not"),
]


@pytest.mark.parametrize("change, message", BAD)
def test_jobs_refuses_a_grid_that_makes_no_sense(tiny, change, message):
    with pytest.raises(ConfigError) as error:
        tiny(**change).jobs()
    assert message in str(error.value)


@pytest.mark.parametrize("program, argv, message", [
    (runner, ["smok"], "grid: 'smok' is not one of headline, "),
    (runner, ["smoke", "--workers=0"], "workers: 0 is not"),
    (runner, ["smoke", "--workers=two"], "workers"),
    (runner, ["smoke", "--results=/dev/null"], "results: /dev/null/smoke cannot be used"),
    (runner, [], "NAME"),
    (jobs, ["smoke", "sac-0"], "OUTPUT"),
    (jobs, ["smok", "sac-0", "x.csv"], "job: smok sac-0 is no job of a grid"),
    (jobs, ["smoke", "sac-9", "x.csv"], "job: smoke sac-9 is no job of a grid"),
])  # fmt: skip
def test_mistakes_on_the_command_line_are_one_line(program, argv, message, capsys):
    assert run_program("grid", program.main, argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err


@pytest.mark.parametrize("name", GRIDS)
def test_jobs_of_the_grids_have_the_settings_that_they_say(name):
    grid = GRIDS[name]
    for job in grid.jobs().values():
        given = PRESETS[grid.preset] | grid.settings | job.variant.settings
        of_run = {key: value for key, value in given.items() if OWNER[key] == "run"}
        assert job.settings.run == RunConfig(**of_run, seed=job.seed)
    assert name.isidentifier() and Path(name).name == name
