"""`pytest -x -k eq21 --mine FILE`: functions in FILE take the place of the package's, and the tests of the index judge.

The files of the package are never touched. A name that starts with an underscore is a helper of FILE's own.
.pytest.ini names this plugin: pytest has to know the option before it reads its command line, or it takes FILE for a
test. What it needs is imported when the option is given.
"""

import difflib
import inspect
import sys
from pathlib import Path
from pkgutil import resolve_name
from types import FunctionType, ModuleType

import pytest


def pytest_addoption(parser):
    """Add the option."""
    parser.addoption("--mine", metavar="FILE", help="test the functions in FILE in place of the package's")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Read FILE."""
    path = config.getoption("mine", None)
    if path is not None:
        config.pluginmanager.register(Mine(taken(Path(path).expanduser())))
        config.option.reportchars = ""


class Mine:
    """The part of pytest that acts where there is a FILE."""

    def __init__(self, functions: dict[str, FunctionType]):
        from experiments.exercises.judge import ROOT, tests_that_judge

        self.functions = functions
        self.place = {(str(ROOT / test.path), test.name): k for k, test in enumerate(tests_that_judge([*functions]))}

    def pytest_sessionstart(self, session):
        """Say what is FILE's."""
        for name in self.functions:
            session.config.pluginmanager.get_plugin("terminalreporter").write_line(f"yours: {name.partition('.')[2]}")

    def pytest_ignore_collect(self, collection_path):
        """Leave out files without a test of these functions."""
        return True if collection_path.is_file() and str(collection_path) not in {p for p, _ in self.place} else None

    @pytest.hookimpl(trylast=True)  # after `-k` has selected
    def pytest_collection_modifyitems(self, items):
        """Keep the tests of these functions, in the order of the index: simplest first."""
        from experiments.exercises.sheet import EXERCISES

        places = {item: self.place.get((str(item.path), item.originalname)) for item in items}
        items[:] = sorted((item for item in items if places[item] is not None), key=places.get)
        if not items:
            mine = [one for one in EXERCISES if {f"edgediff.{name}" for name in one.functions} & {*self.functions}]
            words = " or ".join(dict.fromkeys(one.select for one in mine))
            hint = f"; the tests of this file are -k '{words}'" if words else ""
            raise pytest.UsageError(f"--mine: no test of {', '.join(self.functions)} is selected{hint}")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtestloop(self):
        """Run the tests with the functions of FILE in place."""
        from experiments.exercises.judge import in_place

        with in_place(self.functions) as self.watched:
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        """Say what `check` says, also where a test holds and the form is wrong."""
        from experiments.exercises.judge import explain

        report = (yield).get_result()
        if call.when == "call" and not report.skipped:
            error = call.excinfo.value if call.excinfo else None
            report.longrepr = explain(error, item.function, self.watched) or None
            report.outcome = "failed" if report.longrepr else "passed"


def taken(path: Path) -> dict[str, FunctionType]:
    """Return the functions of FILE by the names of those of the package that they replace."""
    from edgediff.errors import ConfigError
    from experiments.exercises.judge import fitting
    from experiments.page.index import ROWS

    known: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for row in ROWS for name in row.functions):
        if inspect.isfunction(resolve_name(name)):
            known.setdefault(name.rpartition(".")[2], []).append(name)
    found = {}
    for name, function in load(path).items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0)[0]
            raise pytest.UsageError(f"--mine: {path}: the equation index has no {name}; did you mean {near}?")
        try:
            found[fitting(name, function, known[name])] = function
        except ConfigError as error:
            raise pytest.UsageError(f"--mine: {path}: {error}") from None
    return found


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
