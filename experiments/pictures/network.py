"""Draw the edge network of Section 5.1 from its configuration."""

from pathlib import Path

import numpy as np

from edgediff.config import NUM_LEVELS, WorldConfig
from edgediff.world.workload import draw_topology
from experiments.pictures.drawing import plt, save

FLOW, REPORT = "0.35", "C3"  # colours of flows, and of what the controller sees and decides


def box(axes, x: float, y: float, width: float, height: float, text: str, colour: str, size: float = 10) -> None:
    """Draw a box around its middle, with text in it."""
    corner = x - width / 2, y - height / 2
    axes.add_patch(plt.Rectangle(corner, width, height, facecolor=colour, edgecolor="0.3", lw=1, zorder=2))
    axes.text(x, y, text, ha="center", va="center", fontsize=size, zorder=3)


def arrow(axes, start: tuple, end: tuple, colour: str, style: str = "-|>", **look) -> None:
    """Draw an arrow between two points."""
    look = dict(arrowstyle=style, color=colour, shrinkA=0, shrinkB=0) | look
    axes.annotate("", end, start, arrowprops=look, zorder=1)


def draw(world: WorldConfig, path: Path) -> None:
    """Draw workshops, gateways with their capacities, edge server and controller, and the ways between them."""
    figure, axes = plt.subplots(figsize=(9, 6))
    axes.set(xlim=(0, 100), ylim=(0, 64))
    axes.axis("off")
    capacity_mbps = draw_topology(world).capacity_bps / 1e6
    heights = np.linspace(57.5, 16.5, world.num_gateways)
    middle = heights.mean()

    # Workshops: the points of their area are a sample, drawn anew, that only shows what the area looks like.
    rng = np.random.default_rng(0)
    axes.add_patch(plt.Rectangle((2, middle - 16), 22, 32, facecolor="0.97", edgecolor="0.3", lw=1))
    axes.scatter(rng.uniform(3, 23, 200), rng.uniform(middle - 15, middle + 15, 200), s=7, color="C0", alpha=0.7, lw=0)
    workshops = f"{world.num_workshops:,} workshops"
    axes.text(13, middle + 17, workshops, ha="center", va="bottom", fontsize=12, weight="bold")
    rate = f"about {world.flows_per_slot:g} flow per slot of {1000 * world.slot_s:g} ms\nin all"
    axes.text(13, middle - 17, f"{rate}: text, image or 3D scene", ha="center", va="top", fontsize=10)

    axes.text(50, 61, f"{world.num_gateways} gateways", ha="center", va="bottom", fontsize=12, weight="bold")
    for number, (y, mbps) in enumerate(zip(heights, capacity_mbps, strict=True)):
        width = 0.8 + 3.2 * mbps / capacity_mbps.max()  # of the line behind a gateway: its capacity
        arrow(axes, (24, middle + (y - middle) * 0.6), (39, y), FLOW, lw=1)
        axes.plot([61, 78], [y, middle + (y - middle) * 0.35], color=FLOW, lw=width, solid_capstyle="butt", zorder=1)
        box(axes, 50, y, 22, 4.4, f"gateway {number}:  {mbps:.0f} Mbit/s", "#dbe8f5")

    box(axes, 86, middle, 16, 22, "", "#e3f1df")
    axes.text(86, middle + 3, "edge server", ha="center", va="bottom", fontsize=12, weight="bold", zorder=3)
    axes.text(86, middle + 1, f"{world.server_tflops:,.0f} TFLOP/s\nfor all flows", ha="center", va="top", zorder=3)

    box(axes, 50, 5, 50, 9, "", "#fbe9d7")
    axes.text(50, 7.4, "controller", ha="center", va="center", fontsize=12, weight="bold", zorder=3)
    decision = f"sees the state $s$, Eq. (11); decides for each flow:\none of {world.num_gateways} gateways"
    decision += f", one of {NUM_LEVELS} levels, Eq. (12)"
    axes.text(50, 3.6, decision, ha="center", va="center", fontsize=10, zorder=3)
    arrow(axes, (50, 9.5), (50, heights[-1] - 2.2), REPORT, "<|-|>", lw=1.6, ls="--")
    axes.plot([13, 13], [5, middle - 22], color=REPORT, lw=1.6, ls="--")
    arrow(axes, (13, 5), (25, 5), REPORT, lw=1.6, ls="--")
    flow = "the flow $f_w$: size $D$, work $C$,\npriority $p$, deadline $T^{req}$"
    axes.text(1, 3.6, flow, ha="left", va="top", fontsize=9.5, color=REPORT)
    axes.plot([86, 86], [5, middle - 11], color=REPORT, lw=1.6, ls="--")
    arrow(axes, (86, 5), (75, 5), REPORT, lw=1.6, ls="--")
    axes.text(87, 3.6, "free compute $F^{avail}$", ha="center", va="top", fontsize=9.5, color=REPORT)
    seen = "of each gateway $g$: queue $Q_g$,\nfree bandwidth $R_g^{avail}$"
    axes.text(51.5, 11.9, seen, ha="left", va="center", fontsize=9.5, color=REPORT)
    figure.tight_layout(pad=0.3)
    save(figure, path)
