"""The stubs are made from the sources; a stub fails, the package's own function passes, a slip is called by name."""

import inspect
import os
import re
import subprocess
import sys
import textwrap
from pkgutil import resolve_name

import pytest

from experiments import ROOT
from experiments.exercises.__main__ import stub
from experiments.exercises.sheet import EXERCISES

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}
SLIPS = [  # exercise, what stands in the package, what stands there instead, what the first test says
    ("eq02", "+ queueing_s", "- queueing_s", "the queueing delay is subtracted"),
    ("eq02", " + propagation_s", "", "Eq. (8) drops it, Eq. (2) has it"),
    ("eq05", "np.maximum(backlog_bits - served_bits, 0.0)", "backlog_bits - served_bits", "the queue is negative"),
    ("eq05", "_time_at_rate(backlog_bits, available_bps)", "available_bps / backlog_bits", "R / Q in place of Q / R"),
    ("eq10", "> deadline_s", ">= deadline_s", "a limit that is reached exactly is not violated"),
    ("eq10", "return ", "return 0 < ", "bool + bool is `or` in NumPy"),
    ("eq10", "late + 1 * short + 1 * (", "late | 1 * short | 1 * (", "phi counts the violated constraints"),
    ("eq10", "1 * late + 1 * short + 1 *", "late + short +", "bool + bool is `or` in NumPy"),
    ("eq13", "cost + penalty", "cost - penalty", "the sign of kappa phi"),
    ("eq13", "return -", "return ", "the minus before the bracket is missing"),
    ("eq15", "(pi * q).sum(dim=1)", "q.max(dim=1).values", "this is the max backup of Eq. (14)"),
    ("eq15", "discount * next_value", "0.9 * next_value", "a backup without mask"),
    ("eq15", "discount * next_value", "(discount * next_value)[:, None]", "(B,) with (B, 1) becomes (B, B)"),
    ("eq16", "gather(1, index)[:, 0]", "gather(1, index)", "(B, 1) minus (B,) is (B, B)"),
    ("eq16", "error1.square().mean() + error2.square().mean()", "(error1.square() + error2.square()).mean() / 2",
     "the mean of both critics"),
    ("eq17", "mine.lerp_(theirs, tau)", "mine.lerp_(theirs, 1 - tau)", "tau and 1 - tau are exchanged"),
    ("eq17", "mine.lerp_(theirs, tau)", "mine = mine.lerp(theirs, tau)", "the target did not move"),
    ("eq17", "@torch.no_grad()\n", "", "keep @torch.no_grad()"),
    ("eq18", "alpha_i**0.5 * a_before", "alpha_i * a_before", "the first factor is sqrt(alpha_i)"),
    ("eq18", "alpha_bar_i**0.5 * a_0", "alpha_bar_i * a_0", "the first factor is sqrt(alpha_i)"),
    ("eq18", "(1 - alpha_bar_i) ** 0.5 *", "(1 - alpha_bar_i) *", "its square root is the factor"),
    ("eq18", "(1 - alpha_i) ** 0.5 *", "(1 - alpha_i) *", "its square root is the factor"),
    ("eq19", "        if i > 1:", "        if True:", "noise at i = 1"),
    ("eq19", "range(num_steps, 0, -1)", "range(1, num_steps + 1)", "the steps are counted up"),
    ("eq19", "noise[num_steps - i + 1]", "noise[num_steps - i]", "noise[0] is a_N"),
    ("eq19", "i > 1:\n            a = reverse_step(a, beta[i - 1], noise[num_steps - i + 1])",
     "True:\n            a = reverse_step(a, beta[i - 1], noise[num_steps - i])", "and step 1 has none"),
    ("eq19", "noise[num_steps - i + 1]", "noise[i]", "an index is out of range"),
    ("eq19", "alpha[i - 1]", "alpha[i]", "beta_i is at index i - 1"),
    ("eq19", "beta[i - 1],", "beta[i - 1] ** 2,", "in place of sqrt(variance_i) z"),
    ("eq21", "(1 - alpha_bar_i)", "(1 - alpha_i)", "this is Eq. (21) as printed, the bar forgotten"),
    ("eq21", "(a_i - (", "(a_i + (", "the predicted noise is added"),
    ("eq21", " / alpha_i**0.5", "", "the factor 1 / sqrt(alpha_i) is missing"),
    ("eq21", "/ alpha_i**0.5", "/ alpha_i", "divided by alpha_i, not by its square root"),
    ("eq22", "torch.exp(-beta_min", "torch.exp(beta_min", "the sign of beta_min / N"),
    ("eq22", "(beta_max - beta_min)", "beta_max", "the factor is beta_max - beta_min"),
    ("eq22", "beta = 1 - torch", "beta = torch", "this is alpha_1; beta_1 is 1 - alpha_1"),
    ("eq22", "dtype=torch.float64", "dtype=torch.float32", "the schedule is in float64, not in torch.float32"),
    ("eq22", "torch.arange(1, num_steps + 1", "torch.arange(0, num_steps", "i counts from 0"),
    ("eq22", "torch.cumprod(1 - beta, 0)", "1 - beta", "the bar is forgotten"),
    ("eq24", "beta_i / (alpha_i * (1 - alpha_bar_i)) ** 0.5", "beta_i / alpha_i * alpha_i**0.5",
     "this is Eq. (24) as printed"),
    ("eq24", "(1 - alpha_bar_i)", "(1 - alpha_i)", "this is Eq. (21) as printed, the bar forgotten"),
    ("eq25", " - 1 / num_actions", "", "not centred"),
    ("eq25", ".sum(dim=1).mean()", ".mean()", "the mean over coordinates too"),
    ("line16", "+ entropy_temperature", "- entropy_temperature", "the sign of the entropy"),
    ("line16", "return (", "return -(", "this is the loss -J"),
    ("nstep", "gamma ** torch.arange(n,", "gamma ** torch.arange(1, n + 1,", "the discount starts with gamma^0"),
    ("nstep", "included[1:] = (~last[:-1])", "included[1:] = (last[:-1] > 2).logical_not()", "the window is not cut"),
    ("reservations", "+= amount[each]", "= amount[each]", "a second reservation overwrites the first"),
    ("reservations", "length = stop - start", "length = stop - start + 1", "slot `stop` itself is reserved too"),
    ("update", "self.target_critics.minimum(batch.next_state)", "self.critics.minimum(batch.next_state)",
     "y depends on the online networks"),
    ("update", "loss_d - objective", "loss_d + objective", "lines 15-17: the gradient of w L_d - J"),
    ("update", "polyak(self.target_actor.parameters(), self.actor.parameters(), c.tau)", "pass",
     "lines 18-19: target_actor did not move"),
    ("update", "        target=target.mean(),\n        grad_q=grad_q,\n", "", "no target, grad_q"),
    ("update", "target=target.mean()", "target=target", "target of shape (32,) is not one number"),
    ("update", "return detached(", "return dict(", "loss_q carries a gradient"),
    ("step", "self._commit(view.flow, result)", "pass", "nothing is reserved"),
    ("step", 'self._advance(view.flow["slot"])', "pass", "time stands still"),
    ("step", '"successor": successor', '"successor": observation', "info['successor'] is of the new episode"),
    ("step", '"priority": view.flow["priority"], ', "", "info has no priority"),
    ("step", ', "successor": successor', "", "info has no successor"),
    ("step", "action[:, None]", "action", "takes actions (E, K), here action[:, None]"),
    ("step", "field[:, 0]", "field", "each field that it returns is (E, K), too"),
]  # fmt: skip
BAYES = """a_0 = (a_i - (1 - alpha_bar_i) ** 0.5 * eps_theta) / alpha_bar_i ** 0.5
    beta_i, bar_before = 1 - alpha_i, alpha_bar_i / alpha_i
    mean = bar_before ** 0.5 * beta_i * a_0 + alpha_i ** 0.5 * (1 - bar_before) * a_i
    return mean / (1 - alpha_bar_i)"""
LOOP = """for k in range(len(amount)):
        for slot in range(start[k], stop[k]):
            held[(where[0][k], slot, *(each[k] for each in where[1:]))] += amount[k]"""
ALSO_RIGHT = [  # exercise, what stands in the package, another form of the same
    ("eq10", "1 * late + 1 * short + 1 *", "np.add(late, short, dtype=int) +"),
    ("eq15", "(pi * q).sum(dim=1)", 'torch.einsum("ba,ba->b", pi, q)'),
    ("eq16", "error1.square().mean() + error2.square().mean()",
     "sum(torch.nn.functional.mse_loss(q[range(len(q)), action], target) for q in (q1, q2))"),
    ("eq17", "mine.lerp_(theirs, tau)", "mine.copy_(tau * theirs + (1 - tau) * mine)"),
    ("eq21", "return (a_i - (1 - alpha_i) / (1 - alpha_bar_i) ** 0.5 * eps_theta) / alpha_i**0.5", BAYES),
    ("eq22", "Schedule(beta, 1 - beta, torch.cumprod(1 - beta, 0))",
     "Schedule(beta, (1 - beta).log().exp(), (1 - beta).log().cumsum(0).exp())"),
    ("eq24", "a_i / alpha_i**0.5 - beta_i / (alpha_i * (1 - alpha_bar_i)) ** 0.5 * eps_theta",
     "home.reverse_mean(a_i, eps_theta, alpha_i, alpha_bar_i)"),
    ("eq25", ".square().sum(dim=1).mean()", ".norm(dim=1).pow(2).mean()"),
    ("line16", "entropy(log_pi)", "torch.distributions.Categorical(logits=log_pi).entropy()"),
    ("reservations", "length = stop - start", LOOP + "\n    length = 0 * start"),
    ("update", "with torch.no_grad():", "if True:"),  # the targets need none, and only the actor steps on q
]  # fmt: skip
FORK = """
import os, sys, pytest, edgediff.train, experiments.variants.agents, experiments.page.index
experiments.page.index.tests()
for given in sys.argv[1:]:
    path, word = given.split("=")
    if os.fork() == 0:
        os.dup2(os.dup2(os.open(path + ".out", os.O_WRONLY | os.O_CREAT), 1), 2)
        status = pytest.main(["-x", *(["-k", word] if word else []), "--mine=" + path])
        sys.stdout.flush()
        os._exit(status)
    open(path + ".status", "w").write(str(os.waitstatus_to_exitcode(os.wait()[1])))
"""


def own(exercise, old="", new=""):
    """The package's functions of an exercise, as a file for `--mine`, with one change."""
    functions = [resolve_name(f"edgediff.{name}") for name in exercise.functions]
    names = [function.__name__ for function in functions]
    text = "\n\n".join(textwrap.dedent(inspect.getsource(function)) for function in functions)
    assert old in text, (exercise.name, old)
    home = inspect.getmodule(functions[0]).__name__
    given = f"globals().update({{k: v for k, v in vars(home).items() if k[:2] != '__' and k not in {names}}})"
    return f"import {home} as home\n\n{given}\n\n\n{text.replace(old, new) if old else text}"


def judged(folder, files):
    """Run `pytest -x -k WORD --mine=FILE` for each (word, text); return the statuses and what is printed."""
    for k, (_, text) in enumerate(files):
        folder.joinpath(f"my{k}.py").write_text(text)
    paths = [folder / f"my{k}.py" for k in range(len(files))]
    given = [f"{path}={word}" for path, (word, _) in zip(paths, files, strict=True)]
    # On a CI machine, pytest prints differences in full: what is counted here is what a student sees.
    env = {k: v for k, v in os.environ.items() if k not in ("CI", "BUILD_NUMBER")} | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", FORK, *given], cwd=ROOT, check=True, timeout=600, env=env)
    return [(int(p.with_suffix(".py.status").read_text()), p.with_suffix(".py.out").read_text()) for p in paths]


@pytest.mark.parametrize("name", BY_NAME)
def test_stubs_are_up_to_date(name):
    """After a change of a signature or of the sheet: python -m experiments.exercises."""
    assert ROOT.joinpath("experiments/exercises", f"{name}.py").read_text() == stub(BY_NAME[name])


def test_the_course_page_names_every_exercise():
    page = ROOT.joinpath("experiments/exercises/README.md").read_text()
    assert all(f"]({name}.py)" in page and f"\n- {name}: " in page for name in BY_NAME)  # with an answer


def test_each_class_of_the_course_has_90_minutes_and_its_exercises_fit():
    classes = ROOT.joinpath("experiments/exercises/README.md").read_text().split("\n## Class ")[1:]
    assert len(classes) == 3
    for each in classes:
        parts = dict(re.findall(r"^\*\*(\w+)\*\* \((\d+) minutes", each, re.M))
        for part in {"Before", "Write"} & {*parts}:
            listed = each.partition(f"**{part}**")[2].partition("\n")[0].partition("For those")[0]
            assert int(parts[part]) == sum(BY_NAME[name].minutes for name in re.findall(r"\]\((\w+)\.py\)", listed))
        assert sum(int(parts[name]) for name in {*parts} - {"Before"}) == 90


@pytest.mark.slow
def test_every_stub_fails_and_says_that_it_is_empty(tmp_path):
    for exercise, (status, out) in zip(
        EXERCISES, judged(tmp_path, [(e.select, stub(e)) for e in EXERCISES]), strict=True
    ):
        assert status == 1 and f"NotImplementedError: {exercise.title}: yours to write" in out, out
        assert f"yours: {exercise.functions[0]}\n" in out and out.count("\n") <= 25, out


@pytest.mark.slow
def test_the_packages_own_functions_pass(tmp_path):
    for exercise, (status, out) in zip(
        EXERCISES, judged(tmp_path, [(e.select, own(e)) for e in EXERCISES]), strict=True
    ):
        assert status == 0, f"{exercise.name}: {out}"


@pytest.mark.slow
def test_every_slip_fails_in_its_first_test_by_name(tmp_path):
    files = [(BY_NAME[name].select, own(BY_NAME[name], old, new)) for name, old, new, _ in SLIPS]
    for (name, old, new, message), (status, out) in zip(SLIPS, judged(tmp_path, files), strict=True):
        said = [
            line for line in out.splitlines() if not line.startswith("    assert ")
        ]  # a line of source has it anyway
        assert status == 1 and message in "\n".join(said), f"{name}, {new} for {old}: {out}"
        assert out.count("\n") <= 25, out


@pytest.mark.slow
def test_other_forms_of_what_is_right_pass(tmp_path):
    """No test asks for the bits of the package's own form: Eq. (21) as Bayes' rule is right, too."""
    files = [(BY_NAME[name].select, own(BY_NAME[name], old, new)) for name, old, new in ALSO_RIGHT]
    for (name, _, new), (status, out) in zip(ALSO_RIGHT, judged(tmp_path, files), strict=True):
        assert status == 0, f"{name}, {new}: {out}"


@pytest.mark.slow
def test_a_file_of_another_exercise_says_how_its_tests_are_selected(tmp_path):
    both = f"{own(BY_NAME['eq22'])}\n\n{own(BY_NAME['eq17'])}"
    (status, out), (second, _) = judged(tmp_path, [("eq21", both), ("eq17 or eq22", both)])
    assert status == 4 and out.endswith("polyak is selected; the tests of this file are -k 'eq17 or eq22'\n\n"), out
    assert second == 0  # two exercises in one file


BAD = [  # text of FILE, what is said of it
    ("def revers_mean(a_i):\n    pass\n", "the equation index has no revers_mean; did you mean reverse_mean?"),
    ("def reverse_mean(a, b):\n    pass\n", "reverse_mean(a, b) should have the parameters (a_i, eps_theta, alpha_i,"),
    ("def reverse_mean(:\n", ", line 1: invalid syntax"),
    ("import nothing_of_this_name\n", "does not run: ModuleNotFoundError: No module named 'nothing_of_this_name'"),
    ("raise SystemExit(3)\n", "does not run: SystemExit: 3"),
    ("def _helper():\n    pass\n", "defines no function"),
    ("class NoiseNetwork:\n    pass\n", "the equation index has no NoiseNetwork"),
]


@pytest.mark.slow
def test_a_bad_file_is_one_line_and_status_4(tmp_path):
    found = judged(tmp_path, [("eq21", text) for text, _ in BAD])
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--mine", "nothing.py"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 4 and run.stderr.strip() == "ERROR: --mine: nothing.py: No such file or directory"
    for (_, message), (status, out) in zip(BAD, found, strict=True):
        assert status == 4 and message in out and out.startswith("ERROR: --mine: ") and out.count("\n") <= 2, out
