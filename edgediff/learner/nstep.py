"""The n-step return of Table 1, inside Eq. (15)."""

import torch
from torch import Tensor


def n_step_return(reward: Tensor, last: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Sum the discounted rewards in Eq. (15) over n steps, or fewer if the episode or the buffer ends first.

    `reward` (n, B) holds r_t .. r_{t+n-1}. `last` (n, B) is true at a step beyond which nothing may be used: the
    episode was cut there, or it is the newest in the buffer. Returns R_m = sum_{j < m} gamma^j r_{t+j} and the
    number of steps m, 1 .. n, both (B,).

    Example: rewards 1, 2, 4 at gamma 0.5 give 1 + 1 + 1 = 3 with m = 3; cut at the second, 1 + 1 = 2 with m = 2.
    """
    n = reward.shape[0]
    included = torch.ones_like(reward)
    included[1:] = (~last[:-1]).to(reward.dtype).cumprod(dim=0)
    discount = gamma ** torch.arange(n, dtype=reward.dtype, device=reward.device)
    total = (discount[:, None] * included * torch.where(included > 0, reward, 0.0)).sum(dim=0)
    return total, included.sum(dim=0).long()
