"""Draw one episode at every gateway: what is held and queued over time, and which flows were late or dropped."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgediff.config import RunConfig, Settings, WorldConfig
from edgediff.learner.agent import Agent
from edgediff.run.scores import traffic_label
from edgediff.world.rollout import Policy
from edgediff.world.rules import RoundRobin
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT
from experiments.pictures.drawing import Patch, evaluated, plt, save

HELD, TAKEN, QUEUE, LATE, DROPPED = "#7fb2dd", "0.82", "#d95f02", "#c2185b", "black"
LANE = 0.78  # height of a gateway's lane; the rest holds the marks


class Episode(NamedTuple):
    """What was seen at the n decisions of an episode; G gateways."""

    time_s: np.ndarray  # (n,)
    total_bps: np.ndarray  # (n, G) what background traffic leaves
    reserved_bps: np.ndarray  # (n, G) reserved by flows
    backlog_bits: np.ndarray  # (n, G) queued
    priority: np.ndarray  # (n,)
    data_bits: np.ndarray
    deadline_s: np.ndarray
    gateway: np.ndarray  # (n,) chosen
    delay_s: np.ndarray
    completed: np.ndarray
    dropped: np.ndarray


def record(world: WorldConfig, policy: Policy) -> Episode:
    """Play the first held-out episode; keep what decisions saw."""
    simulator = Simulator(world, state_of_view=None)
    simulator.reset(HELD_OUT + 1)
    truncated, rows = [False], []
    while not truncated[0]:
        view = simulator.view()
        slot, *flow = (view.flow[name][0] for name in ("slot", "priority", "data_bits", "deadline_s"))
        of_gateways = simulator.total_bps[0, slot], simulator.reserved_bps[0, slot], simulator.backlog_bits[0]
        seen = slot * world.slot_s, *(each.copy() for each in of_gateways), *flow
        _, _, _, truncated, info = simulator.step(policy(world, view))
        rows.append((*seen, *(info[name][0] for name in ("gateway", "delay_s", "completed", "dropped"))))
    return Episode(*map(np.array, zip(*rows, strict=True)))


def beside_round_robin(world: WorldConfig, run: RunConfig, agent: Agent) -> dict[str, Episode]:
    """Return an episode under round robin and the same under an agent, by what to call them."""
    label, policy = evaluated(agent, run)
    return {"round robin, level 2": record(world, RoundRobin(2)), label: record(world, policy)}


def lanes(axes, episode: Episode, capacity_bps: np.ndarray, most_bits: float, name: str) -> None:
    """Draw one lane per gateway, the first on top; its height stands for the capacity, and for `most_bits` of queue."""
    top, late = len(capacity_bps) - 1, ~episode.completed & ~episode.dropped
    for g, capacity in enumerate(capacity_bps):
        base, steps = top - g, dict(step="post", lw=0)
        held, total = episode.reserved_bps[:, g] / capacity, episode.total_bps[:, g] / capacity
        axes.fill_between(episode.time_s, base + LANE * total, base + LANE, color=TAKEN, **steps)
        axes.fill_between(episode.time_s, base, base + LANE * np.minimum(held, 1), color=HELD, **steps)
        queue = np.where(episode.backlog_bits[:, g] > 0, episode.backlog_bits[:, g] / most_bits, np.nan)
        axes.plot(episode.time_s, base + LANE * queue, color=QUEUE, lw=0.9, drawstyle="steps-post")
        axes.axhline(base, color="0.5", lw=0.6)
        mine = episode.gateway == g
        counts = f"{(late & mine).sum()} late\n{(episode.dropped & mine).sum()} dropped"
        beside = axes.get_yaxis_transform()
        axes.text(1.008, base + LANE / 2, counts, transform=beside, fontsize=8.5, va="center")
    for chosen, mark, colour in ((late, "|", LATE), (episode.dropped, "x", DROPPED)):
        above = top - episode.gateway[chosen] + (LANE + 1) / 2
        axes.scatter(episode.time_s[chosen], above, marker=mark, color=colour, s=12, lw=0.8, zorder=3)
    labels = [f"{g}: {capacity / 1e6:.0f} Mbit/s" for g, capacity in enumerate(capacity_bps)]
    axes.set_yticks(top - np.arange(len(labels)) + LANE / 2, labels, fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, episode.time_s.max()), ylim=(0, len(labels)), ylabel="gateway and its capacity")
    shares = f"{episode.completed.mean():.1%} in time, {late.mean():.1%} late, {episode.dropped.mean():.1%} dropped"
    axes.set_title(f"{name}: {shares}", fontsize=11, loc="left")


def draw(settings: Settings, agent: Agent, path: Path) -> None:
    """Draw round robin above the agent, on the same traffic."""
    world = settings.world
    episodes = beside_round_robin(world, settings.run, agent)
    most_bits = max(episode.backlog_bits.max() for episode in episodes.values())
    figure, rows = plt.subplots(2, 1, figsize=(9, 10.4), sharex=True)
    for axes, (name, episode) in zip(rows, episodes.items(), strict=True):
        lanes(axes, episode, Simulator(world).topology.capacity_bps, most_bits, name)
    rows[-1].set_xlabel("time, s")
    title = f"One episode on the same traffic: {len(episode.time_s):,} flows, {traffic_label(world)}"
    figure.suptitle(title, parse_math=False)  # the name of a log may have a $
    marks = [
        Patch(color=HELD, label="held by flows, as a share of the capacity"),
        Patch(color=TAKEN, label="taken by background traffic; $R^{total}$ is left"),
        plt.Line2D([], [], color=QUEUE, label=f"queue (full height: {most_bits / 1e6:.0f} Mbit)"),
        plt.Line2D([], [], color=LATE, marker="|", ls="", label="late flow (above its gateway)"),
        plt.Line2D([], [], color=DROPPED, marker="x", ls="", ms=5, label="dropped flow (above its gateway)"),
    ]
    figure.legend(handles=marks, loc="lower center", ncol=2, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    save(figure, path)
