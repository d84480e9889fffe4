"""Draw the denoising strip: softmax(a_i) from pure noise, i = N, to the policy, i = 0, in three states."""

from pathlib import Path

import numpy as np
import torch

from edgediff.config import Settings, WorldConfig
from edgediff.learner.d2sac import D2SAC
from edgediff.learner.diffusion import log_policy
from edgediff.world.decision import LEVEL_FACTORS, View
from edgediff.world.laws import work_per_bit
from edgediff.world.rules import most_available
from edgediff.world.simulator import Simulator
from edgediff.world.state import state_of
from edgediff.world.workload import HELD_OUT
from experiments.look import inside
from experiments.pictures.drawing import LEVEL_COLOURS, level_patches, plt, save

DRAWS = 2  # noise draws that are shown, the first of those that an evaluation averages
ROWS = 5  # latents that are shown, of a chain of more than four steps
FULL_BITS, OVERLOAD = 8e6, 2.5  # queue of the full gateway; load of the overload


def typical_flow(world: WorldConfig, flow: np.ndarray) -> np.ndarray:
    """Return a flow in the middle of all ranges: an image, priority 2."""
    flow = flow.copy()
    flow["kind"], flow["priority"] = 1, 2
    flow["bandwidth_bps"] = (world.bandwidth_low_bps + world.bandwidth_high_bps) / 2
    flow["deadline_s"] = (world.deadline_low_s + world.deadline_high_s) / 2
    flow["data_bits"] = world.size_fraction * flow["bandwidth_bps"] * flow["deadline_s"]
    flow["work_tflop"] = work_per_bit(world)[1] * flow["data_bits"]
    return flow


def chain(agent: D2SAC, world: WorldConfig, view: View, draws: int) -> np.ndarray:
    """Return softmax(a_i) for i = N .. 0 in one state, (N + 1, draws, A), by the actor that is evaluated."""
    state = torch.as_tensor(state_of(agent.config.network)(world, view))
    return log_policy(inside.chain(agent, state, torch.Generator().manual_seed(0), draws)).exp().numpy()


def three_states(agent: D2SAC, world: WorldConfig, draws: int) -> dict[str, View]:
    """Return the same flow in an idle network, with its preferred gateway full, and in an overloaded network."""
    simulator = Simulator(world.at_load(OVERLOAD), state_of_view=None)
    simulator.reset(HELD_OUT + 1)
    for _ in range(int(simulator.num_flows[0]) // 2):
        simulator.step(most_available(world, simulator.view()))
    busy = simulator.view()
    busy = busy._replace(flow=typical_flow(world, busy.flow))
    idle = busy._replace(
        backlog_bits=np.zeros_like(busy.backlog_bits),
        available_bps=busy.capacity_bps[None] * (1 - world.quiet_load),
        available_tflops=np.array([world.server_tflops]),
    )
    preferred = chain(agent, world, idle, draws)[-1].mean(axis=0).argmax() // len(LEVEL_FACTORS)
    full = idle._replace(backlog_bits=idle.backlog_bits.copy(), available_bps=idle.available_bps.copy())
    full.backlog_bits[0, preferred], full.available_bps[0, preferred] = FULL_BITS, 0.0
    return {"Idle network": idle, f"Gateway {preferred} full": full, f"Overload (load {OVERLOAD:g})": busy}


def bars(axes, probability: np.ndarray) -> None:
    """Draw the probabilities of all actions, (A,), coloured by level, with every other gateway shaded."""
    width = len(LEVEL_FACTORS)
    for gateway in range(0, len(probability) // width, 2):
        axes.axvspan(width * gateway - 0.5, width * (gateway + 1) - 0.5, color="0.94", lw=0)
    colours = [LEVEL_COLOURS[k % width] for k in range(len(probability))]
    axes.bar(np.arange(len(probability)), probability, width=1.0, color=colours)
    axes.set(xlim=(-0.5, len(probability) - 0.5), ylim=(0, 1), xticks=[], yticks=[])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("0.6")


def gateway_ticks(axes, names: list[str], size: float) -> None:
    """Write a name below every gateway."""
    middles = len(LEVEL_FACTORS) * np.arange(len(names)) + (len(LEVEL_FACTORS) - 1) / 2
    axes.set_xticks(middles, names, fontsize=size)
    axes.tick_params(length=0)


def draw_chain(figure, rows: list, found: np.ndarray, shown: np.ndarray, first: bool) -> None:
    """Draw softmax(a_i) of one state, (N + 1, draws, A): a row per shown step, a column per noise draw."""
    steps = len(found) - 1
    for row, k in zip(rows, shown, strict=True):
        cells = row.subgridspec(1, DRAWS, wspace=0.06)
        for n in range(DRAWS):
            axes = figure.add_subplot(cells[n])
            bars(axes, found[k, n])
            if k == 0:
                axes.set_title(f"noise draw {n + 1}", fontsize=9.5)
            if k == steps:
                gateway_ticks(axes, [str(g) for g in range(found.shape[2] // len(LEVEL_FACTORS))], 8)
            if first and n == 0:
                name = {0: "\nnoise", steps: "\nlogits"}.get(k, "")
                axes.set_ylabel(f"$a_{{{steps - k}}}${name}", rotation=0, ha="right", va="center", fontsize=11)
                axes.set_yticks([0, 1] if k == 0 else [], ["0", "1"] if k == 0 else [], fontsize=8)


def draw_policy(axes, policy: np.ndarray, view: View, draws: int, first: bool) -> None:
    """Draw the mean of the noise draws, (A,), by which an evaluation decides, and name its choice."""
    bars(axes, policy)
    gateway, level = divmod(int(policy.argmax()), len(LEVEL_FACTORS))
    axes.set_title(f"mean of {draws} draws decides:\ngateway {gateway}, level {level}", fontsize=10)
    gateway_ticks(axes, [f"{g}\n{bps / 1e6:.0f}" for g, bps in enumerate(view.available_bps[0])], 8.5)
    if first:
        axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=8)
        where = dict(xycoords="axes fraction", textcoords="offset points", ha="right", va="top")
        axes.annotate("gateway\nMbit/s\nfree", (0, 0), (-7, -5), fontsize=8.5, **where)


def draw(settings: Settings, agent: D2SAC, path: Path) -> None:
    """Draw one column per state and noise draw, one row per step, and below them the policy that is evaluated."""
    world, draws = settings.world, max(settings.run.eval_draws, DRAWS)
    views = three_states(agent, world, draws)
    steps = agent.config.d2sac_denoising_steps
    shown = np.unique(np.linspace(0, steps, min(steps + 1, ROWS)).round().astype(int))  # rows, 0 is i = N
    heights = [*[0.75] * len(shown), 0.6, 1.4]
    inches = sum(heights) + 2.8
    figure = plt.figure(figsize=(9, inches))
    edges = dict(left=0.09, right=0.99, top=1 - 1.2 / inches, bottom=1.3 / inches)
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights, hspace=0.12, **edges)
    rows = [line.subgridspec(1, len(views), wspace=0.07) for line in grid]
    for column, (title, view) in enumerate(views.items()):
        found = chain(agent, world, view, draws)
        draw_chain(figure, [row[column] for row in rows[: len(shown)]], found, shown, column == 0)
        axes = figure.add_subplot(rows[-1][column])
        draw_policy(axes, found[-1].mean(axis=0), view, draws, column == 0)
        box = axes.get_position()
        figure.text((box.x0 + box.x1) / 2, 1 - 0.88 / inches, title, ha="center", fontsize=12, weight="bold")
    flow = view.flow[0]
    of_flow = f"a flow of {flow['bandwidth_bps'] / 1e6:g} Mbit/s that is due in {flow['deadline_s']:.2g} s"
    title = f"From noise to a decision, for {of_flow}: softmax of $a_i$"
    figure.suptitle(title, y=1 - 0.1 / inches, fontsize=11.5)
    says = "Single draws of the noise may disagree; their mean decides."
    figure.text(0.5, 1 - 0.5 / inches, says, ha="center", fontsize=10)
    figure.legend(handles=level_patches(), loc="lower center", ncol=1, frameon=False, fontsize=9)
    save(figure, path)
