"""Draw what the policy chooses: gateway and level, against the required bandwidth and the load of the network."""

from pathlib import Path

import numpy as np

from edgediff.config import Settings, WorldConfig
from edgediff.learner.agent import Agent
from edgediff.world.decision import LEVEL_FACTORS, decode_action
from edgediff.world.rollout import Policy
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT
from experiments.pictures.drawing import LEVEL_COLOURS, evaluated, level_patches, matplotlib, plt, save

LOADS, BINS, ENVIRONMENTS = (0.5, 1.0, 1.5, 2.0), 5, 4
MOST = 2  # times the uniform share: where the colours end


def play(world: WorldConfig, policy: Policy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return required bandwidth in Mbit/s, chosen gateway and chosen level of all flows of a few episodes."""
    simulator, found = Simulator(world, ENVIRONMENTS, state_of_view=None), []
    simulator.reset(HELD_OUT + 1)
    for _ in range(int(simulator.num_flows.min())):
        action = policy(world, simulator.view())
        found.append((simulator.view().flow["bandwidth_bps"] / 1e6, *decode_action(action)))
        simulator.step(action)
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))


def draw_gateways(axes, edges: np.ndarray, share: np.ndarray):
    """Draw the share of every gateway, (G, BINS), as a colour around the uniform share, and in per cent."""
    uniform = 1 / len(share)
    norm = matplotlib.colors.TwoSlopeNorm(uniform, 0, MOST * uniform)
    image = axes.pcolormesh(edges, np.arange(len(share) + 1) - 0.5, share, norm=norm, cmap="PuOr_r")
    for (gateway, column), value in np.ndenumerate(share):
        strong = abs(norm(value) - 0.5) > 0.32
        look = dict(ha="center", va="center", fontsize=8.5, color="white" if strong else "0.15")
        axes.text(edges[column : column + 2].mean(), gateway, f"{100 * value:.0f}", **look)
    return image


def draw_levels(axes, edges: np.ndarray, share: np.ndarray) -> None:
    """Draw the share of every level, (L, BINS), above each other."""
    stacked = np.vstack([np.zeros(share.shape[1]), np.cumsum(share, axis=0)])
    for k, colour in enumerate(LEVEL_COLOURS):
        axes.bar(
            edges[:-1], share[k], np.diff(edges), stacked[k], align="edge", color=colour, edgecolor="white", lw=0.5
        )
    axes.set(ylim=(0, 1), xlim=(edges[0], edges[-1]), xlabel="required Mbit/s")


def draw(settings: Settings, agent: Agent, path: Path) -> None:
    """Draw one column per load: above, the shares of the gateways; below, the shares of the levels."""
    world, (label, policy) = settings.world, evaluated(agent, settings.run)
    edges = np.linspace(world.bandwidth_low_bps, world.bandwidth_high_bps, BINS + 1) / 1e6
    look = dict(sharex=True, sharey="row", height_ratios=[1.3, 1])
    figure, grid = plt.subplots(2, len(LOADS), figsize=(9, 7.2), layout="constrained", **look)
    for load, (above, below) in zip(LOADS, grid.T, strict=True):
        mbps, gateway, level = play(world.at_load(load), policy)
        of_gateway = np.array([np.histogram(mbps[gateway == g], edges)[0] for g in range(world.num_gateways)])
        of_level = np.array([np.histogram(mbps[level == k], edges)[0] for k in range(len(LEVEL_FACTORS))])
        flows = np.maximum(of_level.sum(axis=0), 1)
        image = draw_gateways(above, edges, of_gateway / flows)
        above.set_title(f"load {load:g}\n{len(mbps):,} flows", fontsize=10)
        draw_levels(below, edges, of_level / flows)
    capacity_mbps = Simulator(world).topology.capacity_bps / 1e6
    names = [f"{g}: {mbps:.0f} Mbit/s" for g, mbps in enumerate(capacity_mbps)]
    grid[0, 0].set_yticks(range(world.num_gateways), names, fontsize=9)
    grid[0, 0].invert_yaxis()  # gateway 0 is on top in all pictures
    grid[0, 0].set_ylabel("chosen gateway and its capacity")
    grid[1, 0].set_ylabel("share of the flows by chosen level")
    ticks = np.array([0, 0.5, 1, 1.5, 2]) / world.num_gateways
    bar = figure.colorbar(image, ax=grid[0].tolist(), shrink=0.9, extend="max", ticks=ticks)
    bar.set_ticklabels(["0", "half", "uniform", "1.5 times", "twice"], fontsize=8.5)
    figure.suptitle(f"What the policy chooses ({label}). Above: % of the flows of a column", fontsize=11)
    figure.legend(handles=level_patches()[::-1], loc="outside lower center", ncol=1, frameon=False, fontsize=9)
    save(figure, path)
