"""Take the small pictures of both pages: `python -m experiments.pictures.screenshots` makes page.png and decision.png.

page.png shows Eq. 21 of the annotated paper, decision.png a decision of the agent of the repository at load 2. It needs
playwright (`pip install playwright`) and a chromium on the path.
"""

import shutil
import sys
from io import BytesIO
from pathlib import Path

from edgediff.errors import ConfigError
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from experiments import RESULTS
from experiments.look import __main__ as look
from experiments.page import __main__ as annotate
from experiments.pictures.drawing import Image, save_few_colours
from experiments.scratch import scratch_folder

FLOW = 14  # at load 2: the agent refuses it, and round robin, greedy and the rules with prices decide otherwise
SHOTS = (("page.png", "#eq21", 15), ("decision.png", "#draws", 56))  # place, and pixels above it; a bar covers some

TO = "([place, above]) => scrollBy(0, document.querySelector(place).getBoundingClientRect().top - above)"


def take(addresses: dict[str, str], folder: Path) -> None:
    """Open each page, scroll to its place, and save what a small window shows."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        raise ConfigError("playwright: is not installed: pip install playwright") from None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for file, place, above in SHOTS:
            page = browser.new_page(viewport={"width": 720, "height": 540}, device_scale_factor=1.5)
            page.goto(addresses[file])
            page.evaluate("document.fonts.ready")
            page.evaluate(TO, [place, above])
            page.wait_for_timeout(1500)  # the figure of a decision is drawn row by row
            save_few_colours(Image.open(BytesIO(page.screenshot())), folder / file)
        browser.close()


def main(argv: list[str]) -> int:
    """Make both pictures."""
    parser = Parser("python -m experiments.pictures.screenshots", main.__doc__)
    parser.add_argument("--output", metavar="FOLDER", help="where to [results/pictures]")
    folder = Path(parser.parse(argv).output or RESULTS / "pictures")
    with scratch_folder() as temporary:
        decisions = temporary / "decisions.html"
        look.main([str(RESULTS / "agent"), "--load", "2", "--output", str(decisions)])
        take({"page.png": annotate.PAGE.as_uri(), "decision.png": f"{decisions.as_uri()}#flow={FLOW}"}, folder)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("experiments.pictures.screenshots", main))
