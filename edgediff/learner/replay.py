"""The replay buffer of Algorithm 1: a ring of rows, one row per simulated step, one column per environment."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from edgediff.errors import NonFiniteError
from edgediff.learner.nstep import n_step_return

COLUMNS = "state", "action", "reward", "terminated", "ended"  # all that is saved whole


class Batch(NamedTuple):
    """B samples for Eqs. (15) and (16)."""

    state: Tensor  # (B, S)
    action: Tensor  # (B,)
    n_step_return: Tensor  # (B,) sum_{j < m} gamma^j r_{t+j}
    discount: Tensor  # (B,) gamma^m (1 - terminated)
    next_state: Tensor  # (B, S) s_{t+m}, the true last observation where the episode ended


class Replay:
    """`capacity` transitions of `num_envs` environments, on `device`; the oldest row is overwritten first.

    Single steps are stored; n-step returns are formed when sampling, so a window never reaches across the end
    of an episode, nor from the newest row to the oldest.
    """

    def __init__(self, capacity: int, num_envs: int, state_dim: int, num_actions: int, device: str = "cpu"):
        self.rows, self.num_envs, self.num_actions = capacity // num_envs, num_envs, num_actions
        shape = self.rows, num_envs
        self.state = torch.zeros(*shape, state_dim, device=device)
        self.next_state = torch.zeros(*shape, state_dim, device=device)
        self.action = torch.zeros(shape, dtype=torch.long, device=device)
        self.reward = torch.zeros(shape, device=device)
        self.terminated = torch.zeros(shape, dtype=torch.bool, device=device)
        self.ended = torch.zeros(shape, dtype=torch.bool, device=device)  # terminated or truncated
        self.next_row, self.num_rows = 0, 0  # where the next step goes; how many rows hold one

    def __len__(self) -> int:
        return self.num_rows * self.num_envs

    def add(self, state, action, reward, next_state, terminated, truncated) -> None:
        """Store one step of all environments: (E, S), (E,), (E,), (E, S), (E,), (E,), arrays, lists or CPU tensors.

        Raises ValueError at a wrong shape or type, an action out of range, or a state that is not the next state of
        the step before although that step did not end an episode; `NonFiniteError` at a NaN. Nothing is stored then.
        """
        states, of_env = tuple(self.state.shape[1:]), (self.num_envs,)
        state, next_state = _numbers("state", state, states), _numbers("next_state", next_state, states)
        reward, action = _numbers("reward", reward, of_env), _checked("action", action, of_env, "iu")
        terminated = _checked("terminated", terminated, of_env, "b")
        truncated = _checked("truncated", truncated, of_env, "b")
        if action.min() < 0 or action.max() >= self.num_actions:
            raise ValueError(f"action: {action.min()} .. {action.max()} is not within 0 .. {self.num_actions - 1}")
        row, last = self.next_row, self.next_row - 1
        follows = (self.next_state[last] == torch.from_numpy(state).to(self.state.device)).all(dim=1)
        if self.num_rows and not (self.ended[last] | follows).all():
            raise ValueError("state: is not the next state of the step before, in an environment that did not end")
        self.state[row], self.action[row] = torch.from_numpy(state), torch.from_numpy(action.astype(np.int64))
        self.reward[row] = torch.from_numpy(reward)
        self.next_state[row], self.terminated[row] = torch.from_numpy(next_state), torch.from_numpy(terminated)
        self.ended[row] = torch.from_numpy(terminated | truncated)
        self.next_row = (row + 1) % self.rows
        self.num_rows = min(self.num_rows + 1, self.rows)

    def snapshot(self) -> dict:
        """Return the content. A next state is kept only where it is not the state of the following row."""
        n = self.num_rows
        columns = {name: getattr(self, name)[:n] for name in COLUMNS}
        return {"next_row": self.next_row, **columns, "next_state": self.next_state[:n][self._next_state_differs()]}

    def load_snapshot(self, saved: dict) -> None:
        """Restore saved content."""
        n = self.num_rows = len(saved["reward"])
        self.next_row = saved["next_row"]
        for name in COLUMNS:
            getattr(self, name)[:n] = saved[name]
        self.next_state[:n] = self.state[:n].roll(-1, 0)
        self.next_state[:n][self._next_state_differs()] = saved["next_state"].to(self.state.device)

    def _next_state_differs(self) -> Tensor:
        """Mark where the next state is not the state of the following row: at an end, and in the newest row."""
        differs = self.ended[: self.num_rows].clone()
        if self.num_rows:
            differs[self.next_row - 1] = True
        return differs

    def sample(self, batch_size: int, n: int, gamma: float, generator: torch.Generator) -> Batch:
        """Draw `batch_size` transitions uniformly, with repetition, Algorithm 1, line 10."""
        index = torch.randint(len(self), (batch_size,), generator=generator, device=self.state.device)
        return self.gather(index // self.num_envs, index % self.num_envs, n, gamma)

    def gather(self, age: Tensor, env: Tensor, n: int, gamma: float) -> Batch:
        """Form the n-step samples that start `age` rows after the oldest, in environment `env`, both (B,)."""
        oldest = self.next_row if self.num_rows == self.rows else 0
        ages = age + torch.arange(n, device=age.device)[:, None]  # (n, B)
        rows = (oldest + ages) % self.rows
        last = self.ended[rows, env] | (ages >= self.num_rows - 1)
        total, length = n_step_return(self.reward[rows, env], last, gamma)
        end = (oldest + age + length - 1) % self.rows
        discount = gamma**length * (~self.terminated[end, env])
        start = rows[0]
        return Batch(self.state[start, env], self.action[start, env], total, discount, self.next_state[end, env])


def _checked(name: str, value: Any, shape: tuple[int, ...], kinds: str) -> np.ndarray:
    """Return an array of a shape and of one of the kinds of NumPy's types; ValueError names what is wrong."""
    array = np.asarray(value)
    if array.shape != shape:
        raise ValueError(f"{name}: shape {array.shape} is not {shape}")
    if array.dtype.kind not in kinds:
        allowed = {"b": "truth values", "iu": "whole numbers", "fiu": "numbers"}[kinds]
        raise ValueError(f"{name}: {array.dtype} is not an array of {allowed}")
    return array


def _numbers(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of float32; `NonFiniteError` at a value that float32 cannot hold."""
    array = _checked(name, value, shape, "fiu")
    good = np.abs(array) <= np.finfo(np.float32).max  # a larger value would become an infinity
    if not good.all():
        raise NonFiniteError(f"{name}: {array[~good][0]}")
    return array.astype(np.float32, copy=False)
