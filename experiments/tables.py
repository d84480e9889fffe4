"""Print the tables of the README from the committed CSVs: `python experiments/tables.py SPEC [METRIC ...]`."""

import sys

import numpy as np
from plotting import NAMES, by_seed, interval, read

from edgediff.stats import bootstrap_interval, probability_of_improvement


def main(spec: str, *metrics: str) -> None:
    """Print a row per variant and a column per metric and traffic; then d2sac against the others, seed by seed."""
    rows = [row for row in read(spec) if row["phase"] == "frozen"]
    budget = {row["variant"]: (row["flows"], row["gradient_steps"]) for row in rows}
    traffics = sorted({(row["traffic"], row["load"]) for row in rows})
    print("| scheduler | seeds | transitions | gradient steps | "
          + " | ".join(f"{m}, {t} {load:g}" for m in metrics for t, load in traffics) + " |")  # fmt: skip
    print("|---" * (4 + len(metrics) * len(traffics)) + "|")
    cells = {}
    for metric in metrics:
        for traffic in traffics:
            here = [row for row in rows if (row["traffic"], row["load"]) == traffic]
            for name, (_, values) in by_seed(here, "frozen", "load", metric, "variant").items():
                cells.setdefault(name, []).append(values[:, 0])
    for name, columns in cells.items():
        flows, steps = budget[name]
        text = " | ".join("{:.3f} [{:.3f}, {:.3f}]".format(*interval(values)) for values in columns)
        print(f"| {NAMES.get(name, name)} | {len(columns[0])} | {flows:,.0f} | {steps:,.0f} | {text} |")
    if "d2sac" in cells:
        print("\nd2sac minus other, paired by seed and traffic: interquartile mean [95 %], probability of improvement")
        for name, columns in cells.items():
            if name != "d2sac":
                texts = []
                for ours, theirs in zip(cells["d2sac"], columns):
                    difference = ours - theirs
                    low, high = bootstrap_interval(difference, np.random.default_rng(0))
                    better = probability_of_improvement(ours, theirs)
                    texts.append(f"{interval(difference)[0]:+.3f} [{low:+.3f}, {high:+.3f}] {better:.2f}")
                print(f"| {NAMES.get(name, name)} | " + " | ".join(texts) + " |")


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["headline"]), *([] if len(sys.argv) > 2 else ["completion", "reward"]))
