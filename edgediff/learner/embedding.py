"""The denoising step i as an input of a noise network, Eq. (21)."""

import math

import torch
from torch import Tensor, nn

TIME_DIM = 16


def sinusoidal_embedding(i: Tensor, dim: int = TIME_DIM) -> Tensor:
    """Embed step numbers i (...,) as sines and cosines of geometrically spaced frequencies, (..., dim)."""
    frequency = torch.exp(torch.arange(dim // 2, device=i.device) * (-math.log(10_000) / (dim // 2 - 1)))
    angle = i[..., None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


class StepEmbedding(nn.Sequential):
    """A small network on rows of `table`, (N, TIME_DIM), the sinusoidal embeddings of the steps 1 .. N."""

    table: Tensor

    def __init__(self, num_steps: int):
        super().__init__(nn.Linear(TIME_DIM, 2 * TIME_DIM), nn.SiLU(), nn.Linear(2 * TIME_DIM, TIME_DIM))
        self.register_buffer("table", sinusoidal_embedding(torch.arange(1, num_steps + 1)), persistent=False)
