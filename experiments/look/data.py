"""Play one held-out episode and keep all that belongs to its decisions, each number as it will be printed.

A number is kept as a whole number of units of its last digit: 0.3832 s with 3 digits is 383. So the page prints what
the simulator computed, and a file of 1,000 flows is small. A term of a sum has more digits, shown if they are needed.
"""

from typing import Any

import numpy as np

from edgediff.config import Settings, WorldConfig
from edgediff.learner.agent import Agent
from edgediff.world import delay, objective
from edgediff.world.decision import View, all_outcomes, decode_action, requested_resources
from edgediff.world.log import RequestLog
from edgediff.world.rules import BY_LOAD, CROWDING, GREEDY, all_rules
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT
from experiments.look.inside import inside, kept_steps

RULES = "round robin, level 2", GREEDY, BY_LOAD, CROWDING
MOST_FLOWS = 3000  # decisions of an episode that are kept, its first ones
MOST_LATENTS = 2_300_000  # entries of all latents in the file, about one byte each

PRINTED = 3  # digits, at most, outside of a sum

# What is kept of every decision, with its digits. G gateways, L levels, A actions, C critics, S entries of the
# state, H things held, I kept latents, M kept noise draws, R rules. Mbit, Mbit/s, TFLOP, TFLOP/s, s.
DIGITS = {
    **dict(time=3, kind=0, workshop=0, priority=0, data=3, work=3, deadline=6, bandwidth=3, load=2, free_compute=1),
    **dict(backlog=3, available=3, total=3, held=3, propagation=3, queueing=6, used=6),  # (G,); propagation in µs
    **dict(wanted_rate=3, wanted_compute=3, compute=3, processing=6),  # (L,)
    **dict(rate=3, transmission=6, delay=6, dropped=0, completed=0, late=0, short_rate=0, short_compute=0),  # (A,)
    **dict(used_after=6, imbalance=6, deviation=6, cost=6, reward=6, probability=3),  # (A,)
    # (C, A), (C, 1 + H), (S,), (I, M, A), (M, A), (), (R,)
    **dict(values=3, prices=6, state=6, latents=1, draws=3, action=0, rules=0),
}


def kept_draws(agent: Agent, settings: Settings, flows: int) -> int:
    """Return of how many noise draws the chain is kept: those that an evaluation averages, as far as they fit."""
    of_one_draw = flows * len(kept_steps(agent)) * agent.num_actions
    return min(settings.run.eval_draws, max(1, MOST_LATENTS // of_one_draw)) if of_one_draw else 0


def play(settings: Settings, agent: Agent, log: RequestLog | None = None) -> dict[str, np.ndarray]:
    """Play the first held-out episode of `edgediff.evaluate`; return DIGITS' arrays, (F, ...) each.

    The agent decides as in an evaluation of one environment. The rules are asked in the same states, and their
    answers are not carried out.
    """
    simulator = Simulator.of(settings, log=log)
    observation, generator = simulator.reset(HELD_OUT + 1), agent.evaluation_stream()
    flows = min(int(simulator.num_flows[0]), MOST_FLOWS)
    draws, every = kept_draws(agent, settings, flows), all_rules()
    rows: list[dict[str, Any]] = []
    for _ in range(flows):
        view = simulator.view()
        row = seen(settings.world, simulator, view) | consequences(settings.world, view)
        row |= inside(agent, observation, generator, settings.run.eval_draws, draws)
        row["rules"] = np.array([every[name](settings.world, view)[0] for name in RULES])
        rows.append(row)
        observation, *_ = simulator.step(row["action"][None])
    return {name: np.stack([row[name] for row in rows]) for name in DIGITS}


def seen(world: WorldConfig, simulator: Simulator, view: View) -> dict[str, np.ndarray]:
    """Return what is known before the decision: the flow, the gateways, the server."""
    flow = view.flow[0]
    slot = flow["slot"]
    return dict(
        time=slot * world.slot_s,
        **{name: flow[name] for name in ("kind", "workshop", "priority")},
        data=flow["data_bits"] / 1e6,
        work=flow["work_tflop"],
        deadline=flow["deadline_s"],
        bandwidth=flow["bandwidth_bps"] / 1e6,
        load=view.load[0],
        free_compute=view.available_tflops[0],
        backlog=view.backlog_bits[0] / 1e6,
        available=view.available_bps[0] / 1e6,
        total=simulator.total_bps[0, slot] / 1e6,
        held=simulator.reserved_bps[0, slot] / 1e6,
        propagation=view.propagation_s[0] * 1e6,
        queueing=delay.queueing_delay(view.backlog_bits[0], view.available_bps[0]),
        used=objective.utilisation(view.available_bps[0], view.capacity_bps),
    )


def consequences(world: WorldConfig, view: View) -> dict[str, np.ndarray]:
    """Return what every action would lead to, Eqs. (2)-(10) and (13), with the numbers between."""
    result = all_outcomes(world, view)
    gateway, level = decode_action(np.arange(world.num_actions))
    flow, levels = view.flow[0], len(np.unique(level))
    wanted_bps, wanted_tflops = (of[0] for of in requested_resources(world, view.flow, level[None]))
    available_bps = view.available_bps[0, gateway]
    rate_bps = delay.allocate(wanted_bps, available_bps)
    compute_tflops = delay.allocate(wanted_tflops, view.available_tflops[0])
    transmission_s = delay.transmission_delay(flow["data_bits"], rate_bps)
    processing_s = delay.processing_delay(flow["work_tflop"], compute_tflops)
    queueing_s = delay.queueing_delay(view.backlog_bits[0, gateway], available_bps)
    total_s = delay.total_delay(transmission_s, queueing_s, processing_s, view.propagation_s[0, gateway])
    deviation_s = objective.delay_deviation(result.delay_s[0], flow["deadline_s"])
    left_bps = available_bps - result.rate_bps[0]
    return dict(
        wanted_rate=wanted_bps[:levels] / 1e6,
        wanted_compute=wanted_tflops[:levels],
        compute=compute_tflops[:levels],
        processing=processing_s[:levels],
        rate=rate_bps / 1e6,
        transmission=transmission_s,
        delay=result.delay_s[0],
        dropped=result.dropped[0],
        completed=result.completed[0],
        late=~delay.meets_deadline(total_s, flow["deadline_s"]),
        short_rate=wanted_bps > available_bps,
        short_compute=wanted_tflops > view.available_tflops[0],
        used_after=objective.utilisation(left_bps, view.capacity_bps[gateway]),
        imbalance=result.imbalance[0],
        deviation=deviation_s,
        cost=objective.objective(deviation_s, result.imbalance[0], world.delay_weight, world.balance_weight),
        reward=result.reward[0],
    )
