"""What `evaluate` prints for people, for scripts, and for several runs at once; what `train` says to do next."""

import csv
import io
import json
import re
import shlex
from pathlib import Path

import pytest
from tiny import TINY

from edgediff import evaluate, train
from edgediff.world.rollout import SCORES
from edgediff.world.rules import all_rules

pytestmark = pytest.mark.slow


def numbers(text: str) -> dict[str, dict]:
    """Return the CSV of scores as numbers by scheduler."""
    rows = list(csv.DictReader(io.StringIO(text)))
    return {row.pop("scheduler"): {name: float(value) for name, value in row.items()} for row in rows}


def test_csv_and_json_hold_the_numbers_of_the_table(call, finished):
    plain, as_csv, as_json = (call(evaluate, "a", *flags) for flags in ((), ("--csv",), ("--json",)))
    assert plain[0] == as_csv[0] == as_json[0] == 0
    scores = numbers(as_csv[1])
    assert json.loads(as_json[1]) == scores and set(scores["d2sac, argmax"]) == set(SCORES)
    for line in plain[1].splitlines()[2:]:
        label, completion = re.fullmatch(r"(.+?)  +(\S+%).*", line).groups()
        assert completion == f"{scores[label]['completion']:.1%}"


def test_a_number_that_does_not_exist_is_null_in_json(call, finished):
    """One flow in an episode: two of the three priorities have no flow."""
    status, out, _ = call(evaluate, "a", "--json", "--final-episodes", 1, "--num-slots", 1, "--arrival-rate", 0.001)
    scores = json.loads(out, parse_constant=pytest.fail)["random"]
    assert status == 0 and None in scores.values()


def test_one_episode_is_one_episode(call, finished):
    assert "; 1 held-out episode\n" in call(evaluate, "a", "--final-episodes", 1)[1]


def test_several_runs_stand_in_one_table_with_the_rules_once(call, finished):
    assert call(train, "--run", "my run", *TINY, "--agent", "ppo")[0] == 0
    alone = [numbers(call(evaluate, run, "--csv")[1]) for run in ("a", "my run")]
    together = numbers(call(evaluate, "a", "my run", "--csv")[1])
    assert together["a: d2sac, mean of 8"] == alone[0]["d2sac, mean of 8"]
    assert together["my run: ppo, argmax"] == alone[1]["ppo, argmax"]
    assert list(together)[2:] == [*all_rules()]


def test_runs_of_different_worlds_need_a_common_one(call, finished, refused):
    assert call(train, "--run", "b", *TINY, "--load", 2)[0] == 0
    refused(evaluate, "load: 2.0 in b is not 1.0, as in a; give one of them", "a", "b")
    assert call(evaluate, "a", "b", "--load", 1.5)[0] == 0


def test_a_run_trained_on_a_range_of_loads_is_scored_at_one(call):
    status, out, _ = call(train, "--run", "b", *TINY, "--load-low", 0.5, "--load-high", 3)
    assert status == 0 and "load 0.5 to 3, Poisson arrivals" in out and "\nload 1, Poisson arrivals; 2 held-out" in out
    assert "load 2, Poisson" in call(evaluate, "b", "--load", 2)[1]


@pytest.mark.parametrize(
    "flags, message",
    [(["--csv", "--json"], "csv: cannot be given"), ([""], "runs: the value"), (["a/"], "run: a/ is given twice"),
     (["greedy"], "run: greedy is a rule; rules are always shown"), (["a/last.pt"], "run: a/last.pt is a file"),
     (["--json", "e.json"], "--json takes no value; write --json > e.json")])  # fmt: skip
def test_what_makes_no_sense_is_refused(refused, finished, flags, message):
    refused(evaluate, message, "a", *flags)


def test_train_ends_with_commands_that_can_be_pasted(call):
    status, out, _ = call(train, "--run", "my run", *TINY)
    commands = [shlex.split(line, comments=True) for line in out.splitlines() if line.startswith("  ")]
    following = [words for words in commands if words and words[0] in ("python", "tensorboard")]
    assert status == 0 and len(following) == 4 and all("my run" in words for words in following)
    assert call(evaluate, *following[0][3:])[0] == 0


def test_a_run_advises_only_what_is_there(monkeypatch):
    """A wheel holds no experiments."""
    assert "experiments.pictures" in train.next_steps(Path("r"))
    monkeypatch.setattr(train, "find_spec", lambda _: None)
    lines = train.next_steps(Path("r")).splitlines()
    assert len(lines) == 3 and not any("experiments" in line for line in lines)
