from dataclasses import replace

import pytest

from experiments.grid.grids import GRIDS
from experiments.grid.results import COLUMNS, identities


@pytest.fixture
def tiny():
    """Return a grid of one job that trains within a second, with changes."""

    def _tiny(**changes):
        smoke = GRIDS["smoke"]
        given = dict(agents=("d2sac",), episodes=1, evaluate=(dict(load=1.0),)) | changes
        return replace(smoke, **given | dict(settings=smoke.settings | given.get("settings", {})))

    return _tiny


@pytest.fixture
def write_result():
    """Write a result as a job would, with 0 for every number."""

    def _write_result(path, job):
        lines = [COLUMNS, *([*row, *["0"] * (len(COLUMNS) - len(row))] for row in identities(job))]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(",".join(f'"{cell}"' for cell in line) + "\n" for line in lines))

    return _write_result
