"""Bad values at large: each is refused where it comes in, in one line that names it, and nothing is changed by it."""

import copy
import functools
import gzip
import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from edgediff.config import CONFIGS, LearnerConfig, WorldConfig
from edgediff.errors import ConfigError, NonFiniteError
from edgediff.learner.agents import AGENTS
from edgediff.learner.replay import Replay
from edgediff.world.log import load_log
from edgediff.world.simulator import Simulator

NOT_FINITE = [math.nan, math.inf, -math.inf]


def bad_settings(f):
    """List what a field must not take, from what its declaration says it takes."""
    low, high, choices = (f.metadata[key] for key in ("low", "high", "choices"))
    if f.type is str:
        unknown = ["", f.default.upper(), f.default + " ", f.default + "\n", ",".join(choices)] if choices else []
        return [None, True, 0, 1.5, f.default.encode(), [f.default], (f.default,), Path("log.csv"), *unknown]
    wrong = [None, True, False, "", str(f.default), b"1", [], [f.default], (f.default,), {}, 1j, np.array([f.default])]
    wrong += [*NOT_FINITE, np.float64("nan"), np.bool_(True), 10**400]  # no float is as large as the last one
    if f.type is int:
        return [*wrong, low - 1, high + 1, -high - 1, 2**64, float(f.default), f.default + 0.5, np.float64(f.default)]
    # A float has a next neighbour: the closest value that is not allowed.
    below = [math.nextafter(low, -math.inf)] + ([0.0, -0.0, 5e-324] if low > 0 else [])
    return [*wrong, *below, math.nextafter(high, math.inf), math.floor(high) + 1, -high, -1e308, 1e308]


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_check_fields_refuses_every_bad_value_of_every_field(config):
    for f in fields(config):
        for value in bad_settings(f):
            case = f"{f.name}={value!r:.30}"
            try:
                config(**{f.name: value})
            except ConfigError as error:
                message = str(error)
                assert message.startswith(f"{f.name}: ") and len(message.splitlines()) == 1, f"{case}: {message}"
            else:
                pytest.fail(f"{case} is taken")


ACTIONS = [
    np.array([0, 24]), np.array([-1, 0]), np.full(2, 2**63 - 1), np.full(2, -(2**63)), np.array([0, 255], np.uint8),
    np.array([0]), np.array([0, 1, 2]), np.array([], int), np.array([[0, 1]]), np.array([[0], [1]]), np.array(3), 3,
    np.array([0.5, 1]), np.array([0.0, 1]), np.full(2, np.nan), np.array([0, np.inf]), np.array([True, False]),
    np.array([0j, 1]), np.array([0, 1], object), ["0", "1"], b"01", None, [0, None], [0, 10**30], {0: 1},
    np.array([0, 1], "timedelta64[s]"),  # NumPy counts durations among the integers
]  # fmt: skip


@functools.cache  # one for all of them: none may change it
def simulator():
    started = Simulator(WorldConfig(num_slots=60, load=4), 2)
    started.reset(0)
    for k in range(30):  # so that there is something to spoil
        started.step(np.array([k % 24, 23]))
    assert started.reserved_bps.any() and started.reserved_tflops.any() and started.backlog_bits.any()
    return started


def test_simulator_step_refuses_every_bad_action_and_stays_as_it_was():
    before = copy.deepcopy(simulator().snapshot())
    for action in ACTIONS:
        with pytest.raises(ValueError, match=r"\Aaction: "):
            simulator().step(action)
            pytest.fail(f"{action!r} is taken")
        after = simulator().snapshot()
        assert before.keys() == after.keys(), action
        assert all(np.array_equal(before[name], after[name]) for name in before), f"{action!r} changed the simulator"


E, S, A = 3, 4, 6
STATE, NEVER = np.ones((E, S), np.float32), np.zeros(E, bool)
STEP = dict(state=STATE, action=np.arange(E), reward=np.ones(E), next_state=STATE, terminated=NEVER, truncated=~NEVER)
STORED = {name: np.zeros_like(column) for name, column in STEP.items()}  # a chain of zeros, no episode ends


def spoilt(name, value):
    column = STEP[name].astype(np.result_type(STEP[name], type(value)))
    column[-1, ...] = value
    return column


def elsewhere(count):
    """States of which the last `count` environments differ in one coordinate from where the step before led."""
    state = STATE.copy()
    state[-count:, 2] += 1e-6
    return state


ANY = ValueError, RuntimeError
STEPS = [
    # 1e39 is finite where it comes from, and infinite in the single precision of the buffer.
    *((n, v, spoilt(n, v), NonFiniteError) for n in ("state", "reward", "next_state") for v in (*NOT_FINITE, 1e39)),
    *(("action", v, spoilt("action", v), ValueError) for v in (-1, A, 2**62, -(2**62), 0.5)),
    *(("action", v, spoilt("action", v), (ValueError, NonFiniteError)) for v in NOT_FINITE),
    # The state must be the one that the step before led to, in every coordinate of every environment.
    *(("state", f"{k} of {E} environments elsewhere", elsewhere(k), ValueError) for k in (1, E)),
    # What has one environment or one entry, or none, fits any number of them if nobody asks.
    *((n, f"{k} of {E} environments", v[[0] * k], ANY) for n, v in STEP.items() for k in (0, 1, E - 1, E + 1)),
    *((n, "no axis of environments", v[0], ANY) for n, v in STEP.items()),
    *((n, f"{k} of {S} entries", np.ones((E, k)), ANY) for n in ("state", "next_state") for k in (0, 1, S - 1, S + 1)),
]


def test_replay_add_stores_no_bad_step_not_even_in_part():
    for name, what, column, expected in STEPS:
        replay = Replay(3 * E, E, S, A)
        for _ in range(3):  # the ring is full: half a row would overwrite what is stored
            replay.add(**STORED)
        replay.add(**STORED | {"next_state": STATE})  # from where STEP goes on
        before = copy.deepcopy(vars(replay))
        with pytest.raises(expected) as error:
            replay.add(**STEP | {name: column})
            pytest.fail(f"{name}: {what} is taken")
        assert expected is ANY or str(error.value).startswith(f"{name}: "), f"{name}, {what}: {error.value}"
        after = vars(replay)
        assert before.keys() == after.keys(), f"{name}: {what}"
        assert all(np.array_equal(before[key], after[key]) for key in before), f"{name}: {what} changed the buffer"
        replay.add(**STEP)  # which nothing is wrong with


@functools.cache  # one for all: none may change it
def agent(name):
    config = LearnerConfig(agent=name, hidden=16, d2sac_denoising_steps=2)
    return AGENTS[name](S, A, config, np.random.SeedSequence(0))


@pytest.mark.parametrize("name", AGENTS)
def test_no_agent_acts_on_an_observation_that_is_not_finite(name):
    stream = torch.Generator().manual_seed(1)
    for value in NOT_FINITE:
        state = spoilt("state", np.float32(value))
        ways = [functools.partial(agent(name).act, generator=stream, mode=mode) for mode in agent(name).MODES]
        for way in (agent(name).explore, *ways):
            with pytest.raises(NonFiniteError, match=r"\Aobservation: "):
                way(state)
                pytest.fail(f"{value} is taken by {way}")


MODES = ["explore", "Argmax", "argmax ", "greedy", 1, True, ("argmax",), b"argmax", math.nan]


@pytest.mark.parametrize("name", AGENTS)
def test_agent_act_refuses_every_unknown_mode_and_draws_nothing(name):
    stream = torch.Generator().manual_seed(1)
    before = stream.get_state()
    known = "mean, argmax, sample" if name == "d2sac" else "argmax, sample"  # only a chain has draws to average over
    for mode in MODES if name == "d2sac" else [*MODES, "mean"]:
        with pytest.raises(ConfigError) as error:
            agent(name).act(STATE, stream, mode)
            pytest.fail(f"{mode!r} is taken")
        assert str(error.value) == f"mode: {mode!r} is not one of {known}"
    assert torch.equal(stream.get_state(), before)


HEADER, ROW = "TIMESTAMP,ContextTokens,GeneratedTokens\n", "2023-11-16 18:17:0{}.25,48{},1{}\n"
LOG = [HEADER, *(ROW.format(k, k, k) for k in range(2, 9))]  # second k stands in line k


def damaged(line, text):
    return "".join([*LOG[: line - 1], text + "\n", *LOG[line:]])


JSON = '{"timestamp": 0, "input_length": 374, "output_length": 44, "hash_ids": [0, 1]}\n'
LINES = {  # what stands in line 1 or 4 of a log that is good otherwise
    "missing column": (1, "TIMESTAMP,ContextTokens"),
    "doubled column": (1, "TIMESTAMP,ContextTokens,ContextTokens,GeneratedTokens"),
    "columns in small letters": (1, HEADER.lower().strip()),
    "semicolons": (1, HEADER.strip().replace(",", ";")),
    "no header but a request": (1, ROW.format(1, 1, 1).strip()),
    "blank header": (1, ""),
    "missing cell": (4, "2023-11-16 18:17:04,484"),
    "extra cell": (4, "2023-11-16 18:17:04,484,14,"),
    "spaces only": (4, "   "),
    "unclosed quote": (4, '2023-11-16 18:17:04,"484,14'),
    "text behind a quote": (4, '2023-11-16 18:17:04,"48"4,14'),
    "NUL byte": (4, "2023-11-16 18:17:04,48\x004,14"),
    "invalid UTF-8": (4, "2023-11-16 18:17:04,48\udcff4,14"),
}
TOKENS = ["", "many", "-1", "+1", "1.5", "1.", ".0", "374.05", "1e3", "nan", "inf", "0x10", "1_000", "1 000",
          "9" * 10, "9" * 5000, "٤٢", "²"]  # fmt: skip
TIMES = ["", "soon", "4", "1700158624.25", "18:17:04", "2023-11-16", "16/11/2023 18:17:04", "2023-13-16 18:17:04",
         "2023-02-30 18:17:04", "2023-11-16 24:17:04", "2023-11-16 18:60:04", "2023-11-16 18:17:60", "NaT", "now",
         "2023-11-16 18:17:04+02:00", "2023-11-16 18:17:04.1234567890", "20٢٣-11-16 18:17:04", "0001-01-01 00:00:00",
         "2023-11-16 18:17:04+02", "2023-11-16 18:17:04 CET", "2023-11-16 18:17:04.",
         "2023-11-16 18:17:03.2499", "1999-11-16 18:17:04"]  # fmt: skip
LINES |= {f"tokens {text:.12}": (4, f"2023-11-16 18:17:04,484,{text}") for text in TOKENS}
LINES |= {f"time {text}": (4, f"{text},484,14") for text in TIMES}
LOGS = (
    {name: (line, damaged(line, text)) for name, (line, text) in LINES.items()}
    | {
        "empty file": (1, ""),
        "header only": (1, HEADER),
        "one request": (2, LOG[0] + LOG[1]),
        "all at one moment": (6, HEADER + 5 * LOG[1]),
        "line ends of Windows": (4, damaged(4, "x").replace("\n", "\r\n")),
        "line ends of old": (4, damaged(4, "x").replace("\n", "\r")),
        "blank lines before": (7, damaged(4, "\n\n\nx")),
        "line break in an earlier time": (None, damaged(4, '"\n2023-11-16 18:17:01",484,14')),  # two lines to blame
        "UTF-16": (1, "".join(LOG).encode("utf-16")),
        "compressed and cut off": (2, gzip.compress("".join(LOG).encode(), mtime=0)[:-40]),
        "compressed and changed": (9, gzip.compress("".join(LOG).encode(), mtime=0)[:-8] + bytes(8)),
        "compressed and damaged": (4, gzip.compress(damaged(4, "x").encode(), mtime=0)),
        "JSON cut off": (3, 2 * JSON + JSON[:-20]),
        "JSON that is no object": (2, JSON + "17\n"),
        "JSON without a column": (2, JSON + '{"timestamp": 1, "input_length": 1}\n'),
        "JSON of negative tokens": (2, JSON + JSON.replace("44", "-44")),
        "JSON of nothing": (2, JSON + JSON.replace("44", "null")),
        "JSON of another kind": (1, '{"time": 0}\n'),
        "JSON without end": (1, '{"a": ' + "[" * 100_000),
        "every byte there is": (1, bytes(range(256))),
    }
)


def refused(path):
    with pytest.raises(ConfigError) as error:
        load_log(str(path))
    message = str(error.value)
    assert message.startswith(f"trace: {path}") and len(message.splitlines()) == 1
    return message.removeprefix(f"trace: {path}")


def test_load_log_refuses_every_damaged_log_and_names_the_line_to_blame(tmp_path):
    path = tmp_path / "log.csv"
    for name, (line, content) in LOGS.items():
        path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="surrogateescape"))
        message = refused(path)
        assert message.startswith(f", line {line}: " if line else ", line "), f"{name}: {message}"


def test_load_log_reads_nothing_but_a_file(tmp_path):
    (tmp_path / "log.csv").write_text("".join(LOG))
    assert load_log(str(tmp_path / "log.csv")).time_s.size == 7  # undamaged, it is good
    for name in ("", "none.csv", "log.csv/log.csv", "x" * 5000, "a\0b"):
        assert refused(tmp_path / name).startswith(": "), name
