"""The simulated edge network: one decision per flow, in E environments side by side.

It follows the calling conventions of Gymnasium, with a leading axis E and automatic reset: `step(action)` returns
observation, reward, terminated, truncated, info; `reset(seed)` returns the observation alone. An episode ends when its
slots are used up. That is truncation, never termination, and `info["successor"]` is the state to bootstrap from.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from edgediff.config import Settings, WorldConfig
from edgediff.errors import ConfigError
from edgediff.world.decision import Outcome, View, all_outcomes, outcome
from edgediff.world.delay import drain_backlog
from edgediff.world.log import RequestLog, log_of
from edgediff.world.reservations import reserve, slots_of, timeline_shape
from edgediff.world.state import observe, state_of
from edgediff.world.windows import close_log
from edgediff.world.workload import FLOW, RECENT_SLOTS, draw_topology, draw_traffic, recent_load


class Simulator:
    """E edge networks. Environment e carries the number `first_env + e`, from which its traffic is drawn.

    `state_of_view(world, view)` turns what is known at a decision into the state, (E, S); None makes none, (E, 0).
    """

    def __init__(
        self,
        world: WorldConfig,
        num_envs: int = 1,
        first_env: int = 0,
        log: RequestLog | None = None,
        state_of_view: Callable[[WorldConfig, View], np.ndarray] | None = observe,
    ):
        self.world, self.num_envs, self.first_env, self.state_of_view = world, num_envs, first_env, state_of_view
        self.log = log_of(world) if log is None else log
        self._closed_log = close_log(world, self.log) if self.log else None
        self.topology = draw_topology(world)
        slots, gateways = world.num_slots + 1, world.num_gateways
        self.reserved_bps = np.zeros(timeline_shape(world, num_envs))
        self.reserved_tflops = np.zeros(self.reserved_bps.shape[:2])
        self.total_bps = np.zeros((num_envs, slots, gateways))  # R_total(t)
        self.served_bits = np.zeros((num_envs, slots, gateways))  # bits that slots 0 .. t-1 can send
        self.flows = np.zeros((num_envs, 1), FLOW)
        self.arrived = np.zeros((num_envs, slots), np.int64)  # flows of slots 0 .. t-1
        self.num_flows, self.cursor, self.episode = np.zeros((3, num_envs), np.int64)
        self.backlog_bits = np.zeros((num_envs, gateways))
        self._envs = np.arange(num_envs)

    @classmethod
    def of(cls, settings: Settings, num_envs: int = 1, **others: Any) -> "Simulator":
        """Create the simulator of a run: its world, with the state that its network sees."""
        return cls(settings.world, num_envs, **{"state_of_view": state_of(settings.learner.network)} | others)

    def reset(self, seed: int | np.random.SeedSequence) -> np.ndarray:
        """Start episode 0 of every environment on the traffic of `seed`; return the observation, (E, S)."""
        self.seed = seed
        self.episode[:] = -1
        return self.next_episode()

    def next_episode(self, envs: np.ndarray | None = None) -> np.ndarray:
        """Start the next episode of some environments, chosen by mask or index, or of all; return the observation."""
        for row in self._envs if envs is None else self._envs[envs]:
            self._next_episode(int(row))
        return self.observation()

    def observation(self) -> np.ndarray:
        """Return the state at the present decision, Eq. (11), (E, S)."""
        if self.state_of_view is None:
            return np.zeros((self.num_envs, 0), np.float32)
        return self.state_of_view(self.world, self.view())

    def view(self) -> View:
        """Return what is known at the present decision; nobody can write into it."""
        flow = self.flows[self._envs, self.cursor]
        slot = flow["slot"]
        available_bps = np.maximum(self.total_bps[self._envs, slot] - self.reserved_bps[self._envs, slot], 0.0)
        available_tflops = np.maximum(self.world.server_tflops - self.reserved_tflops[self._envs, slot], 0.0)
        capacity_bps, propagation_s = self.topology
        slots = np.minimum(slot, RECENT_SLOTS)
        flows = self.arrived[self._envs, slot] - self.arrived[self._envs, slot - slots]
        load = recent_load(self.world, flows, slots)
        known_s = propagation_s[flow["workshop"]]
        backlog_bits = self.backlog_bits.copy()
        return View(flow, backlog_bits, available_bps, capacity_bps, known_s, available_tflops, load).read_only()

    def outcomes(self) -> Outcome:
        """Return the outcome of all A actions for the present flows, none of them carried out: each field (E, A)."""
        return all_outcomes(self.world, self.view())

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Decide the present flow of every environment by `action` (E,), integers in 0 .. A - 1; go to the next flow.

        Returns observation (E, S), reward (E,), terminated (E,), truncated (E,), and info: the outcome of each
        flow, and `successor`, the true next state also where an episode has just ended.
        """
        action = self._check(action)
        view = self.view()
        # `outcome` takes K actions per flow, so that a rule may try all of them at once; here K is 1 and goes away.
        result = Outcome(*(field[:, 0] for field in outcome(self.world, view, action[:, None])))
        self._commit(view.flow, result)
        self._advance(view.flow["slot"])
        observation = successor = self.observation()
        truncated = self.cursor == self.num_flows
        if truncated.any():
            observation = self.next_episode(truncated)
        info = result._asdict() | {"priority": view.flow["priority"].copy(), "successor": successor}
        return observation, result.reward, np.zeros(self.num_envs, bool), truncated, info

    def repeat(self, copies: int) -> "Simulator":
        """Return a simulator with every environment `copies` times, as it is now, before the same future.

        Copies e * copies .. e * copies + copies - 1 are of environment e. After the end of its episode a copy goes on
        with traffic that means nothing.
        """
        result = copy.copy(self)
        drawn = "flows", "num_flows", "arrived", "total_bps", "served_bits"
        for name in (*drawn, "episode", "cursor", "backlog_bits", "reserved_bps", "reserved_tflops"):
            setattr(result, name, np.repeat(getattr(self, name), copies, axis=0))
        result.num_envs = self.num_envs * copies
        result._envs = np.arange(result.num_envs)
        return result

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return what the seed cannot draw again: episode, cursor, backlog, reservations."""
        return {
            "episode": self.episode,
            "cursor": self.cursor,
            "backlog_bits": self.backlog_bits,
            "held_bps": self.reserved_bps,  # the names are those of the file
            "held_tflops": self.reserved_tflops,
        }

    def load_snapshot(self, saved: dict[str, Any]) -> None:
        """Restore a saved state, on the traffic of the last `reset`; ValueError if the shapes differ."""
        self.episode = np.asarray(saved["episode"]) - 1
        for row in self._envs:
            self._next_episode(int(row))
        for name, now in self.snapshot().items():
            value = np.asarray(saved[name])
            if value.shape != now.shape:
                raise ValueError(f"simulator: {name} of shape {value.shape}")
            now[:] = value

    def _check(self, action: Any) -> np.ndarray:
        if not self.num_flows.all():
            raise ConfigError("step: no episode has begun, call reset first")
        try:
            action = np.asarray(action)
        except (TypeError, ValueError):  # rows of several lengths
            action = np.asarray(None)
        if action.shape != (self.num_envs,) or action.dtype.kind not in "iu":
            raise ConfigError(f"action: shape {action.shape} of {action.dtype} is not ({self.num_envs},) of integers")
        bad = (action < 0) | (action >= self.world.num_actions)
        if bad.any():
            raise ConfigError(f"action: {action[bad][0]} is not a whole number from 0 to {self.world.num_actions - 1}")
        return action

    def _commit(self, flow: np.ndarray, result: Outcome) -> None:
        """Reserve r until the last bit is sent and c until T_act; queue D. A dropped flow takes nothing."""
        row = self._envs[~result.dropped]
        flow, result = flow[row], Outcome(*(field[row] for field in result))
        start = flow["slot"]
        sent, answered = (start + slots_of(self.world, time_s) for time_s in (result.holding_s, result.delay_s))
        reserve(self.reserved_bps, (row, result.gateway), start, sent, result.rate_bps)
        reserve(self.reserved_tflops, (row,), start, answered, result.compute_tflops)
        self.backlog_bits[row, result.gateway] += flow["data_bits"]

    def _advance(self, before: np.ndarray) -> None:
        """Move time to the next arrival and drain the queues up to it."""
        self.cursor = np.minimum(self.cursor + 1, self.num_flows)
        after = self.flows["slot"][self._envs, self.cursor]
        served_bits = self.served_bits[self._envs, after] - self.served_bits[self._envs, before]
        self.backlog_bits = drain_backlog(self.backlog_bits, served_bits)

    def _next_episode(self, row: int) -> None:
        """Draw the next episode of one environment, skipping those without a flow, and empty its network."""
        while True:
            self.episode[row] += 1
            number = self.first_env + row, int(self.episode[row])
            flows, background = draw_traffic(self.world, self.seed, *number, self._closed_log)
            if flows.size > 1:
                break
        if flows.size > self.flows.shape[1]:
            self.flows = np.pad(self.flows, ((0, 0), (0, flows.size - self.flows.shape[1])))
        self.flows[row, : flows.size] = flows
        self.num_flows[row], self.cursor[row] = flows.size - 1, 0
        self.arrived[row] = np.searchsorted(flows["slot"], np.arange(self.world.num_slots + 1))
        self.total_bps[row] = self.topology.capacity_bps * (1.0 - background)
        self.served_bits[row, 1:] = np.cumsum(self.total_bps[row, :-1] * self.world.slot_s, axis=0)
        self.reserved_bps[row], self.reserved_tflops[row], self.backlog_bits[row] = 0.0, 0.0, 0.0
