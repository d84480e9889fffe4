"""Which rows a table of the READMEs has, and what each is called there."""

from edgediff.learner.agents import AGENTS
from edgediff.world.rules import GREEDY, PRICED, PRICED_BY_LOAD
from experiments.grid.grids import TRAFFIC


def same(*names: str) -> dict[str, str]:
    """Return rows that are printed with the names that they have."""
    return {name: name for name in names}


def of_both(changes: dict[str, str]) -> dict[str, str]:
    """Return the rows of d2sac, then those of sac, with the same changes."""
    return {f"{agent}{end}": f"{agent}: {text}" for agent in ("d2sac", "sac") for end, text in changes.items()}


PRECISION = of_both({
    "": "n = 3, gamma = 0.95 (default)", ", ratios": "the same, with ratios", ", n = 1": "n = 1",
    ", gamma = 0": "gamma = 0", ", gamma = 0, ratios": "gamma = 0, with ratios",
})  # fmt: skip
FORESIGHT = of_both({
    ", n = 1": "n = 1", "": "n = 3, tau = 0.005 (default)", ", n = 5": "n = 5", ", n = 10": "n = 10",
    ", tau = 0.02": "tau = 0.02", ", critics at the rate of the other agent": "critics at the rate of the other",
    ", n = 10, critics at the rate of the other agent": "n = 10, critics at the rate of the other",
}) | {
    **{f"d2sac, {change}": f"d2sac: {change}"
       for change in ("mean of both critics", "L_d weighted 1", "confidence 0.97")},
    **{f"ppo, lambda = {number}": f"ppo: lambda = {number}" for number in ("0", "0.5", "0.8")},
    "ppo": "ppo: lambda = 0.9 (default)", "ppo, lambda = 0.95": "ppo: lambda = 0.95",
}  # fmt: skip
PLANNED = {
    **same(GREEDY), "d2sac": "d2sac, trained on 0.5 to 3", "ppo": "ppo, trained on 0.5 to 3",
    **{f"planner, {flows} flows ahead (sees the future)": f"planner, {flows} flows ahead, greedy goes on"
       for flows in (10, 30, 100)},
    **{f"{agent}, planner_horizon 30": f"planner, 30 flows ahead, the better of greedy and {agent} goes on"
       for agent in ("d2sac", "ppo")},
}  # fmt: skip
CHAIN = {
    **{f"d2sac, N = {steps}": f"d2sac, N = {steps}" for steps in (1, 2, 5)},
    "d2sac": "d2sac, N = 10 (Table 1)", **same("sac", "dqn", "ppo"),
}  # fmt: skip
QUICK = {
    "d2sac of headline": "d2sac (diffusion actor), quick", "sac of headline": "sac (plain MLP actor), quick",
    "dqn of headline": "dqn, quick", "ppo of headline": "ppo, quick",
}  # fmt: skip
PRICES = same(PRICED_BY_LOAD, PRICED, GREEDY)
FRONT = {"d2sac": "d2sac, deploy", **PRICES, **QUICK, **same("round robin, level 2")}
REQUESTS = {
    **{name: f"d2sac, {name}" for name in TRAFFIC}, **PRICES, **same("most available", "round robin, level 2"),
}  # fmt: skip
DEPLOYED = {agent: f"{agent}, deploy" for agent in AGENTS} | PRICES | QUICK
DEPLOYED_OTHERS = {agent: DEPLOYED[agent] for agent in ("sac", "dqn", "ppo")} | PRICES
NO_ACTOR = same("sac", "sac, no actor", "d2sac", "dqn", "ppo")
LOAD_1 = {"d2sac": "priced, 2,000 updates", "d2sac of headline": "mlp, 10,000 updates (quick)", **same(GREEDY)}
SHARED = {
    name: name
    for size in ("8 gateways", "64 gateways", "256 gateways")
    for name in (f"sac, {size}", *(f"d2sac, {size}, N = {steps}" for steps in (1, 2, 10)))
}
WEIGHTS = {f"{agent}{end}": f"{agent}, {text}" for agent in ("sac", "ppo")
           for end, text in (("", "averaged"), (", weights last", "last"))}  # fmt: skip
RATIOS = {f"{agent}, ratios": agent for agent in AGENTS}
