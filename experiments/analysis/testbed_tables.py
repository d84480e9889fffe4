"""The tables of the page of the testbed, from the CSVs of its programs `compare` and `alone`."""

from collections.abc import Callable
from itertools import combinations, product
from pathlib import Path

from edgediff.world.rules import RULES
from experiments.analysis.reading import pd, read_csv
from experiments.analysis.score_tables import difference_text, markdown
from experiments.testbed.cases import (
    AGENT,
    ALONE_BITS,
    ALONE_BPS,
    ALONE_COLUMNS,
    COLUMNS,
    CONNECTIONS,
    LOADS,
    SCHEDULERS,
    TORCH,
)
from experiments.testbed.episode_result import STALLS

LABELS = RULES | {AGENT: "d2sac, deploy", TORCH: "d2sac, deploy, with torch"}
# Columns of the scores: heading, setting that was played, which of its three scores.
SCORED = {
    "kernel": ("fifo", ""), "kernel, again": ("again", ""), "kernel, told all unsent": ("unsent", ""),
    "kernel, unpaced": ("unpaced", ""), "simulator": ("fifo", "simulated_"),
    "simulator without T_q": ("fifo", "without_wait_"),
}  # fmt: skip


def runs(results: Path) -> pd.DataFrame:
    """Return the runs of `compare`."""
    return read_csv(results / "testbed/runs.csv", COLUMNS, ("setting", "scheduler"))


def compared(results: Path) -> pd.DataFrame:
    """Return the runs of the schedulers that all settings have: agents without torch, and rules."""
    found = runs(results)
    return found[found["scheduler"].isin(SCHEDULERS)]


def means(results: Path, metric: str) -> pd.DataFrame:
    """Return the mean over seeds, by load and scheduler, one column for each of `SCORED`."""
    by = compared(results).groupby(["setting", "load", "scheduler"])
    columns = {heading: by[f"{before}{metric}"].mean()[setting] for heading, (setting, before) in SCORED.items()}
    return pd.DataFrame(columns)


def scores(results: Path) -> str:
    """Return completion and mean latency, in the kernel and in the simulator."""
    completion, latency_s = means(results, "completion"), means(results, "latency_s")
    body = []
    for load, scheduler in product(sorted({*completion.index.levels[0]}), SCHEDULERS):
        pairs = zip(completion.loc[load, scheduler], latency_s.loc[load, scheduler], strict=True)
        texts = ["" if pd.isna(share) else f"{share:.3f}, {time_s:.2f} s" for share, time_s in pairs]
        body.append([f"{load:g}", LABELS[scheduler], *texts])
    return markdown(["load", "scheduler", *SCORED], body)


def order(results: Path) -> str:
    """Return how many of the ten pairs of schedulers are in the same order, by completion."""
    found = means(results, "completion")
    pairs = [("kernel", "simulator"), ("kernel", "simulator without T_q"), ("kernel, told all unsent", "simulator"),
             ("kernel, unpaced", "simulator")]  # fmt: skip
    body = []
    for load in sorted({*found.index.levels[0]}):
        of_load = found.loc[load]
        cells = ["" if of_load[one].isna().any() else same_order(of_load[one], of_load[two]) for one, two in pairs]
        body.append([f"{load:g}", *cells])
    return markdown(["load", *(f"{one} / {two}" for one, two in pairs)], body)


def differences(results: Path) -> str:
    """Return the completion of the agent less that of others, seed by seed, and of each less its own, played again."""
    by = runs(results).set_index(["setting", "load", "scheduler", "seed"])["completion"].sort_index()
    usual, body = [("fifo", load) for load in LOADS] + [("again", 2.0)], []
    for name in SCHEDULERS:
        ahead = [by[setting, load, AGENT] - by[setting, load, name] for setting, load in usual]
        cells = ["-" if name == AGENT else difference_text(values.to_numpy()) for values in ahead]
        noise = by["again", 2.0, name] - by["fifo", 2.0, name]
        body.append([LABELS[name], *cells, f"{noise.mean():+.3f}, {noise.std():.3f}"])
    shown = (f"load {load:g}" for load in LOADS)
    return markdown(
        ["d2sac minus", *shown, "load 2, again", "load 2: again less the first time, mean and deviation"], body
    )


def same_order(one: pd.Series, two: pd.Series) -> str:
    """Count the pairs that both series put in the same order."""
    pairs = [*combinations(one.index, 2)]
    return f"{sum((one[a] - one[b]) * (two[a] - two[b]) > 0 for a, b in pairs)} of {len(pairs)}"


def deviations(results: Path) -> str:
    """Return what the kernel does, term by term, beside what the model says; means over schedulers and seeds."""
    by = compared(results).groupby(["setting", "load"]).mean(numeric_only=True)
    shown = [("fifo", load) for load in LOADS] + [("unsent", 2.0), ("unpaced", 2.0)]
    body = [[text, model, *(form(by.loc[key]) for key in shown)] for text, model, form in TERMS]
    names = {"fifo": "load {:g}", "unsent": "load {:g}, told all unsent", "unpaced": "load {:g}, unpaced"}
    return markdown(["term", "model", *(names[setting].format(load) for setting, load in shown)], body)


TERMS: list[tuple[str, str, Callable]] = [
    ("Eq. 2: from the slot to the first byte", "0", lambda row: f"{1e3 * row.begun_s:.1f} ms"),
    ("Eq. 3: sending, in units of D / r: p10, p50, p90", "1, 1, 1",
     lambda row: f"{row.sending_p10:.2f}, {row.sending_p50:.2f}, {row.sending_p90:.2f}"),
    ("Eq. 4: links whose grants are more than their rate", "", lambda row: f"{row.overgranted:.1%}"),
    ("Eq. 5: Q / R_avail, Q all that is unsent", "", lambda row: f"{row.wait_unsent_s:.3f} s"),
    ("Eq. 5: Q / R_avail, Q in the fifo", "", lambda row: f"{1e3 * row.wait_fifo_s:.2f} ms"),
    ("Eq. 5: the real wait (sending less D / r)", "Q / R_avail", lambda row: f"{1e3 * row.wait_real_s:+.1f} ms"),
    ("Eq. 6: answer after T_proc", "0", lambda row: f"{1e3 * row.processing_late_s:+.1f} ms"),
    ("T_act less what was predicted: p5, mean, p95", "0",
     lambda row: f"{row.error_p5_s:+.3f}, {row.error_mean_s:+.3f}, {row.error_p95_s:+.3f} s"),
    ("bandwidth held, over what was predicted", "1", lambda row: f"{row.held_ratio:.2f}"),
]  # fmt: skip


def fidelity(results: Path) -> str:
    """Return the worst that was found of all runs of each scheduler, and the times of decisions."""
    body = []
    for name, rows in runs(results).groupby("scheduler", sort=False):
        usual, worst = rows.median(numeric_only=True), rows.max(numeric_only=True)
        body.append([LABELS[name], f"{len(rows)}", *(form(usual, worst) for form in WORST.values())])
    return markdown(["scheduler", "runs", *WORST], body)


WORST: dict[str, Callable] = {
    "decision p50, p99 ms (median of runs)": lambda usual, _: f"{usual.asked_p50_ms:.2f}, {usual.asked_p99_ms:.2f}",
    "p99 ms, worst run": lambda _, worst: f"{worst.asked_p99_ms:.2f}",
    "slowest, ms": lambda _, worst: f"{worst.asked_max_ms:.1f}",
    "first byte after the slot, mean ms (median of runs, worst run)":
        lambda usual, worst: f"{1e3 * usual.begun_s:.1f}, {1e3 * worst.begun_s:.1f}",
    "slots late, p99 and most, ms": lambda _, worst: f"{1e3 * worst.late_p99_s:.1f}, {1e3 * worst.late_max_s:.1f}",
    "answers late, most, ms": lambda _, worst: f"{1e3 * worst.answer_late_max_s:.1f}",
    "stood still, ms: users, server, controller": lambda _, worst: ", ".join(f"{1e3 * worst[s]:.1f}" for s in STALLS),
    "length": lambda _, worst: f"{worst.length:.4f}",
    "link over rate": lambda _, worst: f"{worst.link:.3f}",
    "packets lost": lambda _, worst: f"{worst.drops:.0f}",
    "cores: users, server, controller":
        lambda _, worst: f"{worst.users:.2f}, {worst['edge server']:.2f}, {worst.controller:.2f}",
}  # fmt: skip


def idle(results: Path) -> str:
    """Return how long flows alone take, over D / r, by size: the median, for each rate."""
    rows = read_csv(results / "testbed/alone.csv", ALONE_COLUMNS, ("connection",))
    by = rows.groupby(["data_bits", "connection", "rate_bps"])["ratio"].median()
    cases = [*product(CONNECTIONS, ALONE_BPS)]
    body = []
    for bits in ALONE_BITS:
        ratios = (by.get((bits, *case)) for case in cases)
        body.append([f"{bits / 1e6:g} Mbit", *("" if ratio is None else f"{ratio:.3f}" for ratio in ratios)])
    return markdown(["D", *(f"{label}, {rate_bps / 1e6:g} Mbit/s" for label, rate_bps in cases)], body)


TABLES: dict[str, Callable[[Path], str]] = {
    "testbed_scores": scores,
    "testbed_differences": differences,
    "testbed_order": order,
    "testbed_deviations": deviations,
    "testbed_fidelity": fidelity,
    "testbed_alone": idle,
}
