"""Results of a grid: which are whole, which are valid, and what is said of the others."""

from dataclasses import replace
from pathlib import Path

import pytest
from resealed import again

from edgediff.errors import ConfigError
from experiments.grid import fingerprint, record
from experiments.grid.fingerprint import code_of
from experiments.grid.grid import Variant
from experiments.grid.grids import GRIDS
from experiments.grid.record import code_note, difference, made_with
from experiments.grid.results import DIGEST, check, check_results, with_digest
from experiments.variants.agents import Mish
from experiments.variants.observations import Standardised, with_ratios
from experiments.variants.planning import PLANNERS


@pytest.fixture
def job(tiny):
    (job,) = tiny().jobs().values()
    return job


@pytest.fixture
def results(tiny, write_result, tmp_path):
    """Return the folder and the jobs of a grid with two results."""
    jobs = tiny(agents=("d2sac", "random")).jobs()
    for name, each in jobs.items():
        write_result(tmp_path / f"{name}.csv", each)
    return tmp_path, jobs


def test_check_results_finds_what_is_done(results):
    folder, jobs = results
    assert check_results(folder, jobs) == {name: code_of(job) for name, job in jobs.items()}
    (folder / "random-0.csv").unlink()
    assert check_results(folder, jobs).keys() == {"d2sac-0"}
    assert check_results(folder / "none", jobs) == {}


CUT = "is cut, or was changed: its last line is not the SHA-256 of the others"
FAULTS = [
    (lambda text: "", CUT),
    (lambda text: text[:40], CUT),
    (lambda text: text[:-20], CUT),
    (lambda text: text.rstrip()[:-2], CUT),
    (lambda text: text.replace("held-out", "training"), CUT),
    (lambda text: text + text.splitlines(keepends=True)[-1], CUT),
    (lambda text: "\0" + text, CUT),
    (lambda text: b"\x89PNG\xff\x00".decode("latin-1"), "cannot be read"),
    (lambda text: with_digest("a,b\n1,2\n# made by code 0 with {}\n"), "has not the columns of a result"),
    (lambda text: again(text, "training,d2sac,d2sac,0,Poisson,1.0", "1.0"), "has not the columns of a result"),
    (lambda text: again(text, ",d2sac,0,", ",d2sac,1,"), "has not the 8 rows of its job"),
    (lambda text: again(text, "held-out", "training"), "has not the 8 rows of its job"),
    (lambda text: with_digest("a,b\n1,2\n"), "does not say what made it"),
    (lambda text: again(text, " with {", " with "), "does not say what made it"),
    (lambda text: again(text, '"world.load": 1.0', '"world.load": 2.0'), "was made with world.load 2.0, which is 1.0"),
    (lambda text: again(text, " with {", ' with {"learner.old": 1, '), "was made with learner.old 1, which is gone"),
    *[(lambda text, value=value: again(text, ",0,0,0,0,", f",0,0,{value},0,", 1), f"has a completion of '{value}' in")
      for value in ("nan", "inf", "7.5", "-0.1", "abc", "")],
    (lambda text: again(text, ",0\r\n", ",nan\r\n"), "has a completion_p3 of 'nan' in phase held-out"),
]  # fmt: skip


@pytest.mark.parametrize("change, message", FAULTS)
def test_check_results_names_a_file_that_is_not_whole(results, tiny, write_result, change, message):
    """Cut, emptied, foreign and binary files, and numbers that cannot be; one line, and nothing is changed."""
    folder, path = results[0], results[0] / "d2sac-0.csv"
    jobs = tiny(agents=("d2sac", "random"), evaluate=(dict(load=1.0), dict(load=2.0))).jobs()
    write_result(path, jobs["d2sac-0"])
    write_result(folder / "random-0.csv", jobs["random-0"])
    assert len(check_results(folder, jobs)) == 2
    path.write_bytes(change(path.read_bytes().decode()).encode("latin-1"))
    before = path.read_bytes()
    with pytest.raises(ConfigError) as error:
        check_results(folder, jobs)
    text = str(error.value)
    assert text.startswith(f"results: {path} ") and message in text and "\n" not in text and "random" not in text
    assert path.read_bytes() == before


def test_check_results_names_all_faults_at_once(results):
    folder, jobs = results
    (folder / "d2sac-0.csv").write_text("")
    (folder / "random-0.csv").unlink()
    (folder / "random-0.csv").mkdir()
    (folder / "d2sac-7.csv").write_text("x")
    with pytest.raises(ConfigError) as error:
        check_results(folder, jobs)
    for part in ("d2sac-0.csv is cut", "random-0.csv cannot be read", "d2sac-7.csv is the result of no job"):
        assert part in str(error.value)


def test_a_result_without_the_curve_of_training_is_whole(results):
    """As 20 committed results of the grid `state` are."""
    folder, jobs = results
    lines = (folder / "d2sac-0.csv").read_bytes().decode().rpartition(DIGEST)[0].splitlines(keepends=True)
    assert check(with_digest("".join(line for line in lines if not line.startswith("training"))), jobs["d2sac-0"])
    with pytest.raises(ValueError, match="rows of its job"):
        check(with_digest("".join(line for line in lines if not line.startswith("held-out"))), jobs["d2sac-0"])


def test_a_new_setting_does_not_invalidate_a_result(job, monkeypatch):
    """As if gamma, the penalty and the draws were new since the result was made."""
    stored = made_with(job)
    for name in ("learner.gamma", "world.penalty", "run.eval_draws"):
        del stored[name]
    assert difference(stored, job) == ""
    monkeypatch.setitem(record.DEFAULTS, "learner.gamma", 0.9)  # today's job has 0.95
    assert difference(stored, job) == "learner.gamma 0.9, which is 0.95 now"


def test_a_new_setting_that_a_job_changes_invalidates_its_result(job):
    stored = made_with(job)
    del stored["learner.hidden"]  # 16 in this grid
    assert difference(stored, job) == "learner.hidden 256, which is 16 now"


@pytest.mark.parametrize("name, now", [("world.penalty", "1.0"), ("learner.tau", "0.005"), ("run.eval_draws", "8")])
def test_a_changed_default_invalidates_a_result(job, name, now):
    assert difference(made_with(job) | {name: 7}, job) == f"{name} 7, which is {now} now"


def test_a_setting_that_is_gone_invalidates_a_result(job):
    assert difference(made_with(job) | {"learner.old": 7}, job) == "learner.old 7, which is gone now"


def test_settings_of_other_agents_do_not_count(tiny):
    """A setting of ppo is nothing to d2sac, and no setting of a learner is anything to a rule."""
    jobs = tiny(agents=("d2sac", "ppo", "random")).jobs().values()
    for name, same in (("learner.ppo_clip", [True, False, True]), ("learner.tau", [False, False, True])):
        assert [difference(made_with(each) | {name: 7}, each) == "" for each in jobs] == same
    assert not any(name.startswith("learner.") for name in made_with([*jobs][2]))


@pytest.mark.parametrize("variant", [Variant(agent_class=Mish), Variant(observe=with_ratios)])
def test_another_class_or_state_invalidates_a_result(job, variant):
    other = replace(job, variant=variant)
    assert difference(made_with(job), other) and difference(made_with(other), job)
    assert difference(made_with(other), other) == ""


def test_forms_of_the_state_have_names_that_tell_them_apart(job):
    names = {made_with(replace(job, variant=Variant(observe=form)))["job.observe"] for form in
             (with_ratios, Standardised(1.0), Standardised(2.0))}  # fmt: skip
    assert names == {"with_ratios", "Standardised(gain=1.0)", "Standardised(gain=2.0)"}


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Stand a small package in the place of the real one; return what writes one of its files."""
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    fingerprint.fingerprint.cache_clear()

    def write(name, text):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        fingerprint.fingerprint.cache_clear()

    for name in SOURCES:
        write(name, "x = 1\n")
    yield write
    fingerprint.fingerprint.cache_clear()


# Whose results depend on a file: of d2sac, of d2sac with a class of its own, of a rule, of a planner.
SOURCES = {
    "edgediff/config.py": [True, True, True, True],
    "edgediff/world/delay.py": [True, True, True, True],
    "edgediff/train.py": [True, True, False, False],
    "edgediff/learner/sac.py": [True, True, False, False],
    "edgediff/control/server.py": [False, False, False, False],
    "edgediff/gym/env.py": [False, False, False, False],
    "experiments/variants/agents.py": [False, True, False, True],
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_code_of_a_result_is_what_it_depends_on(name, sources, tiny):
    d2sac, rule, planner = tiny(agents=("d2sac", "random", next(iter(PLANNERS)))).jobs().values()
    jobs = d2sac, replace(d2sac, variant=Variant(agent_class=Mish)), rule, planner
    before = [code_of(each) for each in jobs]
    sources(name, "x = 2\n")
    assert [code_of(each) != code for each, code in zip(jobs, before, strict=True)] == SOURCES[name]


CODE_BEFORE = '''"""Doc."""
# A comment.
class A:
    """Doc."""
    def f(self, x: int = 0) -> None:
        """Doc."""
        return [x,
                None]
'''


@pytest.mark.parametrize("change, same", [
    (("# A comment.", ""), True),
    (('"""Doc."""', '"""Other words."""'), True),
    (('    """Doc."""\n', ""), True),
    (("[x,\n                None]", "[x, None]"), True),
    (("x: int = 0", "x: int = 1"), False),
    (("[x,", "[1,"), False),
    (("None]", "0]"), False),
    (("None]", "]"), False),
])  # fmt: skip
def test_comments_docstrings_and_layout_are_no_other_code(change, same, sources, job):
    sources("edgediff/train.py", CODE_BEFORE)
    before = code_of(job)
    assert CODE_BEFORE.replace(*change) != CODE_BEFORE
    sources("edgediff/train.py", CODE_BEFORE.replace(*change))
    assert (code_of(job) == before) is same


def test_a_moved_file_is_other_code(sources, job, tmp_path):
    before = code_of(job)
    (tmp_path / "edgediff/train.py").rename(tmp_path / "edgediff/trains.py")
    fingerprint.fingerprint.cache_clear()
    assert code_of(job) != before


def test_a_result_says_which_code_made_it(results, sources, write_result):
    """It stays valid after a change; what is made anew has today's code, and what was made before says nothing."""
    folder, jobs = results
    first, other = jobs
    for name, job in jobs.items():
        write_result(folder / f"{name}.csv", job)
    assert code_note(check_results(folder, jobs), jobs) == ""
    sources("edgediff/config.py", "x = 2\n")
    write_result(folder / f"{other}.csv", jobs[other])
    assert code_note(check_results(folder, jobs), jobs) == f"made by other code than today's: {first}"
    text = (folder / f"{other}.csv").read_bytes().decode()
    (folder / f"{other}.csv").write_bytes(again(text, code_of(jobs[other]), "unknown").encode())
    note = f"made by other code than today's: {first}; made by unknown code: 1 of 2 results"
    assert code_note(check_results(folder, jobs), jobs) == note


@pytest.mark.parametrize("name", sorted(set(GRIDS) - {"smoke"}))
def test_the_committed_results_are_whole_and_valid(name):
    """All of them, by the settings of today."""
    jobs, folder = GRIDS[name].jobs(), Path(__file__).parents[2] / "experiments/results" / name
    assert check_results(folder, jobs).keys() == jobs.keys()
