"""What the pictures share: matplotlib without a display, colours of the levels, saving."""

import os
from io import BytesIO
from pathlib import Path

try:
    given = os.environ.pop("MPLBACKEND", None)  # a notebook hands its own on to `!command`, where it may not be known
    import matplotlib
except ModuleNotFoundError:
    raise SystemExit('matplotlib is not installed: pip install -e ".[experiments]"') from None

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Patch
from PIL import Image, PngImagePlugin

from edgediff.config import RunConfig
from edgediff.learner.agent import Agent
from edgediff.run.atomic import write_atomically
from edgediff.run.scores import agent_policy
from edgediff.world.decision import LEVEL_FACTORS
from edgediff.world.rollout import Policy
from experiments.own_file import refuse_foreign

if given:
    os.environ["MPLBACKEND"] = given
LEVEL_COLOURS = "#9ecae1", "#4292c6", "#084594"  # levels 0, 1, 2, from light to dark
MARK = "edgediff"  # in every picture of ours; a file without it is another's, and stays
matplotlib.rcParams["svg.hashsalt"] = MARK  # the same picture is the same file


def level_patches() -> list[Patch]:
    """Return the legend of the levels."""
    labels = [
        f"level {k}: asks for {eta:g} times the required bandwidth and compute" for k, eta in enumerate(LEVEL_FACTORS)
    ]
    return [Patch(color=colour, label=label) for colour, label in zip(LEVEL_COLOURS, labels, strict=True)]


def evaluated(agent: Agent, run: RunConfig) -> tuple[str, Policy]:
    """Return what to call the policy that an evaluation takes, and the policy."""
    label, policy = agent_policy(agent, run)
    return label + " noise draws" * (agent.MODES[0] == "mean"), policy


def save(figure, path: Path, dpi: int = 130) -> None:
    """Write a figure and say where it is: an SVG with its letters as curves, or a PNG of few colours, which is smaller.

    Pages of a repository are some 860 pixels wide, as wide as an SVG of 9 inches.
    """
    drawn = BytesIO()
    if path.suffix == ".svg":
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": MARK})
        write_picture(path, drawn.getvalue())
    else:
        figure.savefig(drawn, dpi=dpi)
        save_few_colours(Image.open(drawn), path)
    plt.close(figure)
    print(path)


def save_few_colours(image: Image.Image, path: Path) -> None:
    """Write a PNG of 256 colours, which is a third as large as one of all colours."""
    few = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    drawn, mark = BytesIO(), PngImagePlugin.PngInfo()
    mark.add_text("Software", MARK)
    few.save(drawn, "PNG", optimize=True, pnginfo=mark)
    write_picture(path, drawn.getvalue())


def write_picture(path: Path, content: bytes) -> None:
    """Write a picture that has our mark, over an older one of ours or where nothing is."""
    refuse_foreign(path, MARK, "picture")
    write_atomically(path, content)
