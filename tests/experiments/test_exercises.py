"""Stubs are empty, the package's own functions pass, and a slip is called by name."""

import functools
import inspect
import re
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

import pytest
from solved import own

from experiments import ROOT
from experiments.exercises import __main__ as stubs
from experiments.exercises import check, option
from experiments.exercises.__main__ import stub
from experiments.exercises.judge import exercise, verdict
from experiments.exercises.sheet import EXERCISES

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}
SLIPS = [  # exercise, what stands in the package, what stands there instead, what the first test says
    ("eq02", "+ queueing_s", "- queueing_s", "the queueing delay is subtracted"),
    ("eq02", " + propagation_s", "", "Eq. (8) drops it, Eq. (2) has it"),
    ("eq05", "np.maximum(backlog_bits - served_bits, 0.0)", "backlog_bits - served_bits", "the queue is negative"),
    ("eq05", "_time_at_rate(backlog_bits, available_bps)", "available_bps / backlog_bits", "R / Q in place of Q / R"),
    ("eq05", "_time_at_rate(backlog_bits, available_bps)", "np.divide(backlog_bits, available_bps + 1e-9)",
     "divide by the rate itself"),
    ("eq05", "_time_at_rate(backlog_bits, available_bps)",
     "np.where(np.greater(backlog_bits, 0), _time_at_rate(backlog_bits, available_bps), 0.0)",
     "the wait of an empty queue at rate 0 is infinite"),
    ("eq10", "> deadline_s", ">= deadline_s", "a limit that is reached exactly is not violated"),
    ("eq10", "return ", "return 0 < ", "bool + bool is `or` in NumPy"),
    ("eq10", "late + 1 * short + 1 * (", "late | 1 * short | 1 * (", "phi counts the violated constraints"),
    ("eq10", "1 * late + 1 * short + 1 *", "late + short +", "bool + bool is `or` in NumPy"),
    ("eq13", "cost + penalty", "cost - penalty", "the sign of kappa phi"),
    ("eq13", "return -", "return ", "the minus before the bracket is missing"),
    ("eq13", "penalty * phi", "phi", "the penalty kappa is taken as 1"),
    ("eq15", ".sum(dim=1)", ".mean(dim=1)", "V is the sum"),
    ("eq15", ".sum(dim=1)", ".sum(dim=0)", "the sum over the batch"),
    ("eq15", "(pi * q)", "(pi.softmax(dim=1) * q)", "a second softmax"),
    ("eq15", "n_step_return + discount * next_value", "discount * (n_step_return + next_value)", "not the reward"),
    ("eq15", "(pi * q).sum(dim=1)", "q.max(dim=1).values", "this is the max backup of Eq. (14)"),
    ("eq15", "discount * next_value", "0.9 * next_value", "a backup without mask"),
    ("eq15", "discount * next_value", "(discount * next_value)[:, None]", "(B,) with (B, 1) becomes (B, B)"),
    ("eq15", "discount * next_value", "(1 - discount) * next_value", "`discount` is gamma^m already"),
    ("eq16", "error1.square().mean() + error2.square().mean()", "torch.minimum(error1, error2).square().mean()",
     "each has a loss of its own"),
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
    ("eq19", "alpha_bar[i - 1])", "alpha[i - 1])", "the misprint of the paper"),
    ("eq19", "def denoise", "@torch.no_grad()\ndef denoise", "no gradient reaches noise"),
    ("eq19", "noise[num_steps - i + 1]", "torch.randn_like(a)", "the noise is an argument, draw none"),
    ("eq21", "(1 - alpha_bar_i)", "(1 - alpha_i)", "this is Eq. (21) as printed, the bar forgotten"),
    ("eq21", "(a_i - (", "(a_i + (", "the predicted noise is added"),
    ("eq21", " / alpha_i**0.5", "", "the factor 1 / sqrt(alpha_i) is missing"),
    ("eq21", "/ alpha_i**0.5", "/ alpha_i", "divided by alpha_i, not by its square root"),
    ("eq21", "(a_i - (1 - alpha_i) / (1 - alpha_bar_i) ** 0.5 * eps_theta) / alpha_i**0.5",
     "a_i - (1 - alpha_i) / (1 - alpha_bar_i) ** 0.5 * eps_theta / alpha_i**0.5", "a bracket is missing"),
    ("eq21", "(a_i - (1 - alpha_i) / (1 - alpha_bar_i) ** 0.5 * eps_theta) / alpha_i**0.5",
     "(a_i - (1 - alpha_bar_i) ** 0.5 * eps_theta) / alpha_bar_i**0.5", "this is the a_0 that the noise implies"),
    ("eq22", "return Schedule(beta, 1 - beta, ", "return Schedule(beta.numpy(), 1 - beta, ",
     "torch tensors, not ndarray"),
    ("eq22", "torch.exp(-beta_min", "torch.exp(beta_min", "the sign of beta_min / N"),
    ("eq22", "(beta_max - beta_min)", "beta_max", "the factor is beta_max - beta_min"),
    ("eq22", "beta = 1 - torch", "beta = torch", "this is alpha_1; beta_1 is 1 - alpha_1"),
    ("eq22", "dtype=torch.float64", "dtype=torch.float32", "the schedule is in float64, not in torch.float32"),
    ("eq22", "torch.arange(1, num_steps + 1", "torch.arange(0, num_steps", "i counts from 0"),
    ("eq22", "torch.cumprod(1 - beta, 0)", "1 - beta", "the bar is forgotten"),
    ("eq22", "cumprod(1", "cumsum(1", "cumsum in place of cumprod"),
    ("eq24", "beta_i / (alpha_i * (1 - alpha_bar_i)) ** 0.5", "beta_i / alpha_i * alpha_i**0.5",
     "this is Eq. (24) as printed"),
    ("eq24", "(1 - alpha_bar_i)", "(1 - alpha_i)", "this is Eq. (21) as printed, the bar forgotten"),
    ("eq25", " - 1 / num_actions", "", "not centred"),
    ("eq25", "math.log(confidence * (num_actions - 1) / (1 - confidence))",
     "(confidence * (num_actions - 1) / (1 - confidence))", "c is a logarithm"),
    ("eq25", ".sum(dim=1).mean()", ".mean()", "the mean over coordinates too"),
    ("eq25", "torch.nn.functional.one_hot(q.argmax(dim=1), num_actions)", "(q == q.max()).float()",
     "for the whole batch"),
    ("eq25", "confidence * (num_actions - 1) / (1 - confidence)", "0.9 * (num_actions - 1) / 0.1", "0.9 is fixed"),
    ("eq25", "(eps - eps_theta)", "(eps - eps_theta.detach())", "no gradient reaches eps_theta"),
    ("line16", ").mean()", ")", "shape (2,) is not ()"),
    ("line16", "state_value(log_pi.exp(), q) + entropy_temperature * entropy(log_pi)",
     "log_pi.exp() * q - entropy_temperature * log_pi.exp() * log_pi", "the mean over actions too"),
    ("line16", "state_value(log_pi.exp(), q)", "state_value(log_pi, q)", "log pi Q in place of pi Q"),
    ("line16", "log_pi.exp(), q", "log_pi.exp().detach(), q", "is pi or H(pi) detached?"),
    ("line16", "entropy(log_pi)", "entropy(log_pi.detach())", "is pi or H(pi) detached?"),
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
    ("step", '"priority": view.flow["priority"].copy(), ', "", "info has no priority"),
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


def judged(name, text):
    """Judge the functions of a file by the tests of an exercise, as `check` does."""
    module = ModuleType("yours")
    exec(compile(text, "yours.py", "exec"), vars(module))
    return verdict(exercise(name), [vars(module)[each.rpartition(".")[2]] for each in exercise(name).functions])


def session(folder, text, *options):
    """Let pytest judge a file, as a student does; return status and output."""
    folder.joinpath("my.py").write_text(text)
    run = subprocess.run([sys.executable, "-m", "pytest", "-x", *options, f"--mine={folder / 'my.py'}"], cwd=ROOT,
                         capture_output=True, text=True, timeout=300)  # fmt: skip
    return run.returncode, run.stdout + run.stderr


def test_the_course_page_names_every_exercise():
    page = ROOT.joinpath("experiments/exercises/README.md").read_text()
    assert all(f"`{name}` " in page and f"\n- {name}: " in page for name in BY_NAME)  # with an answer


def test_each_class_of_the_course_has_90_minutes_and_its_exercises_fit():
    classes = ROOT.joinpath("experiments/exercises/README.md").read_text().split("\n## Class ")[1:]
    assert len(classes) == 3
    for each in classes:
        parts = dict(re.findall(r"^\*\*(\w+)\*\* \((\d+) minutes", each, re.M))
        for part in {"Before", "Write"} & {*parts}:
            listed = each.partition(f"**{part}**")[2].partition("\n")[0].partition("For those")[0]
            assert int(parts[part]) == sum(BY_NAME[name].minutes for name in re.findall(r"`(\w+)`", listed))
        assert sum(int(parts[name]) for name in {*parts} - {"Before"}) == 90


def test_a_stub_is_written_once(call, tmp_path):
    assert call(stubs, "eq21") == (0, "my_eq21.py\n", "")
    assert tmp_path.joinpath("my_eq21.py").read_text() == stub(BY_NAME["eq21"])
    assert call(stubs, "eq21")[0] == 2 and call(stubs, "eq20")[2].count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_NAME, ids=range(len(BY_NAME)))  # no "eq02", which `-k eq02` would select
def test_a_stub_is_empty_and_the_packages_own_function_passes(name):
    right, said = judged(name, stub(BY_NAME[name]))
    assert not right and said.endswith(f"{BY_NAME[name].title}: yours to write") and said.count("\n") == 0
    right, said = judged(name, own(BY_NAME[name]))
    assert right, said


@pytest.mark.slow
@pytest.mark.parametrize("name, old, new, message", SLIPS, ids=range(len(SLIPS)))
def test_every_slip_fails_in_its_first_test_by_name(name, old, new, message):
    right, said = judged(name, own(BY_NAME[name], old, new))
    assert not right and message in said.partition("The test asks:")[0] and said.count("\n") <= 12, said


@pytest.mark.slow
@pytest.mark.parametrize("name, old, new", ALSO_RIGHT, ids=range(len(ALSO_RIGHT)))
def test_other_forms_of_what_is_right_pass(name, old, new):
    """No test asks for the bits of the package's own form: Eq. (21) as Bayes' rule is right, too."""
    right, said = judged(name, own(BY_NAME[name], old, new))
    assert right, said


@pytest.mark.slow
def test_what_a_student_sees(tmp_path):
    """Five sessions of pytest: an empty stub, a slip, a right one, two exercises in one file, another exercise."""
    one = BY_NAME["eq21"]
    status, out = session(tmp_path, stub(one), "-k", "eq21")
    assert status == 1 and f"reverse_mean is empty: {one.title}: yours to write" in out and out.count("\n") <= 12, out
    status, out = session(tmp_path, own(one, "(1 - alpha_bar_i)", "(1 - alpha_i)"), "-k", "eq21")
    assert status == 1 and "yours: learner.diffusion.reverse_mean\n" in out and out.count("\n") <= 20, out
    assert "this is Eq. (21) as printed, the bar forgotten" in out and "The test asks: a_i = 2, eps = 1" in out, out
    status, out = session(tmp_path, own(one), "-k", "eq21")
    assert status == 0, out
    both = f"{own(BY_NAME['eq22'])}\n\n{own(BY_NAME['eq17'])}"
    status, out = session(tmp_path, both, "-k", "eq17 or eq22")
    assert status == 0, out
    status, out = session(tmp_path, both, "-k", "eq21")
    assert status == 4 and out.endswith("polyak is selected; the tests of this file are -k 'eq17 or eq22'\n\n"), out


BAD = [  # text of FILE, what is said of it
    ("def revers_mean(a_i):\n    pass\n", "the equation index has no revers_mean; did you mean reverse_mean?"),
    ("def reverse_mean(a, b):\n    pass\n", "reverse_mean(a, b) should have the parameters (a_i, eps_theta, alpha_i,"),
    ("def reverse_mean(:\n", ", line 1: invalid syntax"),
    ("import nothing_of_this_name\n", "does not run: ModuleNotFoundError: No module named 'nothing_of_this_name'"),
    ("raise SystemExit(3)\n", "does not run: SystemExit: 3"),
    ("def _helper():\n    pass\n", "defines no function"),
    ("class NoiseNetwork:\n    pass\n", "the equation index has no NoiseNetwork"),
]


@pytest.mark.parametrize("text, message", BAD)
def test_a_bad_file_is_one_line(tmp_path, text, message):
    tmp_path.joinpath("my.py").write_text(text)
    with pytest.raises(pytest.UsageError) as error:
        option.taken(tmp_path / "my.py")
    said = str(error.value)
    assert said.startswith(f"--mine: {tmp_path}/my.py") and message in said and "\n" not in said


def test_a_file_that_is_not_there_is_one_line():
    with pytest.raises(pytest.UsageError, match=r"\A--mine: nothing.py: No such file or directory\Z"):
        option.taken(Path("nothing.py"))


def test_check_prints_one_line_for_what_it_cannot_judge(capsys):
    check("eq20", print)
    check("eq21", lambda a, b: a)
    check("eq05", lambda backlog_bits, available_bps: 0)
    check("eq13", lambda cost, phi, penalty: 0)
    check()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and "eq02, eq05" in lines[0] and "(a_i, eps_theta, " in lines[1], lines
    assert 'check("eq05", queueing_delay, drain_backlog)' in lines[2] and "eq02, eq05" in lines[4]
    assert "(cost, phi, penalty) should have the parameters (cost, phi, penalty=1.0) of reward" in lines[3]


@pytest.mark.slow
@pytest.mark.parametrize("result, message", [
    ((1.0).__add__, "it returns a method, __add__: are its () missing?"),
    ("2", "it returns str '2', where a number or an array belongs"),
    (None, "it returns nothing: is `return` missing?"),
])  # fmt: skip
def test_a_result_that_is_no_number_is_called_so(result, message):
    for name, words in (("eq13", "reward"), ("eq21", "reverse_mean")):
        function = resolve_name(f"edgediff.{BY_NAME[name].functions[0]}")
        right, said = verdict(BY_NAME[name], [functools.wraps(function)(lambda *args, **named: result)])
        assert not right and said.startswith(f"{words}: {message}"), said


@pytest.mark.slow
def test_check_all_lists_what_is_solved(capsys):
    """Of what a notebook holds: a right function, a wrong one, one with other parameters, one that is the package's."""
    from edgediff.learner.losses import polyak
    from edgediff.world.delay import total_delay

    def mine(*parts):
        return total_delay(*parts)

    mine.__signature__ = inspect.signature(total_delay)
    there = dict(total_delay=mine, reverse_mean=lambda a_i, eps_theta, alpha_i, alpha_bar_i: a_i, reward=lambda x: x)
    check.all(there | dict(polyak=polyak, queueing_delay=lambda backlog_bits, available_bps: 0, Path=Path, one=1))
    *lines, last = capsys.readouterr().out.splitlines()
    said = {line.split()[0]: line.partition(" ")[2].strip() for line in lines}
    assert said.pop("eq02") == "solved" and said.pop("eq05") == "not yet: a function is missing"
    assert said.pop("eq13").startswith("not yet: <lambda>(x) should have the parameters (cost, phi, penalty=1.0)")
    assert said.pop("eq21").startswith("not yet: ") and not said
    assert last.startswith("1 solved; not begun: eq10, eq15, eq16, eq17, eq18, ")
