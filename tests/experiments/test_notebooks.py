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


def checks(notebook):
    """Return the cells with a check by the name of their exercise."""
    found = {CHECK.search(cell.source)[1]: cell for cell in notebook.cells if CHECK.search(cell.source)}
    assert len(found) > 4
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom_with_the_solutions(path):
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    for name, cell in checks(notebook).items():
        cell.source = f"{own(exercise(name))}\n\n{CHECK.search(cell.source)[0]}"
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": path.parent}}).execute()
    for name, cell in checks(notebook).items():
        said = "".join(out.text for out in cell.outputs)
        assert re.fullmatch(rf"{name}: right: \d+ tests pass\n", said), said
    pictures = [out for cell in notebook.cells for out in cell.get("outputs", ()) if "image/png" in out.get("data", {})]
    assert len(pictures) == (2 if path.stem == "class_2_diffusion" else 1)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_stub_of_a_notebook_is_answered_by_one_line(path, monkeypatch, capsys):
    monkeypatch.chdir(path.parent)
    notebook, names = nbformat.read(path, as_version=4), {}
    setup = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    for name, source in [("", setup), *((name, cell.source) for name, cell in checks(notebook).items())]:
        exec(compile(source, "cell", "exec"), names)
        assert re.fullmatch(rf"{name}: \w+ is empty: yours to write\n" if name else "", capsys.readouterr().out)


def test_each_class_has_a_notebook():
    assert len(NOTEBOOKS) == 3
