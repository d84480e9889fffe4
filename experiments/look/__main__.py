"""Write the page of one episode: `python -m experiments.look RUN [--load X] [--output FILE]`.

One HTML file with its style, its script and its numbers inside. It loads nothing and needs no network.
"""

import base64
import json
import os
import re
import sys
import zlib
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from edgediff.config import Settings
from edgediff.learner.agent import Agent
from edgediff.run.atomic import write_atomically
from edgediff.run.commandline import Parser, given_settings
from edgediff.run.process import run_program, set_up_torch
from edgediff.run.scores import traffic_label
from edgediff.run.start import load_run
from edgediff.world.decision import LEVEL_FACTORS
from edgediff.world.laws import mean_data_bits
from edgediff.world.log import RequestLog
from edgediff.world.workload import draw_topology
from experiments import RESULTS
from experiments.html import font
from experiments.look.data import DIGITS, MOST_FLOWS, PRINTED, RULES, play
from experiments.look.equations import as_html
from experiments.look.inside import kept_steps
from experiments.look.states import entries
from experiments.own_file import refuse_foreign

HERE = Path(__file__).parent
PAPER = RESULTS / "annotated_paper.html"
MARK = '<meta name="generator" content="experiments/look">'  # by which a page of ours is known
SHOWN = "max_delay_s", "compute_fraction", "delay_weight", "balance_weight", "penalty"
SCRIPTS = "numbers.js", "strip.js", "figure.js", "flow.js", "why.js", "look.js"
BESIDE = 2**31 - 1  # in place of a number that is too large for 32 bits


def pack(arrays: dict[str, np.ndarray], digits: dict[str, int]) -> tuple[dict[str, Any], str]:
    """Return shapes and digits by name, and all numbers as text: whole numbers, compressed, in base 64.

    A number is rounded to its digits and taken as an integer of 32 bits. One that is too large stands beside as a text,
    by its place; infinity has none. Zigzag and one plane per byte make small numbers small for the compression.
    """
    parts, shapes = [], {}
    for name, values in arrays.items():
        values = np.asarray(values, np.float64)
        scaled = values * 10.0 ** digits[name]
        fits = np.abs(scaled) < BESIDE - 1
        whole = np.rint(np.where(fits, scaled, 0))
        # A page rounds again: a half must not come from the first rounding.
        again = 10 ** max(digits[name] - PRINTED, 0)
        whole += np.where(whole % again == again / 2, np.sign(scaled - whole), 0)
        whole = np.where(fits, whole, BESIDE).astype("<i4")
        beside = {int(k): str(values.flat[k]) for k in np.flatnonzero(~fits & (values != np.inf))}
        parts.append(((whole << 1) ^ (whole >> 31)).reshape(-1, 1).view(np.uint8).T.tobytes())
        shapes[name] = {"shape": whole.shape, "digits": digits[name], "beside": beside}
    return shapes, base64.b64encode(zlib.compress(b"".join(parts), 9)).decode()


def about(run: str, epoch: int, settings: Settings, agent: Agent, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return what the page must know besides the numbers of the flows."""
    world, learner = settings.world, settings.learner
    chosen = np.arange(len(arrays["action"])), arrays["action"]
    done, reward = arrays["completed"][chosen].mean(), arrays["reward"][chosen].mean()
    return {
        "run": Path(run).resolve().name,
        "epoch": epoch,
        "agent": learner.agent,
        "network": learner.network,
        "traffic": traffic_label(world),
        "synthetic": world.trace == "none",
        "flows": len(arrays["action"]),
        "cut": len(arrays["action"]) == MOST_FLOWS,
        "score": f"{100 * done:.1f} % in time, mean reward {reward:+.3f}".replace("-", "−"),
        "steps": kept_steps(agent).tolist(),
        "eval_draws": settings.run.eval_draws,
        "levels": LEVEL_FACTORS.tolist(),
        "capacity": (draw_topology(world).capacity_bps / 1e6).tolist(),
        "mean_data": mean_data_bits(world) / 1e6,
        "entries": entries(world, learner.network),
        "rules": RULES,
        "slot": world.slot_s,
        **{name: getattr(world, name) for name in SHOWN},
        "priority_weights": [world.priority1_weight, world.priority2_weight, world.priority3_weight],
    }


def page(run: str, epoch: int, settings: Settings, agent: Agent, log: RequestLog | None, paper: str) -> str:
    """Return the whole page; `paper` is the address of the annotated paper, as seen from it."""
    arrays = play(settings, agent, log)
    shapes, numbers = pack(arrays, DIGITS)
    known = json.dumps(about(run, epoch, settings, agent, arrays) | {"shapes": shapes}).replace("<", "\\u003c")
    template = (HERE / "look.html").read_text("utf-8")
    inlined = {
        "mark": MARK,
        "title": escape(f"Look inside a decision: {settings.learner.agent}"),
        "style": f"{font.rule()}\n{font.SIDEWAYS.read_text('utf-8')}{(HERE / 'look.css').read_text('utf-8')}",
        "paper": escape(paper),
        "equations": as_html(paper),
        "about": known,
        "numbers": numbers,
        "script": "\n".join((HERE / name).read_text("utf-8") for name in SCRIPTS),
    }
    return re.sub(r"<!-- (\w+) -->", lambda place: inlined[place[1]], template)  # in one pass: texts hold no places


def main(argv: list[str]) -> int:
    """Make a page of one held-out episode of a run, on which every decision can be opened."""
    parser = Parser("python -m experiments.look RUN", main.__doc__)
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    parser.add_argument("--load", metavar="X", help="load of the episode [as in the run]")
    parser.add_argument("--output", metavar="FILE", help="where to [RUN/decisions.html]")
    args = parser.parse(argv)
    load = given_settings(args)["world"]
    settings, log, epoch, agent = load_run(args.run, device="cpu", final_episodes=1, **load)
    set_up_torch(settings.run)
    path = Path(args.output or Path(args.run) / "decisions.html")
    refuse_foreign(path, MARK, "output")
    paper = quote(os.fsencode(Path(os.path.relpath(PAPER, path.resolve().parent)).as_posix()))
    text = page(args.run, epoch, settings, agent, log, paper)
    write_atomically(path, text.encode())
    print(f"{path} ({len(text) / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("look", main))
