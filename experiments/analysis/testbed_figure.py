"""Draw predicted against measured T_act, flow by flow: `python -m experiments.analysis.testbed_figure`."""

import sys
from pathlib import Path

from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from experiments import RESULTS
from experiments.analysis.reading import read_csv
from experiments.pictures.drawing import plt, save
from experiments.testbed.cases import AGENT, DRAWN_LOAD, FLOW_COLUMNS

PANELS = {
    "fifo": "paced; the controller is told\nwhat waits in the kernel",
    "unsent": "paced; the controller is told\nall that is accepted and not sent",
    "unpaced": "not paced; the controller is told\nall that is accepted and not sent",
}
SHOWN = {"round-robin": ("round robin, level 2", "0.45"), AGENT: ("d2sac, deploy", "C0")}
LIMITS_S = 0.02, 3.0


def draw(results: Path):
    """Return the figure, one panel for each setting."""
    flows = read_csv(results / "testbed/flows.csv", FLOW_COLUMNS, ("setting", "scheduler"))
    figure, axes = plt.subplots(1, len(PANELS), figsize=(10, 4.3), sharex=True, sharey=True, layout="constrained")
    for axis, (setting, title) in zip(axes, PANELS.items(), strict=True):
        for name, (label, colour) in SHOWN.items():
            mine = flows[(flows["setting"] == setting) & (flows["scheduler"] == name)]
            axis.plot(mine["predicted_s"], mine["measured_s"], ".", color=colour, ms=3, alpha=0.4, mew=0, label=label)
        axis.plot(LIMITS_S, LIMITS_S, color="black", lw=0.8)
        axis.set(xscale="log", yscale="log", xlim=LIMITS_S, ylim=LIMITS_S, xlabel="predicted T_act, s", aspect="equal")
        axis.set_title(title, fontsize=10)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_major_formatter("{x:g}")
    axes[0].set_ylabel("measured T_act, s")
    legend = axes[0].legend(loc="upper left", markerscale=4, fontsize=9)
    for handle in legend.legend_handles:
        handle.set_alpha(1)
    figure.suptitle(f"Every flow that was not dropped, load {DRAWN_LOAD:g}, seed 0", fontsize=11)
    return figure


def main(argv: list[str]) -> int:
    """Draw the flows that `compare` has kept."""
    parser = Parser("python -m experiments.analysis.testbed_figure", main.__doc__)
    parser.add_argument("--results", metavar="FOLDER", default=str(RESULTS), help="where the folder testbed is")
    results = Path(parser.parse(argv).results)
    save(draw(results), results / "testbed/testbed.png")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("testbed_figure", main))
