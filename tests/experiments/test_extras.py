"""A script whose extra is not installed says so in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
CASES = [("pictures", "matplotlib", "experiments"), ("annotate", "latex2mathml", "experiments"),
         ("cartpole", "gymnasium", "gym")]  # fmt: skip


@pytest.mark.parametrize("script, module, extra", CASES)
def test_a_missing_extra_is_named(script, module, extra):
    code = f"import runpy, sys; sys.modules[{module!r}] = None; runpy.run_path(sys.argv[0], run_name='__main__')"
    code = f"import sys; sys.path[0] = {str(EXPERIMENTS)!r}; sys.argv = [{str(EXPERIMENTS / script)!r} + '.py']; {code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == f'{module} is not installed: pip install -e ".[{extra}]"\n'
