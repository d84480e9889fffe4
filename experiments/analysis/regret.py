"""Where a policy loses immediate reward against one-step greedy: `python -m experiments.analysis.regret RUN`.

Part of this regret is foresight: a smaller reward now for a better state later. At load 1 little of it is.
"""

import sys

import numpy as np

from edgediff.run.commandline import Parser
from edgediff.run.process import run_program, set_up_torch
from edgediff.run.scores import agent_policy
from edgediff.run.start import load_run
from edgediff.world.decision import Outcome
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT

EPISODES, DECISIONS = 16, 600


def regret(of_actions: Outcome, action: np.ndarray) -> dict[str, np.ndarray]:
    """Compare actions (E,) with those of the best immediate reward: the loss and what is worse, (E,) each."""
    rows, best = np.arange(len(action)), of_actions.reward.argmax(axis=1)

    def worse(field: str) -> np.ndarray:
        values = getattr(of_actions, field).astype(float)
        return values[rows, action] > values[rows, best]

    return {
        "regret": of_actions.reward[rows, best] - of_actions.reward[rows, action],
        "more constraints violated": worse("violations"),
        "dropped": worse("dropped"),
    }


def main(argv: list[str]) -> int:
    """Print the mean regret of the agent of a run, at the load of its training, and its parts."""
    parser = Parser("python -m experiments.analysis.regret RUN", main.__doc__)
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    args = parser.parse(argv)
    settings, _, _, agent = load_run(args.run)
    set_up_torch(settings.run)
    label, policy = agent_policy(agent, settings.run)
    simulator, found = Simulator(settings.world, EPISODES, state_of_view=None), []
    simulator.reset(HELD_OUT)
    for _ in range(DECISIONS):
        action = policy(simulator.world, simulator.view())
        found.append(regret(simulator.outcomes(), action))
        simulator.step(action)
    columns = {name: np.concatenate([each[name] for each in found]) for name in found[0]}
    loss, violated = columns.pop("regret"), columns["more constraints violated"]
    print(f"{label}, load {settings.world.load:g}: {len(loss):,} decisions on held-out traffic\n")
    print("| decisions | share | part of the mean regret |\n|---|---|---|")
    parts = {"all": np.ones(len(loss), bool), "as many constraints violated, or fewer": ~violated} | columns
    for name, rows in parts.items():
        print(f"| {name} | {rows.mean():.1%} | {np.mean(loss * rows):.3f} |")
    print(f"\nmedian regret {np.median(loss):.3f}, 90 % below {np.quantile(loss, 0.9):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("regret", main))
