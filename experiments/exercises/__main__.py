"""Write the stubs: python -m experiments.exercises. Signatures come from the sources, the rest from sheet.py."""

import ast
import inspect
import textwrap
from pkgutil import resolve_name

from experiments import ROOT
from experiments.exercises.sheet import EXERCISES, Exercise


def stub(exercise: Exercise) -> str:
    """Return the text of a stub."""
    head = (
        f'"""{exercise.title}. {exercise.minutes} minutes.\n\nThe paper prints\n\n    {exercise.printed}\n\n'
        f"{exercise.shapes}\n\nQuestion: {exercise.question}\n\n"
        f"    cp experiments/exercises/{exercise.name}.py my_{exercise.name}.py\n"
        f'    pytest -x -k {exercise.select} --mine my_{exercise.name}.py\n"""\n\n'
    )
    functions = [resolve_name(f"edgediff.{name}") for name in exercise.functions]
    left = f'    raise NotImplementedError("{exercise.title}: yours to write")\n'
    body = "".join(f"\n\n{signature(function)}{left}" for function in functions)
    world = exercise.functions[0].startswith("world.")
    libraries = "import numpy as np\n" if world else "import torch\nfrom torch import Tensor\n"
    own = f"\n{exercise.imports}\n" if exercise.imports else ""
    return head + libraries + own + body


def signature(function) -> str:
    """Return the lines of a function above its docstring."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines(keepends=True)
    node = ast.parse("".join(lines)).body[0]
    assert isinstance(node, ast.FunctionDef)
    return "".join(lines[: node.body[0].lineno - 1])


def main() -> None:
    """Write all stubs."""
    for exercise in EXERCISES:
        ROOT.joinpath("experiments/exercises", f"{exercise.name}.py").write_text(stub(exercise))


if __name__ == "__main__":
    main()
