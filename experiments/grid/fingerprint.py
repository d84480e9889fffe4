"""A fingerprint of the code that a result depends on."""

import ast
import hashlib
import json
from functools import cache
from typing import Any

from experiments import ROOT
from experiments.grid.grid import Job
from experiments.variants.planning import PLANNERS

WORLD = "edgediff/config.py", "edgediff/world/*.py"
LEARNING = ("edgediff/**/*.py",)
VARIANTS = "experiments/variants/*.py"
ONLINE = "control", "gym"  # packages that no experiment uses


def code_of(job: Job) -> str:
    """Return the fingerprint of what a job runs: for a rule, the world; of a variant, also its own class or state."""
    planned = job.agent in PLANNERS or any("planner_horizon" in given for given in job.evaluate)
    other = bool(planned or job.variant.agent_class or job.variant.observe)
    return fingerprint(*(LEARNING if job.agent_class else WORLD), *[VARIANTS] * other)


@cache
def fingerprint(*patterns: str) -> str:
    """Return twelve digits of the SHA-256 of sources; their comments, docstrings and layout do not count."""
    files = {file for pattern in patterns for file in ROOT.glob(pattern) if file.parent.name not in ONLINE}
    parts = [[file.relative_to(ROOT).as_posix(), essence(ast.parse(file.read_bytes()))] for file in sorted(files)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def essence(node: Any) -> Any:
    """Return a syntax tree as lists, without statements that are a mere constant, as a docstring is.

    What is empty is left out, since versions of Python differ in it; `ast.dump` would not be the same in all.
    """
    if isinstance(node, list):
        return [essence(each) for each in node if not is_constant(each)]
    if isinstance(node, ast.AST):
        return [type(node).__name__, *([name, essence(x)] for name, x in ast.iter_fields(node) if x not in (None, []))]
    return repr(node)


def is_constant(node: Any) -> bool:
    """Tell whether a statement does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
