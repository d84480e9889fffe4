"""The tables of the READMEs that grids, metrics and loads do not describe: rows with own names, other columns."""

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

from edgediff.config import preset_settings
from edgediff.run.scores import HEADINGS, traffic_label
from edgediff.run.scores import table as run_table
from edgediff.train import SHOWN_RULES
from edgediff.world.rules import COMPLETION, DUAL
from experiments.analysis import gateways, sizes, transfer
from experiments.analysis.reading import read_csv, read_together, score_text, short_name
from experiments.analysis.score_tables import (
    ahead,
    columns_of,
    difference_text,
    markdown,
    of_variant,
    paired,
)
from experiments.analysis.stats import iqm
from experiments.analysis.testbed_tables import TABLES as OF_TESTBED
from experiments.grid.grids import LEARNERS, MARKS

SOLVED, LATE = 475.0, 70_000  # on CartPole: a return, and transitions
QUICK = {"d2sac": "d2sac, quick"}
LOADS = "1", "1.5", "2", "3"


def run(results: Path) -> str:
    """Return the second of the three tables at the end of a run of `deploy`, averaged over its seeds."""
    frozen = read_together(["deploy"], results).query("phase == 'frozen' and load == 2")
    means = {name: {key: rows[key].mean() for key in HEADINGS} for name, rows in frozen.groupby("variant")}
    shown = {"d2sac, mean of 8": means["d2sac"], **{name: means[name] for name in SHOWN_RULES}}
    heading = traffic_label(preset_settings("deploy", {}).world.at_load(2.0))
    return f"```text\n{heading}; 32 held-out episodes; last weights\n{run_table(shown, 5)}\n```"


def front(results: Path) -> str:
    """Return the result in short: the agents and rules with weights of priorities, the agents of the paper."""
    metrics, loads, body = ("completion", "completion_p3", "reward"), ("1", "2", "3"), []
    ours, quick = (columns_of(read_together([grid], results), metrics, loads) for grid in ("deploy", "headline"))
    rows = {"d2sac": "d2sac, deploy", "sac": "sac, deploy", **{name: name for name in (*SHOWN_RULES, COMPLETION, DUAL)}}
    for columns, names in ((ours, rows), (quick, QUICK)):
        for variant, text in names.items():
            found = {heading: of_variant(column, variant).to_numpy() for heading, column in columns.items()}
            if any(map(len, found.values())):
                unlike = columns is quick  # its reward has no weights
                cells = ["" if unlike and "reward" in h else f"{iqm(values):.3f}" for h, values in found.items()]
                body.append([text, *cells])
    return markdown(["scheduler", *(heading.replace(" p3", ", p = 3") for heading in ours)], body)


def of_seeds(grid: str, results: Path) -> str:
    """Return mean, interquartile mean and worst seed of every agent and load, and how often it is above each mark."""
    rows, body = read_together([grid], results), []
    agents = [agent for agent in LEARNERS if agent in set(rows["variant"])]
    for load, agent in product(LOADS, agents):
        reward, completion = columns_of(rows, ("reward", "completion"), (load,)).values()
        ours, completed = of_variant(reward, agent).to_numpy(), of_variant(completion, agent)
        cells = [f"{value:+.3f}" for value in (ours.mean(), iqm(ours), ours.min())]
        cells += [f"{completed.mean():.3f}", f"{completed.min():.3f}"]
        body.append([load, agent, str(len(ours)), *cells, *(ahead(paired(reward, agent, mark)) for mark in MARKS)])
    headings = "reward, mean", "interquartile mean", "worst seed", "completion, mean", "worst seed"
    above = [f"above {short_name(mark)}" for mark in MARKS]
    return markdown(["load", "agent", "seeds", *headings, *above], body)


def other_networks(results: Path) -> str:
    """Return what agents and rules score on networks that the agents were not trained for, and the agents' price."""
    rows = read_csv(results / "transfer.csv", transfer.COLUMNS, ("scheduler", "network"))
    networks, by = list(rows["network"].unique()), rows.groupby(["scheduler", "network"])
    cells = {key: f"{iqm(of['completion'].to_numpy()):.3f} / {iqm(of['reward'].to_numpy()):+.3f}" for key, of in by}
    body = []
    for name in rows["scheduler"].unique():
        prices = rows[rows["scheduler"] == name].groupby("seed")["price"].first()
        price = f"{prices.min():.2f} to {prices.max():.2f}" if prices.notna().all() else ""
        body.append([name, str(len(prices)), price, *(cells.get((name, network), "") for network in networks)])
    return markdown(["completion / reward", "seeds", "learned price", *networks], body)


def ratios_change(results: Path) -> str:
    """Return what ratios as further inputs change, on the same seeds."""
    rows = read_together(["headline_ratios", "headline"], results)
    columns = columns_of(rows, ("late_area", "completion", "reward"), ("1", "1.5", "2"))
    body = [
        [name, *(difference_text(paired(column, f"{name}, ratios", name)) for column in columns.values())]
        for name in LEARNERS
    ]
    return markdown(["change by the ratios", *columns], body)


def tuning(results: Path) -> str:
    """Return all trials of every agent by mean area, the chosen one in bold."""
    body, columns = [], {}
    for agent in LEARNERS:
        columns = columns_of(read_together([f"tuning_{agent}"], results), ("area", "completion", "reward"))
        trials = columns["area"].groupby("variant").mean().sort_values(ascending=False)
        for place, trial in enumerate(trials.index):
            name = "Table 1" if trial == agent else trial
            cells = [score_text(of_variant(column, trial).to_numpy()) for column in columns.values()]
            body.append([agent, name if place else f"**{name}**", *cells])
    return markdown(["agent", "trial", *columns], body)


def cartpole(results: Path) -> str:
    """Return when each agent first solves CartPole, and what it loses later; seed by seed."""
    body = []
    for agent in LEARNERS:
        paths = [results / "cartpole" / f"{agent}-{seed}.csv" for seed in range(3)]
        runs = [read_csv(path, ("transitions", "gradient_steps", "return")).set_index("transitions") for path in paths]
        curves = [run["return"] for run in runs]
        firsts = [curve[curve >= SOLVED].index.min() for curve in curves]
        lowest = [
            [curve[curve.index >= since].min() for curve, since in zip(curves, starts, strict=True)]
            for starts in (firsts, [LATE] * 3)
        ]
        texts = ["; ".join(f"{value:,.0f}" for value in values) for values in (firsts, *lowest)]
        body.append([agent, f"{runs[0]['gradient_steps'].max():,.0f}", *texts])
    header = "first return of 475, transitions", "lowest return from then on", "lowest from 70,000 transitions on"
    return markdown(["agent", "gradient steps", *header], body)


def latency(results: Path) -> str:
    """Return the times of one decision and one update with eight gateways."""
    body = []
    for case in (
        read_csv(results / "latency.csv", gateways.TIMES, ("preset", "agent")).query("gateways == 8").itertuples()
    ):
        draws = "one draw" if case.draws == 1 else f"mean of {case.draws:.0f} draws"
        chain = f", N = {case.denoising_steps:.0f}, {draws}" if case.denoising_steps > 0 else ""
        times = [f"{ms:.2f}" for ms in (case.p50_ms, case.p95_ms, case.p99_ms)]
        body.append(["deploy: " * (case.preset == "deploy") + case.agent + chain, *times, f"{case.update_ms:.1f}"])
    return markdown(["agent", "p50 ms", "p95 ms", "p99 ms", "ms per update"], body)


def by_size(results: Path) -> str:
    """Return the share of flows that the greedy rules complete, by quarter of size."""
    rows = read_csv(results / "sizes.csv", sizes.COLUMNS, ("rule",))
    shares = rows.groupby(["rule", "quarter"], sort=False)["completion"].apply(lambda found: iqm(found.to_numpy()))
    body = [[rule, *(f"{shares[rule, k]:.3f}" for k in (1, 2, 3, 4))] for rule in rows["rule"].unique()]
    return markdown(["scheduler", "smallest quarter", "second", "third", "largest quarter"], body)


TABLES: dict[str, Callable[[Path], str]] = {
    "run": run,
    "front": front,
    "seeds": partial(of_seeds, "deploy"),
    "seeds_equal": partial(of_seeds, "deploy_equal"),
    "transfer": other_networks,
    "gateways": gateways.table,
    "ratios_change": ratios_change,
    "tuning": tuning,
    "cartpole": cartpole,
    "latency": latency,
    "sizes": by_size,
    **OF_TESTBED,
}
