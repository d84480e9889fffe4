"""The SDN controller of Section 3.1: a trained agent that decides flows online, outside of the simulator.

    controller = Controller.load("runs/NAME")
    report = {"available_bps": [...], "backlog_bits": [...], "available_tflops": 1368.0}
    decision = controller.decide(report, {"data_bits": 4.1e6, "work_tflop": 4.1, "priority": 3, "deadline_s": 0.5})

It computes nothing of its own: state, action and outcome are those of `edgediff.world.decision`.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgediff.config import Settings, WorldConfig
from edgediff.control.request import MAX_FLOWS, read_capacities, read_flow, read_report, short_repr
from edgediff.errors import ConfigError
from edgediff.learner.agent import Agent
from edgediff.run.process import set_up_torch
from edgediff.run.weights import read_weights, restore_agent, weights_path
from edgediff.world.decision import LEVEL_FACTORS, Outcome, View, decode_action, outcome
from edgediff.world.state import state_of
from edgediff.world.workload import draw_topology


class Decision(NamedTuple):
    """What a flow gets, and what the model expects of it."""

    gateway: int  # 0 .. G - 1
    level: int  # 0, 1, 2
    rate_bps: float  # r, bandwidth granted
    compute_tflops: float  # c, compute granted
    delay_s: float  # T_act, the drop limit if dropped
    in_time: bool
    dropped: bool  # it would take longer than the drop limit; it gets nothing
    probabilities: np.ndarray  # (G, 3) of gateways and levels, that the action was chosen by
    decision_ms: float  # time from the report to the grant


class Controller:
    """A trained agent with the world that it was trained for, and the noise stream of an evaluation."""

    def __init__(self, agent: Agent, settings: Settings, mode: str = ""):
        self.agent, self.settings, self.world = agent, settings, settings.world
        self.state_of_view = state_of(settings.learner.network)
        self.mode, self.draws = agent.checked_mode(mode), settings.run.eval_draws
        self.for_gateways = {self.world.num_gateways: (self.world, agent)}
        self.capacity_bps, known_s = draw_topology(self.world)
        self.propagation_s = np.vstack([known_s, known_s.mean(axis=0)])  # the last row: of an unknown workshop
        self._warm_up()
        self.generator = agent.evaluation_stream()

    @classmethod
    def load(cls, run: str | Path, weights: str = "last", mode: str = "", **changes) -> "Controller":
        """Read the weights of a run, `last` or `best`; `ConfigError` if they are unusable.

        `changes` are settings of `RunConfig`: eval_draws, threads, device. They apply to torch in this process.
        """
        settings, _, found = read_weights(weights_path(run, weights))
        settings = settings._replace(run=replace(settings.run, **changes))
        set_up_torch(settings.run)
        return cls(restore_agent(found, settings), settings, mode)

    def decide(self, report: dict, flow: dict) -> Decision:
        """Decide one flow; `ConfigError` names the first field that is wrong."""
        return self._decide(report, {"flow": flow})[0]

    def decide_slot(self, report: dict, flows: Sequence[dict]) -> list[Decision]:
        """Decide the flows of a slot in order, each seeing what those before it were granted.

        `ConfigError` names the first field that is wrong. After an error, no flow is decided and no noise is drawn.
        """
        if not isinstance(flows, (list, tuple)) or not 1 <= len(flows) <= MAX_FLOWS:
            found = f"{len(flows)} flows" if isinstance(flows, (list, tuple)) else short_repr(flows)
            raise ConfigError(f"flows: {found} is not a list of 1 to {MAX_FLOWS} flows")
        return self._decide(report, {f"flows[{k}]": flow for k, flow in enumerate(flows)})

    def _decide(self, report: dict, flows: dict[str, dict]) -> list[Decision]:
        """Check everything, then decide the flows, which have the names that messages call them by."""
        start = time.perf_counter()
        capacity_bps = read_capacities(self.capacity_bps, report, any_number=self.settings.learner.network != "mlp")
        world, agent = self._for_gateways(len(capacity_bps))
        backlog_bits, available_bps, available_tflops, load = read_report(world, capacity_bps, report)
        demands = [read_flow(self.world, flow, name) for name, flow in flows.items()]
        noise, decisions = self.generator.get_state(), []
        try:
            for flow in demands:
                propagation_s = self._propagation_s(flow, len(capacity_bps))
                view = View(flow, backlog_bits, available_bps, capacity_bps, propagation_s, available_tflops, load)
                state = self.state_of_view(world, view)
                action, pi = agent.act_with_probabilities(state, self.generator, self.mode, self.draws)
                result = Outcome(*(field[0, 0] for field in outcome(world, view, action[:, None])))
                backlog_bits, available_bps, available_tflops = after_grant(view, result)
                end = time.perf_counter()
                decisions.append(_decision(int(action[0]), result, pi[0], 1e3 * (end - start)))
                start = end
        except BaseException:
            self.generator.set_state(noise)  # a NaN is found after its noise was drawn
            raise
        return decisions

    def _for_gateways(self, number: int) -> tuple[WorldConfig, Agent]:
        """Return the world and the agent for a number of gateways; shared weights are those of the run."""
        if number not in self.for_gateways:
            settings = self.settings._replace(world=replace(self.world, num_gateways=number))
            self.for_gateways[number] = settings.world, restore_agent(self.agent.weights(), settings)
        return self.for_gateways[number]

    def _propagation_s(self, flow: np.ndarray, gateways: int) -> np.ndarray:
        """Return the propagation delays of a flow, (1, G): to gateways at unknown places, their mean."""
        known_s = self.propagation_s[flow["workshop"]]
        return known_s if gateways == self.world.num_gateways else np.full((1, gateways), known_s.mean())

    def _warm_up(self) -> None:
        """Decide a few flows for nothing: the first decisions of a process are slow."""
        self.generator = self.agent.evaluation_stream()
        zeros = [0.0] * self.world.num_gateways
        report = {"available_bps": self.capacity_bps, "backlog_bits": zeros, "available_tflops": 0.0}
        flow = {"data_bits": 1e6, "work_tflop": 1.0, "priority": 2, "deadline_s": self.world.max_delay_s}
        self.decide_slot(report, [flow] * 20)


def after_grant(view: View, result: Outcome) -> tuple[np.ndarray, ...]:
    """Return what the next flow of the slot sees: D more in the queue, less bandwidth and compute by the grant.

    A dropped flow takes nothing. `Simulator._commit` reserves the same.
    """
    backlog_bits, available_bps = view.backlog_bits.copy(), view.available_bps.copy()
    if not result.dropped:
        backlog_bits[0, result.gateway] += view.flow["data_bits"][0]
        available_bps[0, result.gateway] -= result.rate_bps
    return backlog_bits, available_bps, view.available_tflops - result.compute_tflops


def _decision(action: int, result: Outcome, pi: np.ndarray, milliseconds: float) -> Decision:
    """Return a decision in plain numbers."""
    gateway, level = map(int, decode_action(action))
    amounts = float(result.rate_bps), float(result.compute_tflops), float(result.delay_s)
    in_time, dropped = bool(result.completed), bool(result.dropped)
    return Decision(gateway, level, *amounts, in_time, dropped, pi.reshape(-1, len(LEVEL_FACTORS)), milliseconds)
