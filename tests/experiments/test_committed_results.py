"""Committed results are those of today's code: every rule once at one load, and every agent in a run of seconds."""

from dataclasses import replace
from importlib.metadata import version

import pytest

from experiments import RESULTS
from experiments.grid.grids import GRIDS
from experiments.grid.job import run_job
from experiments.grid.record import difference
from experiments.grid.results import opened, sealed

pytestmark = pytest.mark.slow

LOAD = 1.0  # at less, nearly every flow is in time, whatever a rule does
HEADLINE, REPLAY = GRIDS["headline"].jobs(), GRIDS["replay"].jobs()
RULES = [name for name, job in HEADLINE.items() if not job.agent_class and job.seed == 0]
MADE = [name for name in RULES if (RESULTS / f"headline/{name}.csv").exists()]


@pytest.fixture(autouse=True)
def same_versions():
    """Skip where other versions round differently."""
    for line in (RESULTS / "constraints.txt").read_text().splitlines():
        name, _, made_with = line.partition("==")
        if made_with and (installed := version(name).partition("+")[0]) != made_with:
            pytest.skip(f"results were made with {name} {made_with}, here is {installed}")


@pytest.mark.parametrize("name", MADE)
def test_a_rule_scores_what_its_committed_result_says(name):
    header, row, *_ = sealed(run_job(replace(HEADLINE[name], evaluate=(dict(load=LOAD),))), {}, "").splitlines()
    committed = (RESULTS / f"headline/{name}.csv").read_text().splitlines()
    assert header == committed[0] and row in committed


@pytest.mark.parametrize("name", REPLAY)
def test_an_agent_learns_what_its_committed_result_says(name):
    """Settings that are new since then do not stand in it."""
    committed = opened((RESULTS / f"replay/{name}.csv").read_bytes().decode())
    assert opened(sealed(run_job(REPLAY[name]), {}, ""))[0] == committed[0]
    assert difference(committed[2], REPLAY[name]) == ""
