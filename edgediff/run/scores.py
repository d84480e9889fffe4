"""Scores on held-out traffic, computed in the same way for agents and rules."""

from collections.abc import Callable, Mapping
from pathlib import Path

from edgediff.config import RunConfig, WorldConfig
from edgediff.errors import ConfigError
from edgediff.learner.agent import Agent
from edgediff.world.log import RequestLog
from edgediff.world.rollout import PRIORITIES, Policy, rollout, summarise
from edgediff.world.simulator import Simulator
from edgediff.world.state import state_of
from edgediff.world.workload import HELD_OUT

HEADINGS = {
    "completion": "completion",
    "reward": "reward",
    "latency_s": "latency s",
    "latency_p95_s": "p95 latency s",
    "dropped": "dropped",
    "imbalance": "imbalance",
    **{f"completion_p{p}": f"priority {p}" for p in PRIORITIES},
}


def agent_policy(
    agent: Agent, run: RunConfig, mode: str = "", state_of_view: Callable | None = None
) -> tuple[str, Policy]:
    """Return the label and the policy of an agent in a mode, by default its first one.

    The policy makes the state by `state_of_view`, by default as the agent's network needs it. It has its own random
    stream, so that evaluating never changes training.
    """
    mode, draws, generator = agent.checked_mode(mode), run.eval_draws, agent.evaluation_stream()
    label = f"{agent.config.agent}, {mode}" + (f" of {draws}" if mode == "mean" else "")
    state_of_view = state_of_view or state_of(agent.config.network)
    return label, lambda world, view: agent.act(state_of_view(world, view), generator, mode, draws)


def score(simulator: Simulator, policy: Policy, seed: int = HELD_OUT) -> dict[str, float]:
    """Play one held-out episode in every environment; return the averages over all flows."""
    return summarise(rollout(simulator, policy, seed))


class Scores(dict[str, dict[str, float]]):
    """The averages of every scheduler by its label; printed, a heading and the table of `evaluate`."""

    heading = ""

    def __str__(self) -> str:
        return f"{self.heading}\n{table(self)}" if self else self.heading

    __repr__ = __str__


def scores_of(
    schedulers: Mapping[str, Policy], world: WorldConfig, episodes: int, log: RequestLog | None = None
) -> Scores:
    """Score schedulers on the same held-out episodes, which no evaluation in training has used.

    `ConfigError` names a scheduler that returns something else than actions, (E,) of integers in 0 .. A - 1.
    """
    simulator, scores = Simulator(world, episodes, log=log, state_of_view=None), Scores()
    scores.heading = f"{traffic_label(world)}; {episodes} held-out episode{'s' * (episodes > 1)}"
    for label, scheduler in schedulers.items():
        try:
            scores[label] = score(simulator, scheduler, HELD_OUT + 1)
        except ConfigError as error:
            raise ConfigError(f"{label}: {error}") from None
        except Exception as error:
            if hasattr(error, "add_note"):  # from Python 3.11 on
                error.add_note(f"in the scheduler {label!r}")
            raise
    return scores


def table(scores: dict[str, dict[str, float]], num_columns: int = len(HEADINGS)) -> str:
    """Format the first columns of scores as text, one scheduler per row."""
    columns = list(HEADINGS.items())[:num_columns]
    width = max(map(len, scores)) + 2
    lines = [" " * width + "".join(f"{heading:>{len(heading) + 2}}" for _, heading in columns)]
    for label, values in scores.items():
        line = f"{label:<{width}}"
        for key, heading in columns:
            text = f"{values[key]:.1%}" if "completion" in key or key == "dropped" else f"{values[key]:.3f}"
            line += f"{text:>{len(heading) + 2}}"
        lines.append(line)
    return "\n".join(lines)


def traffic_label(world: WorldConfig) -> str:
    """Describe the traffic of a world in a few words."""
    arrivals = "Poisson arrivals" if world.trace == "none" else f"requests of {Path(world.trace).name}"
    load = f"load {world.load_low:g} to {world.load_high:g}" if world.load_high else f"load {world.load:g}"
    swing = f" that swings by {world.load_swing:g}" if world.load_swing else ""
    weights = [world.priority1_weight, world.priority2_weight, world.priority3_weight]
    weighed = "" if weights == [1, 1, 1] else f", priorities weigh {', '.join(f'{weight:g}' for weight in weights)}"
    return f"{load}{swing}, {arrivals}{weighed}"
