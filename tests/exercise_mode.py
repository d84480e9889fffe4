"""`pytest -x -k eq21 --mine FILE`: functions in FILE take the place of the package's, and the tests of the index judge.

The files of the package are never touched. A name that starts with an underscore is a helper of FILE's own.
"""

import difflib
import inspect
import sys
from pathlib import Path
from pkgutil import resolve_name
from types import FunctionType, ModuleType

import pytest

from experiments.exercises.sheet import EXERCISES
from experiments.page.index import ROOT, ROWS, tests_of


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Take the functions of FILE; keep what a failure prints short."""
    mine = config.getoption("mine", None)
    if mine is not None:
        config.pluginmanager.register(Mine(take(Path(mine).expanduser())))
        config.option.tbstyle = "short" if config.option.tbstyle == "auto" else config.option.tbstyle
        config.option.reportchars = ""


class Mine:
    """The part of pytest that acts once functions of FILE are in place."""

    def __init__(self, names: list[str]):
        self.names = names
        rows = [row for row in ROWS if set(row.functions) & set(names)]
        tests = tests_of(rows, [*names, *(each for row in rows for each in row.functions)])
        self.place = {(str(ROOT / test.path), test.name): k for k, test in enumerate(tests)}

    def pytest_sessionstart(self, session):
        """Say what is FILE's."""
        for name in self.names:
            session.config.pluginmanager.get_plugin("terminalreporter").write_line(f"yours: {name.partition('.')[2]}")

    def pytest_ignore_collect(self, collection_path):
        """Leave out files without a test of these functions."""
        return True if collection_path.is_file() and str(collection_path) not in {p for p, _ in self.place} else None

    @pytest.hookimpl(trylast=True)  # after `-k` has selected
    def pytest_collection_modifyitems(self, items):
        """Keep the tests of these functions, in the order of the index: simplest first."""
        places = {item: self.place.get((str(item.path), item.originalname)) for item in items}
        items[:] = sorted((item for item in items if places[item] is not None), key=places.get)
        if not items:
            words = [
                each.select for each in EXERCISES if {f"edgediff.{name}" for name in each.functions} & {*self.names}
            ]
            hint = f"; the tests of this file are -k '{' or '.join(dict.fromkeys(words))}'" if words else ""
            raise pytest.UsageError(f"--mine: no test of {', '.join(self.names)} is selected{hint}")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item):
        """Show the docstring of a test that fails, with its numbers by hand."""
        report = (yield).get_result()
        if report.failed:
            report.sections.insert(0, ("what the test asks", inspect.getdoc(item.function) or ""))


def take(path: Path) -> list[str]:
    """Put the functions of FILE in the place of the package's; return the package's names of them."""
    known: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for row in ROWS for name in row.functions):
        if inspect.isfunction(resolve_name(name)):
            known.setdefault(name.rpartition(".")[2], []).append(name)
    taken = {}
    for name, function in load(path).items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0)[0]
            raise pytest.UsageError(f"--mine: {path}: the equation index has no {name}; did you mean {near}?")
        wanted = {each: list(inspect.signature(resolve_name(each)).parameters) for each in known[name]}
        found = list(inspect.signature(function).parameters)
        same = [each for each in wanted if wanted[each] == found]
        if not same:
            right = " or ".join(f"({', '.join(parameters)})" for parameters in wanted.values())
            raise pytest.UsageError(f"--mine: {path}: {name}({', '.join(found)}) should have the parameters {right}")
        taken[same[0]] = function
    for name, function in taken.items():
        put(resolve_name(name), function)
    return list(taken)


def load(path: Path) -> dict[str, FunctionType | type]:
    """Run FILE; return the functions and classes that it defines, without its helpers."""
    module = sys.modules["yours"] = ModuleType("yours")
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # not imported: no stale bytecode
    except SyntaxError as error:
        raise pytest.UsageError(f"--mine: {path}, line {error.lineno}: {error.msg}") from None
    except OSError as error:
        raise pytest.UsageError(f"--mine: {path}: {error.strerror or error}") from None
    except (Exception, SystemExit) as error:
        line = " ".join(f"{type(error).__name__}: {error}".split())
        raise pytest.UsageError(f"--mine: {path} does not run: {line}") from None
    own = {name: value for name, value in vars(module).items() if getattr(value, "__module__", "") == "yours"}
    functions = {name: v for name, v in own.items() if isinstance(v, (FunctionType, type)) and name[0] != "_"}
    if not functions:
        raise pytest.UsageError(f"--mine: {path} defines no function")
    return functions


def put(right: FunctionType, yours: FunctionType) -> None:
    """Put a function in the place of another one in every loaded module, class and default value that holds it."""
    modules = [m for name, m in sys.modules.items() if name.startswith(("edgediff.", "experiments.variants"))]
    for module in modules:
        for owner in (module, *filter(inspect.isclass, vars(module).values())):
            for name, value in list(vars(owner).items()):
                if value is right:
                    setattr(owner, name, yours)
                elif isinstance(value, staticmethod) and value.__func__ is right:
                    setattr(owner, name, staticmethod(yours))
                elif isinstance(value, FunctionType) and value.__defaults__:
                    value.__defaults__ = tuple(yours if each is right else each for each in value.__defaults__)
