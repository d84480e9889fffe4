"""The tables of the READMEs that grids, metrics and loads do not describe: rows with own names, other columns."""

from collections.abc import Callable
from pathlib import Path

from edgediff.run.scores import HEADINGS
from edgediff.run.scores import table as run_table
from edgediff.train import SHOWN_RULES
from edgediff.world.rules import ADMISSION, BY_LOAD, COMPLETION, CROWDING, DUAL, GREEDY, PRICED
from experiments.analysis import gateways, sizes, transfer
from experiments.analysis.reading import pd, read_csv, read_together, score_text
from experiments.analysis.score_tables import (
    columns_of,
    difference_text,
    differences,
    markdown,
    of_variant,
    paired,
    scores,
)
from experiments.analysis.stats import iqm
from experiments.analysis.testbed_tables import TABLES as OF_TESTBED
from experiments.grid.grids import LEARNERS

SOLVED, LATE = 475.0, 70_000  # on CartPole: a return, and transitions
# Rows, and what they are called in the tables of `deploy`.
PRICES = {name: name for name in (CROWDING, BY_LOAD, COMPLETION, DUAL, PRICED, ADMISSION, GREEDY)}
QUICK = {"d2sac of headline": "d2sac (diffusion actor), quick", "sac of headline": "sac (plain MLP actor), quick"}
QUICK |= {f"{agent} of headline": f"{agent}, quick" for agent in ("dqn", "ppo")}
FRONT = {"d2sac": "d2sac, deploy", **PRICES, **QUICK, "round robin, level 2": "round robin, level 2"}
DEPLOYED = {agent: f"{agent}, deploy" for agent in LEARNERS} | PRICES
LOAD_1 = {"d2sac": "priced, 2,000 updates", "d2sac of headline": "mlp, 10,000 updates (quick)", GREEDY: GREEDY}


def beside_headline(grid: str, loads: str, results: Path) -> dict[str, pd.Series]:
    """Return completion and reward of a grid, and of the headline on the same traffic."""
    return columns_of(read_together([grid, "headline"], results), ("completion", "reward"), loads.split(","))


def deployed(results: Path) -> str:
    """Return what the agents of `deploy` score, beside the rules and the agents of `quick`."""
    return scores(beside_headline("deploy", "0.5,1,1.5,2,3", results), DEPLOYED | QUICK)


def deployed_differences(results: Path) -> str:
    """Return d2sac of `deploy` minus the others, seed by seed."""
    return differences(beside_headline("deploy", "1,1.5,2,3", results), DEPLOYED)


def load_1(results: Path) -> str:
    """Return what a network for all gateways with prices learns at load 1."""
    return scores(beside_headline("priced_load_1", "1,2", results), LOAD_1)


def run(results: Path) -> str:
    """Return the table at the end of a run of `deploy`, averaged over ten seeds."""
    frozen = read_together(["deploy", "headline"], results).query("phase == 'frozen' and load == 1")
    found = {name: frozen[frozen["variant"] == name] for name in ("d2sac", *SHOWN_RULES)}
    means = {name: {key: float(iqm(rows[key].to_numpy())) for key in HEADINGS} for name, rows in found.items()}
    return f"```text\n{run_table({'d2sac, mean of 8': means.pop('d2sac')} | means, 5)}\n```"


def front(results: Path) -> str:
    """Return the result in short: the deployed agent, the rules, the agents of the paper; intervals at load 1 only."""
    columns, body = beside_headline("deploy", "1,1.5,2,3", results), []
    for variant, text in FRONT.items():
        values = {heading: of_variant(column, variant).to_numpy() for heading, column in columns.items()}
        cells = [score_text(found) if h.endswith("load 1") else f"{iqm(found):.3f}" for h, found in values.items()]
        body.append([text, *cells])
    return markdown(["scheduler", *columns], body)


def other_networks(results: Path) -> str:
    """Return what agents and rules score on networks that the agents were not trained for."""
    rows = read_csv(results / "transfer.csv", transfer.COLUMNS, ("scheduler", "network"))
    networks, by = list(rows["network"].unique()), rows.groupby(["scheduler", "network"])
    cells = {key: f"{iqm(of['completion'].to_numpy()):.3f} / {iqm(of['reward'].to_numpy()):+.3f}" for key, of in by}
    body = [[name, *(cells[name, network] for network in networks)] for name in rows["scheduler"].unique()]
    return markdown(["completion / reward", *networks], body)


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
    "deploy": deployed,
    "deploy_differences": deployed_differences,
    "load_1": load_1,
    "transfer": other_networks,
    "gateways": gateways.table,
    "ratios_change": ratios_change,
    "tuning": tuning,
    "cartpole": cartpole,
    "latency": latency,
    "sizes": by_size,
    **OF_TESTBED,
}
