"""Draw what the policy chooses: gateway and level, against the required bandwidth and the load of the network."""

from pathlib import Path

import numpy as np

from edgediff.config import Settings, WorldConfig
from edgediff.learner.d2sac import D2SAC
from edgediff.run.scores import agent_policy
from edgediff.world.decision import LEVELS, decode_action
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT
from experiments.pictures.drawing import LEVEL_COLOURS, level_patches, plt, save

LOADS, BINS, ENVIRONMENTS = (0.5, 1.0, 1.5, 2.0), 8, 4


def play(world: WorldConfig, policy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return required bandwidth in Mbit/s, chosen gateway and chosen level of all flows of a few episodes."""
    simulator = Simulator(world, ENVIRONMENTS)
    observation, found = simulator.reset(HELD_OUT + 1), []
    for _ in range(int(simulator.num_flows.min())):
        action = policy(observation, simulator)
        found.append((simulator.view().flow["bandwidth_bps"] / 1e6, *decode_action(action)))
        observation, *_ = simulator.step(action)
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))


def draw(settings: Settings, agent: D2SAC, path: Path) -> None:
    """Draw one column per load: above, the shares of the gateways; below, the shares of the levels."""
    world, (label, policy) = settings.world, agent_policy(agent, settings.run)
    capacity_mbps = Simulator(world).topology.capacity_bps / 1e6
    edges = np.linspace(world.bandwidth_low_bps, world.bandwidth_high_bps, BINS + 1) / 1e6
    figure, grid = plt.subplots(2, len(LOADS), figsize=(9.4, 7.0), sharex=True, sharey="row", layout="constrained",
                                gridspec_kw=dict(height_ratios=[1.25, 1]))  # fmt: skip
    for column, load in enumerate(LOADS):
        mbps, gateway, level = play(world.at_load(load), policy)
        of_gateway = np.array([np.histogram(mbps[gateway == g], edges)[0] for g in range(world.num_gateways)])
        of_level = np.array([np.histogram(mbps[level == k], edges)[0] for k in range(len(LEVELS))])
        flows = np.maximum(of_level.sum(axis=0), 1)
        above, below = grid[:, column]
        image = above.pcolormesh(edges, np.arange(world.num_gateways + 1) - 0.5, of_gateway / flows, vmin=0, vmax=0.5,
                                 cmap="viridis")  # fmt: skip
        above.set_title(f"load {load:g}\n{len(mbps):,} flows", fontsize=10)
        stacked = np.vstack([np.zeros(BINS), np.cumsum(of_level / flows, axis=0)])
        for k, colour in enumerate(LEVEL_COLOURS):
            below.bar(edges[:-1], stacked[k + 1] - stacked[k], np.diff(edges), stacked[k], align="edge", color=colour,
                      edgecolor="white", lw=0.5)  # fmt: skip
        below.set(ylim=(0, 1), xlim=(edges[0], edges[-1]), xlabel="required Mbit/s")
    names = [f"{g}: {mbps:.0f} Mbit/s" for g, mbps in enumerate(capacity_mbps)]
    grid[0, 0].set_yticks(range(world.num_gateways), names, fontsize=9)
    grid[0, 0].set_ylabel("chosen gateway and its capacity")
    grid[1, 0].set_ylabel("share of the flows by chosen level")
    figure.colorbar(image, ax=grid[0].tolist(), label="share of the flows", shrink=0.9, extend="max")
    figure.suptitle(f"What the policy chooses ({label} noise draws), by required bandwidth and load of the network")
    figure.legend(handles=level_patches(), loc="outside lower center", ncol=1, frameon=False, fontsize=9)
    save(figure, path)
