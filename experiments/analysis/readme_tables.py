"""The tables of the READMEs that grids, metrics and loads do not describe: rows with own names, other columns."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from edgediff.learner.agents import AGENTS
from edgediff.run.scores import HEADINGS
from edgediff.run.scores import table as run_table
from edgediff.train import SHOWN_RULES
from edgediff.world.rules import GREEDY
from experiments.analysis import gateways, sizes, transfer
from experiments.analysis.reading import read_csv, read_together, score_text
from experiments.analysis.rows import (
    CHAIN,
    DEPLOYED,
    DEPLOYED_OTHERS,
    FORESIGHT,
    FRONT,
    LOAD_1,
    NO_ACTOR,
    PLANNED,
    PRECISION,
    RATIOS,
    REQUESTS,
    SHARED,
    WEIGHTS,
    same,
)
from experiments.analysis.score_tables import columns_of, differences, markdown, of_variant, paired, scores
from experiments.analysis.stats import iqm, probability_of_improvement
from experiments.analysis.testbed_tables import TABLES as OF_TESTBED
from experiments.grid.grids import CODE, CONVERSATIONS

CARTPOLE = "transitions", "gradient_steps", "return"
SOLVED = 475.0  # a return on CartPole


def picked(grids: str, metrics: str, loads: str, names: dict[str, str], of: Callable = scores) -> Callable:
    """Return a function that makes a table of some rows of grids, with names of their own."""

    def make(results: Path) -> str:
        rows = read_together(grids.split(","), results)
        return of(columns_of(rows, metrics.split(","), loads.split(",")), names)

    return make


def run(results: Path) -> str:
    """Return the table at the end of a run of `deploy`, averaged over ten seeds."""
    frozen = read_together(["deploy", "headline"], results).query("phase == 'frozen' and load == 1")
    shown = {"d2sac": "d2sac, mean of 8", **same(*SHOWN_RULES)}
    found = {text: frozen[frozen["variant"] == name] for name, text in shown.items()}
    means = {text: {key: float(iqm(rows[key].to_numpy())) for key in HEADINGS} for text, rows in found.items()}
    return f"```text\n{run_table(means, 5)}\n```"


def front(results: Path) -> str:
    """Return the result in short: the deployed agent, the rules, the agents of the paper; intervals at load 1 only."""
    loads = "1", "1.5", "2", "3"
    columns = columns_of(read_together(["deploy", "headline"], results), ("completion", "reward"), loads)
    body = []
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
    found = {name: [paired(column, f"{name}, ratios", name) for column in columns.values()] for name in AGENTS}
    texts = {name: [f"{score_text(values, '+.3f')} {probability_of_improvement(values):.2f}" for values in each]
             for name, each in found.items()}  # fmt: skip
    return markdown(["change by the ratios", *columns], [[name, *each] for name, each in texts.items()])


def requests(results: Path) -> str:
    """Return what rules and agents score on Poisson arrivals and on two request logs."""
    columns = columns_of(read_together(["requests"], results), ("completion", "reward"), ("1",))
    short = {heading.replace(CODE, "code").replace(CONVERSATIONS, "chat"): each for heading, each in columns.items()}
    return scores(short, REQUESTS)


def tuning(results: Path) -> str:
    """Return all trials of every agent by mean area, the chosen one in bold."""
    body, columns = [], {}
    for agent in AGENTS:
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
    for agent in AGENTS:
        runs = [read_csv(results / "cartpole" / f"{agent}-{seed}.csv", CARTPOLE) for seed in range(3)]
        firsts = [found.loc[found["return"] >= SOLVED, "transitions"].min() for found in runs]
        later = [
            found.loc[found["transitions"] >= first, "return"].min() for found, first in zip(runs, firsts, strict=True)
        ]
        late = [found.loc[found["transitions"] >= 70_000, "return"].min() for found in runs]
        columns = [[f"{value:,.0f}" for value in values] for values in (firsts, later, late)]
        body.append([agent, f"{runs[0]['gradient_steps'].max():,.0f}", *map("; ".join, columns)])
    header = "first return of 475, transitions", "lowest return from then on", "lowest from 70,000 transitions on"
    return markdown(["agent", "gradient steps", *header], body)


def latency(results: Path) -> str:
    """Return the times of one decision and one update with eight gateways."""
    cases = read_csv(results / "latency.csv", gateways.TIMES, ("preset", "agent")).query("gateways == 8")
    names = [
        f"{row.agent}, N = {row.denoising_steps:.0f}, "
        + ("one draw" if row.draws == 1 else f"mean of {row.draws:.0f} draws")
        if row.denoising_steps > 0
        else row.agent
        for row in cases.itertuples()
    ]
    names = ["deploy: " * (preset == "deploy") + name for name, preset in zip(names, cases.preset, strict=True)]
    body = [
        [name, *(f"{value:.2f}" for value in each[:3]), f"{each[3]:.1f}"]
        for name, each in zip(names, cases[[*gateways.TIMES[5:]]].to_numpy(), strict=True)
    ]
    return markdown(["agent", "p50 ms", "p95 ms", "p99 ms", "ms per update"], body)


def by_size(results: Path) -> str:
    """Return the share of flows that the greedy rules complete, by quarter of size."""
    rows = read_csv(results / "sizes.csv", sizes.COLUMNS, ("rule",))
    shares = rows.groupby(["rule", "quarter"], sort=False)["completion"].apply(lambda found: iqm(found.to_numpy()))
    body = [[rule, *(f"{shares[rule, k]:.3f}" for k in (1, 2, 3, 4))] for rule in rows["rule"].unique()]
    return markdown(["scheduler", "smallest quarter", "second", "third", "largest quarter"], body)


MAIN, CURVE = "late_area,completion,reward", "late_area,reward@5000,reward@10000,reward@50000,completion,reward"
RANGE, OTHERS = "headline_range,headline", same("sac", "dqn", "ppo", GREEDY)
OTHER_RATIOS, WITH_RATIOS = (
    {k: v for k, v in RATIOS.items() if v != "d2sac"},
    partial(differences, ours="d2sac, ratios"),
)
OF_FORESIGHT = "headline_range,foresight,foresight_rates,foresight_d2sac,foresight_ppo"
TABLES: dict[str, Callable[[Path], str]] = {
    "run": run,
    "front": front,
    "chain": picked("chain_length,headline", CURVE, "1,2", CHAIN),
    "range": picked(RANGE, MAIN, "1,1.5,2,3", same("d2sac") | OTHERS),
    "range_differences": picked(RANGE, MAIN, "1,1.5,2,3", OTHERS, differences),
    "gateways": gateways.table,
    "precision": picked("precision,headline,headline_ratios", MAIN, "1,2", PRECISION),
    "ratios": picked("headline_ratios,headline", MAIN, "1,1.5,2", RATIOS | same(GREEDY)),
    "ratios_change": ratios_change,
    "ratios_differences": picked("headline_ratios", MAIN, "1,1.5,2", OTHER_RATIOS, WITH_RATIOS),
    "foresight": picked(OF_FORESIGHT, "completion,reward", "1,2", FORESIGHT),
    "planner": picked("planner,planner_learned", "completion,reward", "1,2", PLANNED),
    "tuning": tuning,
    "cartpole": cartpole,
    "latency": latency,
    "sizes": by_size,
    "deploy": picked("deploy,headline", "completion,reward", "0.5,1,1.5,2,3", DEPLOYED),
    "deploy_differences": picked("deploy,headline", "completion,reward", "1,1.5,2,3", DEPLOYED_OTHERS, differences),
    "transfer": other_networks,
    "requests": requests,
    "load_1": picked("priced_load_1,headline", "completion,reward", "1,2", LOAD_1),
    "shared": picked("shared_chain,shared", "completion,reward", "1", SHARED),
    "weights": picked("weights", "completion,reward", "1,2", WEIGHTS),
    "no_actor": picked("headline,no_actor", "late_area,completion,reward", "1,2", NO_ACTOR),
    **OF_TESTBED,
}
