"""The option `--mine FILE` of the tests: do an exercise, see experiments/exercises/README.md.

It is here because pytest has to know the option before it reads its command line, or it takes FILE for a test.
"""

from typing import Any


def pytest_addoption(parser: Any) -> None:
    """Add the option."""
    parser.addoption("--mine", metavar="FILE", help="test the functions in FILE in place of the package's")
