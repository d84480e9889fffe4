"""Installed from a clone called edgediff, the package works in any folder, also in the one that holds the clone."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SITE = Path(pytest.__file__).parents[1]  # torch and setuptools are taken from here


@pytest.mark.slow
@pytest.mark.parametrize("editable", [["--editable"], []], ids=["editable", "wheel"])
def test_an_installed_package_works_anywhere(tmp_path, editable):
    pytest.importorskip("setuptools", "70.1")  # the first that makes a wheel alone
    pytest.importorskip("pip")
    clone, elsewhere, home = tmp_path / "edgediff", tmp_path / "elsewhere", tmp_path / "venv"
    shutil.copytree(ROOT / "edgediff", clone / "edgediff", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "README.md"):
        shutil.copy(ROOT / name, clone)
    elsewhere.mkdir()
    venv.create(home, symlinks=True)
    python = home / "bin/python"
    next(home.glob("lib/python*/site-packages")).joinpath("others.pth").write_text(f"{SITE}\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*words, folder=elsewhere):
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    offline = "--no-deps", "--no-build-isolation", "--no-index", "--quiet"
    run(sys.executable, "-m", "pip", "--python", python, "install", *offline, *editable, clone)
    code = "import edgediff, edgediff.world.simulator as s; print(edgediff.__version__, s.__file__)"
    for folder in (tmp_path, elsewhere, clone):
        _, found = run(python, "-c", code, folder=folder).split()
        assert Path(found).is_relative_to(clone if editable or folder == clone else home)
    assert "python -m edgediff.train" in run(python, "-m", "edgediff.train", "--help", folder=tmp_path)
    shown = run(python, "-c", "import importlib.metadata as m; print(m.metadata('edgediff').get_payload())")
    assert "reference implementation" in shown and "](" not in shown  # a package index knows no relative link
