"""The replay buffer of Algorithm 1: a ring of rows, one row per simulated step, one column per environment."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from edgediff.errors import NonFiniteError
from edgediff.learner.nstep import n_step_return


class Batch(NamedTuple):
    """B samples for Eqs. (15) and (16)."""

    state: Tensor  # (B, S)
    action: Tensor  # (B,)
    n_step_return: Tensor  # (B,) sum_{j < m} gamma^j r_{t+j}
    discount: Tensor  # (B,) gamma^m (1 - terminated)
    next_state: Tensor  # (B, S) s_{t+m}, the true last observation where the episode was cut


class Replay:
    """`capacity` transitions of `num_envs` environments, on `device`; the oldest row is overwritten first.

    Single steps are stored; n-step returns are formed when sampling, so a window never reaches across the end
    of an episode, nor from the newest row to the oldest.
    """

    _COLUMNS = "state", "action", "reward", "terminated", "cut"

    def __init__(self, capacity: int, num_envs: int, state_dim: int, num_actions: int, device: str = "cpu"):
        self.rows, self.num_envs, self.num_actions = capacity // num_envs, num_envs, num_actions
        shape = self.rows, num_envs
        self.state = torch.zeros(*shape, state_dim, device=device)
        self.next_state = torch.zeros(*shape, state_dim, device=device)
        self.action = torch.zeros(shape, dtype=torch.long, device=device)
        self.reward = torch.zeros(shape, device=device)
        self.terminated = torch.zeros(shape, dtype=torch.bool, device=device)
        self.cut = torch.zeros(shape, dtype=torch.bool, device=device)  # terminated or truncated
        self.next_row, self.filled = 0, 0

    def __len__(self) -> int:
        return self.filled * self.num_envs

    def add(self, state, action, reward, next_state, terminated, truncated) -> None:
        """Store one step of all environments: (E, S), (E,), (E,), (E, S), (E,), (E,) NumPy arrays.

        Raises `NonFiniteError`, or ValueError at a wrong shape, an action out of range, or a state that is not the
        next state of the step before although that step did not end an episode. Nothing is stored then.
        """
        given = dict(state=state, action=action, reward=reward, next_state=next_state, terminated=terminated,
                     truncated=truncated)  # fmt: skip
        for name, value in given.items():
            shape = tuple((self.state if name.endswith("state") else self.reward).shape[1:])
            if np.shape(value) != shape:
                raise ValueError(f"{name}: shape {np.shape(value)} is not {shape}")
            good = np.abs(value) <= np.finfo(np.float32).max  # a larger value would be stored as infinity
            if not good.all():
                raise NonFiniteError(f"{name}: {value[~good][0]}")
        if action.dtype.kind not in "iu" or action.min() < 0 or action.max() >= self.num_actions:
            raise ValueError(f"action: {action.min()} .. {action.max()} is not within 0 .. {self.num_actions - 1}")
        state, last = torch.as_tensor(state, device=self.state.device), self.next_row - 1
        if self.filled and not (self.cut[last] | (self.next_state[last] == state).all(dim=1)).all():
            raise ValueError("state: is not the next state of the step before, in an environment that was not cut")
        given["cut"] = terminated | truncated
        for name in ("next_state", *self._COLUMNS):
            getattr(self, name)[self.next_row] = torch.as_tensor(given[name])
        self.next_row = (self.next_row + 1) % self.rows
        self.filled = min(self.filled + 1, self.rows)

    def snapshot(self) -> dict:
        """Return the content. A next state is kept only where it is not the state of the following row."""
        columns = {name: getattr(self, name)[: self.filled] for name in self._COLUMNS}
        return columns | {"next_state": self.next_state[: self.filled][self._next_state_differs()],
                          "next_row": self.next_row}  # fmt: skip

    def load_snapshot(self, saved: dict) -> None:
        """Restore saved content."""
        self.filled, self.next_row = len(saved["reward"]), saved["next_row"]
        for name in self._COLUMNS:
            getattr(self, name)[: self.filled] = saved[name]
        self.next_state[: self.filled] = self.state[: self.filled].roll(-1, 0)
        self.next_state[: self.filled][self._next_state_differs()] = saved["next_state"].to(self.state.device)

    def _next_state_differs(self) -> Tensor:
        """Mark where the next state is not the state of the following row: at a cut, and in the newest row."""
        differs = self.cut[: self.filled].clone()
        if self.filled:
            differs[self.next_row - 1] = True
        return differs

    def sample(self, batch_size: int, n: int, gamma: float, generator: torch.Generator) -> Batch:
        """Draw `batch_size` transitions uniformly, with repetition, Algorithm 1, line 10."""
        index = torch.randint(len(self), (batch_size,), generator=generator, device=self.state.device)
        return self.gather(index // self.num_envs, index % self.num_envs, n, gamma)

    def gather(self, age: Tensor, env: Tensor, n: int, gamma: float) -> Batch:
        """Form the n-step samples that start `age` rows after the oldest, in environment `env`, both (B,)."""
        oldest = self.next_row if self.filled == self.rows else 0
        ages = age + torch.arange(n, device=age.device)[:, None]  # (n, B)
        rows = (oldest + ages) % self.rows
        last = self.cut[rows, env] | (ages >= self.filled - 1)
        total, steps = n_step_return(self.reward[rows, env], last, gamma)
        end = (oldest + age + steps - 1) % self.rows
        discount = gamma**steps * (~self.terminated[end, env])
        start = rows[0]
        return Batch(self.state[start, env], self.action[start, env], total, discount, self.next_state[end, env])
