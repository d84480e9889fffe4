"""Draw the agent, the paper's Figure 3, from noise and state to the losses: `python -m experiments.pictures.agent`.

The numbers of states, actions and steps are those of the configuration. Every arrow carries its equation and function.
"""

import sys
from pathlib import Path

from edgediff.config import LearnerConfig, WorldConfig
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from experiments.pictures.drawing import plt, save
from experiments.pictures.network import FLOW, REPORT, arrow, box

ACTOR, CRITIC, LOSS, DATA, TARGET = "#dbe8f5", "#e3f1df", "#fbe9d7", "#eeeeee", "white"
GRADIENT, SLOW = REPORT, "C4"  # colours of gradients, and of the soft updates of the targets


def note(axes, x: float, y: float, text: str, colour: str = "0.2", **look) -> None:
    """Write what an arrow does: words, and below them the function and its equation."""
    axes.text(x, y, text, **dict(fontsize=8.5, color=colour, ha="center", va="center", linespacing=1.3) | look)


def path(axes, points: list[tuple], colour: str, **look) -> None:
    """Draw an arrow along several points."""
    for start, end in zip(points[:-2], points[1:-1], strict=True):
        axes.plot(*zip(start, end, strict=True), color=colour, lw=look.get("lw", 1.2), ls=look.get("ls", "-"), zorder=1)
    arrow(axes, points[-2], points[-1], colour, **dict(lw=1.2) | look)


def actor(axes, num_state: int, num_actions: int, steps: int) -> None:
    """Draw the chain: noise and state, one box per step, logits, policy."""
    box(axes, 8, 66, 14, 8, f"noise\n$a_{{{steps}}} \\sim N(0, I)$", DATA)
    box(axes, 8, 54, 14, 8, f"state $s$\n{num_state} numbers", DATA)
    note(axes, 8, 48.4, "observe, Eq. (11)")
    width = 48 / steps
    middles = [22.5 + width * (k + 0.5) for k in range(steps)]
    for k, x in enumerate(middles):
        box(axes, x, 66, 0.76 * width, 8, "$\\epsilon_\\theta$" + f"\n{steps - k}", ACTOR, 10 if steps < 13 else 6)
        before = 15 if k == 0 else x - 0.62 * width
        arrow(axes, (before, 66), (x - 0.38 * width, 66), FLOW, lw=1)
        arrow(axes, (x, 56.5), (x, 62), FLOW, lw=0.8)
    axes.plot([15, middles[-1]], [56.5, 56.5], color=FLOW, lw=0.8, zorder=1)
    chain = f"one chain of {steps} steps: denoise, Eq. (19);  $\\epsilon_\\theta$: NoiseNetwork"
    note(axes, 46.5, 73.5, f"{chain}\neach step: reverse_mean, Eq. (21), then reverse_step, Eq. (23)")
    note(axes, 18.7, 68.7, "draw_noise")
    note(axes, 36.5, 55, "the state enters every step")
    box(axes, 79, 66, 10, 8, f"logits $a_0$\n{num_actions}", ACTOR)
    arrow(axes, (middles[-1] + 0.38 * width, 66), (74, 66), FLOW)
    box(axes, 98, 66, 12, 8, f"policy $\\pi$\n{num_actions}", ACTOR)
    arrow(axes, (84, 66), (92, 66), FLOW)
    note(axes, 88, 71.5, "log_policy\nEq. (26)")


def losses(axes, num_actions: int) -> None:
    """Draw what teaches the actor: J and L_d, both from the smaller of the critics' values."""
    box(axes, 85, 42, 22, 8, "$J = E_s[\\,\\sum_a \\pi \\, \\min_k Q_k + \\alpha H(\\pi)\\,]$", LOSS, 9)
    path(axes, [(99, 62), (99, 42), (96, 42)], FLOW)
    path(axes, [(79, 46), (79, 62)], GRADIENT)
    note(axes, 80, 54, "gradient through all steps\nactor_objective, line 16", GRADIENT, ha="left")
    box(axes, 48, 42, 22, 8, "$L_d = E\\,||\\epsilon - \\epsilon_\\theta(a_i, s, i)||^2$", LOSS, 9)
    path(axes, [(50.2, 46), (50.2, 62)], GRADIENT)
    note(axes, 51.2, 51.5, "gradient at one random step $i$\ndiffusion_loss, Eq. (25), line 17", GRADIENT, ha="left")
    box(axes, 48, 27, 22, 6, f"clean latent $a_0$, {num_actions}", DATA)
    path(axes, [(48, 30), (48, 38)], FLOW)
    note(axes, 49, 34, "add noise $\\epsilon$\nforward_marginal, Eq. (18)", ha="left")
    box(axes, 85, 27, 14, 6, f"$\\min_k Q_k$, {num_actions}", CRITIC)
    path(axes, [(85, 30), (85, 38)], FLOW)
    path(axes, [(78, 27), (59, 27)], FLOW)
    note(axes, 68.5, 29.6, "argmax\nclean_latent, Eq. (25)")


def critics(axes, num_actions: int) -> None:
    """Draw buffer, target value, critic loss, and the two critics."""
    box(axes, 8, 11, 14, 8, "replay\nbuffer", DATA)
    box(axes, 34, 11, 10, 8, "target $y$", LOSS)
    arrow(axes, (15, 11), (29, 11), FLOW)
    note(axes, 22, 13.7, "$R_m$: n_step_return\nTable 1")
    box(axes, 58, 11, 12, 8, "$L_Q$", LOSS)
    arrow(axes, (39, 11), (52, 11), FLOW)
    note(axes, 45.5, 13.7, "td_target\nEq. (15)")
    for k, x in ((1, 79), (2, 91)):
        box(axes, x, 11, 11, 8, f"critic $Q_{k}$\n{num_actions}", CRITIC)
        arrow(axes, (x, 15), (85 + (x - 85) * 0.5, 24), FLOW)
    note(axes, 85, 19, "TwinCritics\n.minimum", zorder=4)
    arrow(axes, (64, 11), (73.5, 11), GRADIENT)
    note(axes, 68.8, 13.7, "critic_loss\nEq. (16)", GRADIENT)
    path(axes, [(11, 7), (11, 4), (85, 4), (85, 7)], FLOW)
    note(axes, 48, 5.4, "batch $(s, a)$: Replay.sample, line 10")


def targets(axes) -> None:
    """Draw the targets, which follow slowly, and take no gradient."""
    for x, text in ((12, "target actor\n$\\pi'$"), (28.5, "target critics\n$Q'_1, Q'_2$")):
        axes.add_patch(plt.Rectangle((x - 7, 24.5), 14, 8, facecolor=TARGET, edgecolor=SLOW, lw=1.3, ls="--"))
        note(axes, x, 28.5, text, fontsize=10)
    path(axes, [(12, 24.5), (12, 20), (34, 20), (34, 15)], FLOW)
    axes.plot([28.5, 28.5], [24.5, 20], color=FLOW, lw=1.2, zorder=1)
    note(axes, 20.5, 18.5, "value of $s'$: state_value")
    path(axes, [(23.5, 62), (23.5, 59), (18, 59), (18, 32.5)], SLOW, ls="--")
    note(axes, 19, 40, "$\\tau$: polyak\nEq. (17)", SLOW, ha="left")
    path(axes, [(76, 15), (76, 22), (35, 22), (35, 24.5)], SLOW, ls="--")
    note(axes, 57, 20.4, "$\\tau$: polyak, Eq. (17), line 19, of both critics", SLOW)


def transition(axes) -> None:
    """Draw how an action meets the network and becomes a transition."""
    path(axes, [(103, 62), (103, 31)], FLOW)
    note(axes, 101.8, 49.5, "draw an action: Agent.explore, line 6", rotation=90, fontsize=8)
    box(axes, 101, 27, 9, 8, "edge\nnetwork", DATA)
    path(axes, [(101, 23), (101, 1.5), (5, 1.5), (5, 7)], FLOW)
    note(axes, 48, 2.7, "$(s, a, r, s')$: Simulator.step, line 7;  Replay.add, line 8")


def draw(out: Path) -> None:
    """Draw the agent with the settings of the paper."""
    world_config, learner_config = WorldConfig(), LearnerConfig()
    figure, axes = plt.subplots(figsize=(10.6, 7.7))
    axes.set(xlim=(0, 106), ylim=(0, 77))
    axes.axis("off")
    num_actions = world_config.num_actions
    actor(axes, world_config.state_dim, num_actions, learner_config.d2sac_denoising_steps)
    losses(axes, num_actions)
    critics(axes, num_actions)
    targets(axes)
    transition(axes)
    figure.tight_layout(pad=0.3)
    save(figure, out)


def main(argv: list[str]) -> int:
    """Draw the agent with the settings of the paper."""
    parser = Parser("python -m experiments.pictures.agent", main.__doc__)
    parser.add_argument("--out", metavar="X", default="agent.svg", help="file of the picture [agent.svg]")
    draw(Path(parser.parse(argv).out))
    return 0


if __name__ == "__main__":
    sys.exit(run_program("experiments.pictures.agent", main))
