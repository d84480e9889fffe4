"""What the pictures share: matplotlib without a display, colours of the levels, saving."""

from pathlib import Path

try:
    import matplotlib
except ModuleNotFoundError:
    raise SystemExit('matplotlib is not installed: pip install -e ".[experiments]"') from None

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Patch

from edgediff.world.decision import LEVELS

LEVEL_COLOURS = "#9ecae1", "#4292c6", "#084594"  # levels 0, 1, 2, from light to dark


def level_patches() -> list[Patch]:
    """Return the legend of the levels."""
    return [Patch(color=colour, label=f"level {k}: asks for {eta:g} times the required bandwidth and compute")
            for k, (colour, eta) in enumerate(zip(LEVEL_COLOURS, LEVELS, strict=True))]  # fmt: skip


def save(figure, path: Path, dpi: int = 110) -> None:
    """Write a figure and say where it is."""
    figure.savefig(path, dpi=dpi)
    plt.close(figure)
    print(path)
