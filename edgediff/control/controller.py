"""The SDN controller of Section 3.1: a scheduler that decides flows online, outside of the simulator.

    controller = Controller.load("runs/NAME")  # or a rule: Controller.load("greedy", num_gateways=8)
    report = {"available_bps": [...], "backlog_bits": [...], "available_tflops": 1368.0}
    decision = controller.decide(report, {"data_bits": 4.1e6, "work_tflop": 4.1, "priority": 3, "deadline_s": 0.5})

It computes nothing of its own: state, action and outcome are those of `edgediff.world`.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from edgediff.config import Settings, WorldConfig, by_configuration, preset_settings
from edgediff.control.messages import MAX_FLOWS, Demand, Report, read_flow, read_report, short_repr
from edgediff.control.onnx_agent import OnnxAgent, load_onnx
from edgediff.errors import ConfigError
from edgediff.world.decision import LEVEL_FACTORS, Outcome, View, decode_action, outcome
from edgediff.world.rollout import Policy
from edgediff.world.rules import refuse_of_agents, rule_or_run
from edgediff.world.state import state_of
from edgediff.world.workload import draw_topology

if TYPE_CHECKING:
    from edgediff.learner.agent import Agent

Scheduler: TypeAlias = "Agent | OnnxAgent | Policy"
NO_LOG = {"trace": "none", "trace_columns": "auto", "trace_from": "none", "trace_to": "none"}


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
    """A scheduler with the world that it decides in: an agent, or a function of (world, view) such as a rule.

    An agent draws the noise stream of an evaluation. Only for the agent of a run is torch imported: a rule or an
    exported agent starts in a moment.
    """

    def __init__(self, scheduler: Scheduler, settings: Settings, mode: str = ""):
        self.scheduler, self.settings, self.world = scheduler, settings, settings.world
        self.by_gateways = {self.world.num_gateways: (self.world, scheduler)}
        self.capacity_bps, known_s = draw_topology(self.world)
        self.propagation_s = np.vstack([known_s, known_s.mean(axis=0)])  # the last row: of an unknown workshop
        self.generator: Any = None  # a rule draws no noise
        if not callable(scheduler):
            self.mode, self.state_of_view = scheduler.checked_mode(mode), state_of(scheduler.config.network)
            self.generator = scheduler.evaluation_stream()
            self._warm_up()
            self.generator = scheduler.evaluation_stream()
        elif mode:
            raise ConfigError(f"mode: {mode!r} is given to a rule, which has none")

    @classmethod
    def load(
        cls, scheduler: str | Path | Policy, weights: str = "last", mode: str = "", **changes: Any
    ) -> "Controller":
        """Take the agent of a run with its `last` or `best` weights, a rule by its short name, or any function.

        An agent may also be NAME.onnx, a file of `python -m edgediff.export`; it needs no torch. A name of
        `world.rules.RULES` is the rule; "./NAME" is a folder of that name. `changes` are fields of `WorldConfig` and
        `RunConfig`; nothing in the process is changed. `ConfigError` if something is unusable.
        """
        given = by_configuration(changes, "world", "run")
        found = rule_or_run(scheduler)
        if callable(found):
            refuse_of_agents(weights, mode, given["run"])
            return cls(found, preset_settings("paper", given), mode)
        if Path(found).suffix == ".onnx" and Path(found).is_file():
            exported, settings = load_onnx(found, weights, given)
            return cls(exported, settings, mode)
        from edgediff.run.start import load_run

        settings, _, _, agent = load_run(found, weights, **changes | NO_LOG)
        return cls(agent, settings, mode)

    def decide(self, report: Report | dict, demand: Demand | dict) -> Decision:
        """Decide one flow; `ConfigError` names the first field that is wrong."""
        return self._decide(report, {"flow": demand})[0]

    def decide_slot(self, report: Report | dict, demands: Sequence[Demand | dict]) -> list[Decision]:
        """Decide the flows of a slot in order, each seeing what those before it were granted.

        `ConfigError` names the first field that is wrong. After an error, no flow is decided and no noise is drawn.
        """
        if not isinstance(demands, (list, tuple)) or not 1 <= len(demands) <= MAX_FLOWS:
            found = f"{len(demands)} flows" if isinstance(demands, (list, tuple)) else short_repr(demands)
            raise ConfigError(f"flows: {found} is not a list of 1 to {MAX_FLOWS} flows")
        return self._decide(report, {f"flows[{k}]": demand for k, demand in enumerate(demands)})

    def _decide(self, report: Report | dict, demands: dict[str, Demand | dict]) -> list[Decision]:
        """Check everything, then decide the flows, which have the names that messages call them by."""
        start = time.perf_counter()
        told, capacity_bps = read_report(self.world, self.capacity_bps, report)
        flows = [read_flow(self.world, demand, name) for name, demand in demands.items()]
        world, scheduler = self._for_gateways(told)
        backlog_bits, available_bps = np.array([told.backlog_bits]), np.array([told.available_bps])
        available_tflops, load = np.array([told.available_tflops]), np.array([told.load])
        noise, decisions = self.generator and self.generator.get_state(), []
        try:
            for flow in flows:
                propagation_s = self._propagation_s(flow, len(capacity_bps))
                known = flow, backlog_bits, available_bps, capacity_bps, propagation_s, available_tflops, load
                view = View(*known).read_only()
                action, pi = self._choose(scheduler, world, view)
                result = Outcome(*(field[0, 0] for field in outcome(world, view, action[:, None])))
                backlog_bits, available_bps, available_tflops = after_grant(view, result)
                end = time.perf_counter()
                decisions.append(_decision(int(action[0]), result, pi[0], 1e3 * (end - start)))
                start = end
        except BaseException:
            if self.generator:
                self.generator.set_state(noise)  # a NaN is found after its noise was drawn
            raise
        return decisions

    def _for_gateways(self, report: Report) -> tuple[WorldConfig, Scheduler]:
        """Return world and scheduler for the gateways that are known, or for as many as are reported."""
        if report.capacity_bps is None:
            return self.world, self.scheduler
        count, scheduler = len(report.capacity_bps), self.scheduler
        if not callable(scheduler) and scheduler.config.network == "mlp":
            raise ConfigError("capacity_bps: cannot be given to a run whose network is mlp, made for its own gateways")
        if count not in self.by_gateways:
            settings = self.settings._replace(world=replace(self.world, num_gateways=count))
            if isinstance(scheduler, OnnxAgent):
                scheduler = OnnxAgent(scheduler.session, settings)
            elif not callable(scheduler):  # the same weights, for another number of actions
                from edgediff.run.weights import restore_agent

                scheduler = restore_agent(scheduler.weights(), settings)
            self.by_gateways[count] = settings.world, scheduler
        return self.by_gateways[count]

    def _choose(self, scheduler: Scheduler, world: WorldConfig, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Return the action, (1,), and the probabilities that it was chosen by, (1, A): 1 for that of a rule."""
        if not callable(scheduler):
            state, draws = self.state_of_view(world, view), self.settings.run.eval_draws
            return scheduler.act_with_probabilities(state, self.generator, self.mode, draws)
        action, pi = np.asarray(scheduler(world, view)), np.zeros((1, world.num_actions))
        if action.shape != (1,) or action.dtype.kind not in "iu" or not 0 <= action[0] < world.num_actions:
            name = getattr(scheduler, "__name__", type(scheduler).__name__)
            raise ConfigError(f"action: {short_repr(action)} of {name} is not [k], k in 0 .. {world.num_actions - 1}")
        pi[0, action] = 1.0
        return action, pi

    def _propagation_s(self, flow: np.ndarray, gateways: int) -> np.ndarray:
        """Return the propagation delays of a flow, (1, G): to gateways at unknown places, their mean."""
        known_s = self.propagation_s[flow["workshop"]]
        return known_s if gateways == self.world.num_gateways else np.full((1, gateways), known_s.mean())

    def _warm_up(self) -> None:
        """Decide a few flows for nothing: the first decisions of a process are slow."""
        zeros = [0.0] * self.world.num_gateways
        flow = Demand(data_bits=1e6, work_tflop=1.0, priority=2, deadline_s=self.world.max_delay_s)
        self.decide_slot(Report(self.capacity_bps.tolist(), zeros, available_tflops=0.0), [flow] * 20)


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
