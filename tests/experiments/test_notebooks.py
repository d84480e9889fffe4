"""The notebooks of the course run from top to bottom, solved and as they are."""

import re

import pytest
from solved import own

from experiments import ROOT
from experiments.exercises.judge import exercise

nbformat = pytest.importorskip("nbformat", reason="needs nbclient and ipykernel")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")
NOTEBOOKS = sorted(ROOT.joinpath("experiments/exercises").glob("*.ipynb"))
CHECK = re.compile(r'^check\("(\w+)", .*', re.M)


def executed(path, solve):
    """Run a notebook; return what each cell with a check prints, by the name of its exercise."""
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    for cell in notebook.cells:
        if solve and (found := CHECK.search(cell.source)):
            cell.source = f"{own(exercise(found[1]))}\n\n{found[0]}"
        elif not solve and "plt.plot" in cell.source:
            cell.source = ""  # the picture is made once
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": path.parent}}).execute()
    checks = {found[1]: cell for cell in notebook.cells if (found := CHECK.search(cell.source))}
    assert len(checks) > 4
    pictures = [out for cell in notebook.cells for out in cell.get("outputs", ()) if "image/png" in out.get("data", {})]
    assert len(pictures) == int(solve)
    return {name: "".join(out.text for out in cell.outputs) for name, cell in checks.items()}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_solved_and_as_it_is(path):
    for name, said in executed(path, solve=False).items():
        assert re.fullmatch(rf"{name}: \w+ is empty: yours to write\n", said), said
    for name, said in executed(path, solve=True).items():
        assert re.fullmatch(rf"{name}: right: \d+ tests pass\n", said), said


def test_each_class_has_a_notebook():
    assert len(NOTEBOOKS) == 3
