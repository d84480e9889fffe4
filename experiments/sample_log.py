"""Make a request log to try `--trace` with: `python -m experiments.sample_log FILE`.

Half an hour of made-up requests, in the columns of Vidur. Visits are a Poisson process whose rate is high and low by
turns; a visitor asks several times, with pauses; tokens are lognormal. `sample_log.csv` beside this file is its output.
"""

import sys
from pathlib import Path

import numpy as np

from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from experiments.own_file import write_new

LENGTH_S, BUSY_S, VISITS_PER_S = 1800.0, 120.0, (0.3, 0.9)
QUESTIONS, PAUSE_S = 2.5, 20.0  # means


def sample_log(seed: int = 0) -> str:
    """Return the log as CSV."""
    rng = np.random.default_rng(seed)
    busy = np.arange(0, LENGTH_S, BUSY_S)[::2]  # every second stretch is busy
    visits = rng.uniform(0, LENGTH_S, rng.poisson(LENGTH_S * VISITS_PER_S[1]))
    is_busy = ((visits[:, None] >= busy) & (visits[:, None] < busy + BUSY_S)).any(axis=1)
    visits = visits[is_busy | (rng.random(visits.size) < VISITS_PER_S[0] / VISITS_PER_S[1])]
    asked = [
        start + np.append(0, rng.exponential(PAUSE_S, rng.geometric(1 / QUESTIONS) - 1)).cumsum() for start in visits
    ]
    times_s = np.sort(np.concatenate(asked))
    times_s = times_s[times_s < LENGTH_S]
    tokens = np.exp(rng.normal((6.5, 4.5), (1.0, 1.2), (times_s.size, 2))).clip(1, 8000).astype(int)
    rows = (f"{time_s:.3f},{sent},{made}" for time_s, (sent, made) in zip(times_s, tokens.tolist(), strict=True))
    return "\n".join(["arrived_at,num_prefill_tokens,num_decode_tokens", *rows]) + "\n"


def main(argv: list[str]) -> int:
    """Write the log."""
    parser = Parser("python -m experiments.sample_log FILE", main.__doc__)
    parser.add_argument("file", metavar="FILE", help="new file")
    write_new(Path(parser.parse(argv).file), sample_log())
    return 0


if __name__ == "__main__":
    sys.exit(run_program("sample_log", main))
