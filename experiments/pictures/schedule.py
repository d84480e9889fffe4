"""Draw the variance schedule, Eq. (22), and how much of the predicted noise Eqs. (21) and (24) subtract."""

from pathlib import Path

import torch

from edgediff.learner.diffusion import Schedule, reverse_mean
from experiments.pictures.drawing import plt, save
from experiments.variants.agents import reverse_mean_printed, reverse_step_expanded_printed


def weights_of_noise(schedule: Schedule) -> dict[str, torch.Tensor]:
    """Return the weight of eps_theta in each form of the reverse step, (N,): its result for a_i = 0, eps_theta = -1."""
    zero, alpha = torch.zeros_like(schedule.alpha), schedule.alpha
    minus_one = zero - 1
    return {
        "correct: Eq. 21 with $\\bar\\alpha_i$": reverse_mean(zero, minus_one, alpha, schedule.alpha_bar),
        "Eq. 21 as printed, with $\\alpha_i$": reverse_mean_printed(zero, minus_one, alpha),
        "Eq. 24 as printed": reverse_step_expanded_printed(zero, minus_one, alpha, zero),
    }


def draw(schedule: Schedule, path: Path) -> None:
    """Draw beta_i and alpha_bar_i, the weights, and the weights as multiples of the correct one."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3.9))
    steps = range(1, len(schedule.beta) + 1)
    left.plot(steps, schedule.beta, "o-", color="C3", ms=4, label=r"$\beta_i$: noise of step i")
    left.plot(steps, schedule.alpha_bar, "s-", color="C0", ms=4, label=r"$\bar\alpha_i$: share of $a_0$ left")
    left.set(ylim=(0, 1), title="Variance schedule (Eq. 22)", ylabel="share of the variance")
    weights = weights_of_noise(schedule)
    correct = next(iter(weights.values()))
    for (name, weight), look in zip(weights.items(), ("o-", "s--", "^:"), strict=True):
        middle.plot(steps, weight, look, ms=4, label=name)
        right.plot(steps, weight / correct, look, ms=4)
    middle.set(title="Weight of the predicted noise", ylabel=r"factor before $\epsilon_\theta$")
    middle.set_ylim(bottom=0)
    right.set(title="Relative to the correct weight", ylabel="multiple of the correct weight")
    for axes in (left, middle, right):
        axes.set_xlabel("denoising step i")
        axes.xaxis.set_major_locator(plt.MaxNLocator(5, integer=True))
        axes.grid(alpha=0.3)
        axes.title.set_fontsize(11)
    figure.tight_layout(rect=(0, 0.17, 1, 1))
    for axes, x in ((left, 0.06), (middle, 0.38)):
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(x, 0.19), frameon=False, fontsize=9)
    save(figure, path)
