"""Write stubs to work on: `python -m experiments.exercises eq21` makes my_eq21.py. Signatures are the sources'."""

import ast
import inspect
import sys
import textwrap
from pathlib import Path
from pkgutil import resolve_name

from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from experiments.exercises.judge import exercise
from experiments.exercises.sheet import EXERCISES, Exercise
from experiments.own_file import write_new


def stub(one: Exercise) -> str:
    """Return the text of a stub."""
    head = (
        f'"""{one.title}. {one.minutes} minutes.\n\nThe paper prints\n\n    {one.printed}\n\n'
        f"{one.shapes}\n\nQuestion: {one.question}\n\n"
        f'    pytest -x -k {one.select} --mine my_{one.name}.py\n"""\n\n'
    )
    functions = [resolve_name(f"edgediff.{name}") for name in one.functions]
    left = f'    raise NotImplementedError("{one.title}: yours to write")\n'
    body = "".join(f"\n\n{signature(function)}{left}" for function in functions)
    world = one.functions[0].startswith("world.")
    libraries = "import numpy as np\n" if world else "import torch\nfrom torch import Tensor\n"
    own = f"\n{one.imports}\n" if one.imports else ""
    return head + libraries + own + body


def signature(function) -> str:
    """Return the lines of a function above its docstring."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines(keepends=True)
    node = ast.parse("".join(lines)).body[0]
    assert isinstance(node, ast.FunctionDef)
    return "".join(lines[: node.body[0].lineno - 1])


def main(argv: list[str]) -> int:
    """Write my_NAME.py into the current folder for every name that is given."""
    parser = Parser("python -m experiments.exercises NAME", main.__doc__)
    parser.add_argument("names", metavar="NAME", nargs="+", help=f"one of {', '.join(one.name for one in EXERCISES)}")
    for one in [exercise(name) for name in parser.parse(argv).names]:
        path = Path(f"my_{one.name}.py")
        write_new(path, stub(one))
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("experiments.exercises", main))
