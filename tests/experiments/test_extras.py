"""A program whose extra is not installed says so in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = [
    ("pictures", "matplotlib", "experiments"),
    ("pictures.screenshots", "latex2mathml", "experiments"),
    ("analysis.tables", "pandas", "experiments"),
    ("analysis.figures", "pandas", "experiments"),
    ("analysis.gateways", "pandas", "experiments"),
    ("analysis.deployed", "pandas", "experiments"),
    ("analysis.testbed_figure", "pandas", "experiments"),
    ("page", "latex2mathml", "experiments"),
    ("cartpole", "gymnasium", "gym"),
]


@pytest.mark.slow
@pytest.mark.parametrize("program, module, extra", CASES)
def test_a_missing_extra_is_named(program, module, extra):
    run = f"runpy.run_module('experiments.{program}', run_name='__main__', alter_sys=True)"
    code = f"import runpy, sys; sys.modules[{module!r}] = None; {run}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and done.stderr == f'{module} is not installed: pip install -e ".[{extra}]"\n'
