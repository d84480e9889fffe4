"""Print the README's tables from the committed CSVs: `python experiments/tables.py SPEC METRIC,METRIC LOAD,LOAD`."""

import sys

from plotting import NAMES, by_seed, interval, read

from edgediff.stats import probability_of_improvement


def columns_of(spec: str, metrics: list[str], loads: list[float]) -> tuple[list[str], dict[str, list], dict]:
    """Return headings, per variant one array (seeds,) for each heading, and what each variant has spent."""
    rows = [row for row in read(spec) if row["phase"] == "frozen" and row["load"] in loads]
    spent = {row["variant"]: (row["flows"], row["gradient_steps"]) for row in rows}
    headings, cells = [], {}
    for metric in metrics:
        for traffic, load in sorted({(row["traffic"], row["load"]) for row in rows}):
            headings.append(f"{metric}, {traffic} {load:g}")
            here = [row for row in rows if (row["traffic"], row["load"]) == (traffic, load)]
            for name, (_, values) in by_seed(here, "frozen", "load", metric, "variant").items():
                cells.setdefault(name, []).append(values[:, 0])
    return headings, cells, spent


def print_row(name: str, *texts: str) -> None:
    """Print a row of a Markdown table."""
    print(f"| {NAMES.get(name, name)} | {' | '.join(texts)} |")


def main(spec: str, metrics: str, loads: str) -> None:
    """Print interquartile means with 95 % intervals; then d2sac against the others, seed by seed."""
    headings, cells, spent = columns_of(spec, metrics.split(","), [float(load) for load in loads.split(",")])
    print_row("scheduler", "seeds", "transitions", "gradient steps", *headings)
    print("|---" * (4 + len(headings)) + "|")
    for name, columns in cells.items():
        several = "{:.3f} [{:.3f}, {:.3f}]" if len(columns[0]) > 1 else "{:.3f}"  # one seed has no interval
        texts = [several.format(*interval(values)) for values in columns]
        print_row(name, str(len(columns[0])), *(f"{number:,.0f}" for number in spent[name]), *texts)
    if len(cells.get("d2sac", [[]])[0]) < 2:
        return
    print("\nd2sac minus the other, on the same traffic: interquartile mean [95 %], probability of improvement\n")
    print_row("compared with", *headings)
    print("|---" * (1 + len(headings)) + "|")
    for name, columns in cells.items():
        if name != "d2sac":
            differences = [ours - theirs for ours, theirs in zip(cells["d2sac"], columns)]
            better = [probability_of_improvement(ours, theirs) for ours, theirs in zip(cells["d2sac"], columns)]
            texts = ["{:+.3f} [{:+.3f}, {:+.3f}] {:.2f}".format(*interval(d), p) for d, p in zip(differences, better)]
            print_row(name, *texts)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["headline", "completion,reward", "1,1.5,2"]))
