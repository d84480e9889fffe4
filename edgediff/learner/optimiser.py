"""One step of Adam, and its state by parameter, so that a run can be saved and continued."""

import torch
from torch import Tensor, nn


def gradient_step(optimiser: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    """Take one step of an optimiser down the gradient of a loss; return the norm of the gradient."""
    optimiser.zero_grad()
    loss.backward()
    norm = nn.utils.get_total_norm([p.grad for p in parameters(optimiser) if p.grad is not None])
    optimiser.step()
    return norm


def parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    """Return the parameters of an optimiser in order."""
    return [p for group in optimiser.param_groups for p in group["params"]]


def moments(optimiser: torch.optim.Adam) -> list[dict[str, Tensor]]:
    """Return the state of Adam for each parameter: step count and both moments; empty before the first step."""
    return [dict(optimiser.state[p]) for p in parameters(optimiser)]


def load_moments(optimiser: torch.optim.Adam, saved: list[dict[str, Tensor]]) -> None:
    """Restore the state of Adam."""
    for p, values in zip(parameters(optimiser), saved, strict=True):
        kept = optimiser.state[p]
        for name, value in kept.items():
            value.copy_(values[name]) if values else value.zero_()  # in place: a recording on a GPU has its address
        optimiser.state[p] |= {name: value.to(p.device) for name, value in values.items() if name not in kept}
