import os
import shutil
import tempfile
from dataclasses import replace

import pytest
from bed import Bed

from experiments.grid.fingerprint import code_of
from experiments.grid.grids import GRIDS
from experiments.grid.record import made_with
from experiments.grid.results import COLUMNS, IDENTITY, identities, sealed


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
        rows = [dict.fromkeys(COLUMNS, "0") | dict(zip(IDENTITY, row, strict=True)) for row in identities(job)]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sealed(rows, made_with(job), code_of(job)).encode())

    return _write_result


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """Let no test of the testbed build a network, and keep the files of all in a folder that is empty at the end."""
    from experiments.testbed import namespaces  # not on every system

    monkeypatch.setattr(namespaces, "NETNS", tmp_path / "netns")
    monkeypatch.setattr(namespaces, "run", lambda command: pytest.fail(f"{command} was run"))
    folder = tmp_path / "files"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert not list(folder.iterdir())


@pytest.fixture
def bed(signals_heard):
    """Return a testbed of a name of its own; at the end, nothing of it may be left."""
    bed = Bed(f"edgediff-test{os.getpid()}")
    yield bed
    for process in bed.started:
        process.kill()
        process.communicate()
    assert bed.namespaces() == [] and not bed.folder.exists()


@pytest.fixture(scope="module")
def chromium():
    """Start a headless browser. `pip install playwright` and any chromium on the path, as of apt, are enough."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = shutil.which("chromium")
    if not path:
        pytest.skip("needs chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def browser_page(chromium):
    """Open an empty tab. The test fails if what it shows writes an error to the console, or wants the network."""
    page, wrong = chromium.new_page(), []
    page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: request.url.startswith(("file:", "data:", "blob:")) or wrong.append(request.url))
    yield page
    page.close()
    assert not wrong
