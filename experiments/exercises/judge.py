"""Judge functions by the tests of their equation, in this process: `check` for notebooks, and what `--mine` says.

A function takes the place of the package's in every loaded module while its tests run, then the package's comes back.
"""

import importlib.util
import inspect
import itertools
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING

from edgediff.errors import ConfigError
from experiments import ROOT
from experiments.exercises.sheet import EXERCISES, Exercise
from experiments.page.index import ROWS, Test, keywords, tests_of

if TYPE_CHECKING:  # it needs torch
    from experiments.exercises.forms import Watched

IN_PLACE = "is changed in place"  # as forms.py says it
JUDGED = "judged_"  # what the names of test modules that are loaded here start with
UNKNOWN = "is not the number by hand"  # a slip without a name
OF_LIBRARIES = (
    "Tensor-likes",
    "Scalars are not",
    "The values for",
    "\nNot equal to",
    "\nArrays are not",
)  # not our words


def exercise(name: str) -> Exercise:
    """Return an exercise; raise ConfigError with all names for one that there is not."""
    known = {each.name: each for each in EXERCISES}
    if name not in known:
        raise ConfigError(f"exercise: {name!r} is not one of {', '.join(known)}")
    return known[name]


def fitting(name: str, function: FunctionType, places: Sequence[str]) -> str:
    """Return which of the package's functions a function may replace; raise ConfigError with the right parameters."""
    wanted, found = {place: parameters(resolve_name(place)) for place in places}, parameters(function)
    for place in places:
        if wanted[place] == found:
            return place
    right = " or ".join(f"({', '.join(each)})" for each in wanted.values())
    of = f" of {name}" if function.__name__ != name else ""
    raise ConfigError(f"{function.__name__}({', '.join(found)}) should have the parameters {right}{of}")


def parameters(function: FunctionType) -> list[str]:
    """Return the parameters of a function, with their defaults, as they are written."""
    given = inspect.signature(function).parameters.values()
    return [each.name if each.default is each.empty else f"{each.name}={each.default!r}" for each in given]


def tests_that_judge(functions: Sequence[str]) -> list[Test]:
    """Return the tests of all equations and lines of some functions of the package, the simplest first."""
    rows = [row for row in ROWS if set(row.functions) & set(functions)]
    return tests_of(rows, [*functions, *(each for row in rows for each in row.functions)])


@contextmanager
def in_place(functions: dict[str, FunctionType]) -> Iterator[list["Watched"]]:
    """Put functions in the place of the package's of these dotted names, watched; put those back at the end."""
    from experiments.exercises.forms import Watched

    watched = [Watched(resolve_name(name), function) for name, function in functions.items()]
    try:
        for each in watched:
            put(each.right, each.function)
        yield watched
    finally:
        for each in watched:
            put(each.function, each.right)


def put(right: FunctionType, yours: FunctionType) -> None:
    """Put a function in the place of another one in every loaded module, class and default value that holds it."""
    of_ours = ("edgediff.", "experiments.", "test_", JUDGED)
    for module in [module for name, module in sys.modules.items() if name.startswith(of_ours)]:
        for owner in (module, *filter(inspect.isclass, vars(module).values())):
            for name, value in list(vars(owner).items()):
                if value is right:
                    setattr(owner, name, yours)
                elif isinstance(value, staticmethod) and value.__func__ is right:
                    setattr(owner, name, staticmethod(yours))
                elif isinstance(value, FunctionType) and value.__defaults__:
                    value.__defaults__ = tuple(yours if each is right else each for each in value.__defaults__)


@cache
def loaded(path: str) -> ModuleType:
    """Load a file of tests without pytest."""
    name = JUDGED + Path(path).stem
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(ROOT / "tests"))  # where their helpers are
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "tests"))
    return module


def cases(test: FunctionType) -> list[dict]:
    """Return the arguments of each call of a test; none if it is slow, or needs a fixture that only pytest has."""
    import numpy as np

    given: list[dict] = [{}]
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "slow":
            return []
        if mark.name == "parametrize":
            names = [name.strip() for name in mark.args[0].split(",")]
            rows = [row if len(names) > 1 else [row] for row in mark.args[1]]
            given = [old | dict(zip(names, row, strict=True)) for old, row in itertools.product(given, rows)]
    fixtures = set(inspect.signature(test).parameters) - set(given[0])
    if fixtures - {"rng"}:
        return []
    return [each | {name: np.random.default_rng(7) for name in fixtures} for each in given]


def judge(functions: dict[str, FunctionType], word: str) -> tuple[int, str]:
    """Call the tests that `pytest -k WORD` selects, simplest first; return how many held, and why the next did not."""
    import pytest

    held = 0
    tests = [test for test in tests_that_judge([*functions]) if word in keywords(test.equations, test.lines)]
    found = [getattr(loaded(test.path), test.name) for test in tests]
    with in_place(functions) as watched:
        for test in found:
            for given in cases(test):
                error = None
                try:
                    test(**given)
                except (Exception, pytest.fail.Exception) as caught:
                    error = caught
                if why := explain(error, test, watched):
                    if IN_PLACE in why:  # it may have been a constant of the tests
                        loaded.cache_clear()
                    return held, why
                held += 1
    return held, ""


def explain(error: BaseException | None, test: FunctionType, watched: list["Watched"]) -> str:
    """Say in a few lines what a test found and what it asks; nothing if it held and the form is right, too."""
    form = next((f"{each.yours.__name__}: {said}" for each in watched if (said := each.fault(error is not None))), "")
    if error is None and not form:
        return ""
    path = Path(test.__code__.co_filename)
    place = f"({path.relative_to(ROOT)}, {test.__name__}"
    frames = traceback.extract_tb(error.__traceback__) if error else []
    mine = [frame for frame in frames if frame.filename in {each.source for each in watched}]
    if isinstance(error, NotImplementedError) and mine:
        return f"{mine[-1].name} is empty: {error}"
    place += "".join(f", line {frame.lineno}" for frame in frames if frame.filename == str(path)) + ")"
    line = next((frame.line for frame in reversed(frames) if frame.filename == str(path)), "")
    words, _, rest = str(error).partition("\nassert ")
    ours = isinstance(error, AssertionError) or type(error).__name__ == "Failed"
    ours = ours and words and not words.startswith(OF_LIBRARIES)
    if ours and not (form and words.endswith(UNKNOWN)):
        said = words + "".join(f"\nassert {line}" for line in rest.splitlines()[:1])
    elif form:
        said = form
    elif isinstance(error, AssertionError):
        more = re.findall(r"^(?:Greatest abs.*|.*the same shape.*|Expected .*|assert .*)", words, re.M)
        said = "\n".join([f"this does not hold: `{line}`", *more])
    else:
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        if mine:
            said = f"line {mine[-1].lineno} of yours, `{mine[-1].line}`, stops with {what}"
        else:
            said = f"what {watched[0].yours.__name__} returns does not fit where it is used, in `{line}`: {what}"
    return f"{said}\n\nThe test asks: {inspect.cleandoc(test.__doc__ or '')}\n{place}"


def verdict(one: Exercise, functions: Sequence[FunctionType]) -> tuple[bool, str]:
    """Tell whether the functions of an exercise are right, and what to say; raise ConfigError at other parameters."""
    places = [f"edgediff.{name}" for name in one.functions]
    names = [place.rpartition(".")[2] for place in places]
    if len(functions) != len(names) or not all(isinstance(each, FunctionType) for each in functions):
        raise ConfigError(f'write check("{one.name}", {", ".join(names)}), each a function that you wrote')
    for name, function, place in zip(names, functions, places, strict=True):
        fitting(name, function, [place])
    held, why = judge(dict(zip(places, functions, strict=True)), one.select)
    return not why, why or f"right: {held} tests pass"


def check(name: str = "", *functions: FunctionType) -> None:
    """Print whether functions that you wrote are right: check("eq21", reverse_mean)."""
    try:
        print(f"{name}: {verdict(exercise(name), functions)[1]}")
    except ConfigError as error:
        print(error)


def check_all(namespace: dict | None = None) -> None:
    """Print what is solved: judge every exercise whose functions you have defined in the notebook or shell."""
    there = vars(sys.modules["__main__"]) if namespace is None else namespace
    functions = {name: each for name, each in there.items() if isinstance(each, FunctionType)}
    yours = {name: each for name, each in functions.items() if not str(each.__module__).startswith("edgediff.")}
    solved, others = 0, []
    for one in EXERCISES:
        own = [yours.get(name.rpartition(".")[2]) for name in one.functions]
        if not any(own):
            others.append(one.name)
            continue
        try:
            right, said = verdict(one, own) if all(own) else (False, "a function is missing")
        except ConfigError as error:
            right, said = False, str(error)
        solved += right
        print(f"{one.name:13}{'solved' if right else 'not yet: ' + said.splitlines()[0]}")
    print(f"{solved} solved; not begun: {', '.join(others)}")


check.all = check_all
