"""Draw a part of an episode as a moving picture, an SVG that a browser plays: round robin beside the agent.

Each flow is a dot. It enters on the left, in the lane of its gateway, and is at the right end when its answer is there.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgediff.config import Settings
from edgediff.learner.agent import Agent
from edgediff.world.simulator import Simulator
from experiments.pictures.drawing import write_picture
from experiments.pictures.timelines import HELD, LATE, QUEUE, Episode, beside_round_robin

LOAD, SHOWN_S, SLOWER = 2.0, 2.4, 5  # the traffic, how much of the middle of its episode, and how slowly
STEP_S, FALL_S = 0.03, 0.25  # between two lengths of a bar; in which a dropped flow falls
WIDTH, LANE, TOP, BAR, ENTER, ANSWER, FALL = 426, 24, 30, (22, 60), 92, 412, 44  # pixels; FALL: below the last lane
COLOURS = dict(
    p1="#9ecae1", p2="#4292c6", p3="#08306b", late=LATE, taken="#d1d1d1", free="white", held=HELD, queue=QUEUE
)
STYLE = "text{font-family:sans-serif;font-size:12px;fill:#222}" + "".join(
    f".{name}{{fill:{of}}}" for name, of in COLOURS.items()
)


def during(since_s: float, seconds: float) -> str:
    """Return when something happens, in seconds of the episode after the first one shown; again in each round."""
    return f'begin="clock.begin+{SLOWER * since_s:.2f}s" dur="{SLOWER * seconds:.2f}s"'


def dots(episode: Episode, start_s: float) -> Iterator[str]:
    """Yield the flows. A dropped one falls down; one that is late changes its colour at its deadline."""
    bottom = TOP + LANE * episode.total_bps.shape[1] + FALL
    for i in np.flatnonzero((episode.time_s >= start_s) & (episode.time_s < start_s + SHOWN_S)):
        since_s, delay_s, deadline_s = episode.time_s[i] - start_s, episode.delay_s[i], episode.deadline_s[i]
        y = TOP + LANE * episode.gateway[i] + LANE / 2 + (i % 5 - 2) * 3
        if episode.dropped[i]:
            place = f'cx="{ENTER + i % 9 * 5}" cy="-9"'
            move = f'<animate attributeName="cy" {during(since_s, FALL_S)} from="{y:.0f}" to="{bottom}"/>'
        else:
            place = f'cx="-9" cy="{y:.0f}"'
            move = f'<animate attributeName="cx" {during(since_s, delay_s)} from="{ENTER}" to="{ANSWER}"/>'
            if not episode.completed[i]:
                move += f'<set attributeName="class" to="late" {during(since_s + deadline_s, delay_s - deadline_s)}/>'
        radius = 1.2 + np.sqrt(episode.data_bits[i]) / 900
        yield f'<circle class="p{episode.priority[i]}" {place} r="{radius:.1f}">{move}</circle>'


def bars(episode: Episode, start_s: float, capacity_bps: np.ndarray, most_bits: float) -> Iterator[str]:
    """Yield, for each gateway, what is left by background traffic, what flows hold of it, and the queue."""
    left, width = BAR
    seen = np.searchsorted(episode.time_s, start_s + np.arange(0, SHOWN_S, STEP_S), side="right")
    seen = np.maximum(seen - 1, 0)
    shares = (
        ("free", 4, LANE - 10, episode.total_bps / capacity_bps),
        ("held", 4, LANE - 10, np.minimum(episode.reserved_bps / capacity_bps, 1)),
        ("queue", LANE - 6, 3, episode.backlog_bits / most_bits),
    )
    for g in range(len(capacity_bps)):
        y = TOP + LANE * g
        yield text(2, y + 15, g) + f'<path d="M{ENTER} {y + LANE - 0.5}H{ANSWER}" stroke="#ddd"/>'
        yield bar("taken", left, y + 4, width, LANE - 10)
        for name, above, height, share in shares:
            values = ";".join(f"{width * each:.0f}" for each in share[seen, g])
            every = f'dur="{SLOWER * SHOWN_S:g}s" repeatCount="indefinite" calcMode="discrete"'
            moves = f'<animate attributeName="width" {every} values="{values}"/>'
            yield bar(name, left, y + above, 0, height, moves)


def bar(name: str, x: float, y: float, width: float, height: float, moves: str = "") -> str:
    """Return a rectangle."""
    return f'<rect class="{name}" x="{x}" y="{y}" width="{width}" height="{height}">{moves}</rect>'


def text(x: float, y: float, words: object) -> str:
    """Return a word or two."""
    return f'<text x="{x}" y="{y}">{words}</text>'


def legend(y: float) -> Iterator[str]:
    """Yield what the colours mean."""
    for x, name, words in ((42, "p1", "p = 1"), (94, "p2", "2"), (124, "p3", "3"), (154, "late", "late")):
        yield f'<circle class="{name}" cx="{x}" cy="{y - 4}" r="5"/>' + text(x + 9, y, words)
    for x, words in ((2, "flow:"), (194, "falls: dropped"), (330, "bandwidth:")):
        yield text(x, y, words)
    for x, name, words in (
        (400, "taken", "taken by background"),
        (545, "held", "held by flows"),
        (650, "queue", "queue"),
    ):
        yield bar(name, x, y - 10, 14, 11) + text(x + 18, y, words)


def draw(settings: Settings, agent: Agent, path: Path) -> None:
    """Draw round robin and an agent on the same traffic, of the first held-out episode at load 2."""
    world = settings.world.at_load(LOAD)
    episodes = beside_round_robin(world, settings.run, agent)
    capacity_bps = Simulator(world).topology.capacity_bps
    most_bits = max(1.0, *(episode.backlog_bits.max() for episode in episodes.values()))
    start_s = max(0.0, (world.num_slots * world.slot_s - SHOWN_S) / 2)
    height = TOP + LANE * world.num_gateways + FALL
    clock = f'<animate id="clock" attributeName="x" begin="0s;clock.end" dur="{SLOWER * SHOWN_S:g}s" to="0"/>'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {height + 26}" role="img">',
        f"<title>edgediff: flows at load {LOAD:g}, {SLOWER} times slower: {' beside '.join(episodes)}</title>",
        f"<style>{STYLE}</style>" + bar("free", 0, 0, 2 * WIDTH, height + 26, clock),
    ]
    for x, (name, episode) in zip((0, WIDTH), episodes.items(), strict=True):
        lines.append(f'<svg x="{x}" width="{WIDTH}" height="{height}">')
        lines.append(f'<g font-weight="bold">{text(2, 16, f"{name}: {episode.completed.mean():.0%} in time")}</g>')
        lines += [*bars(episode, start_s, capacity_bps, most_bits), *dots(episode, start_s), "</svg>"]
    write_picture(path, "\n".join([*lines, *legend(height + 18), "</svg>\n"]).encode())
    print(path)
