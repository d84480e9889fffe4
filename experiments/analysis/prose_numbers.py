"""Numbers in sentences. Each stands behind its marker, in the same line, and an empty comment ends it:

    It completes <!-- iqm deploy completion 2 d2sac -->81.5 %<!-- --> of the flows.

A marker names a statistic over seeds; grids, or one of FILES; a metric; the keys of its rows; and a row, or two for the
first less the second, seed by seed. Rules have their short names, and a name with spaces stands in quotes:

    mean testbed completion fifo 2 agent              a file: its keys are in FILES
    iqm ablation reward 1 "no L_d" d2sac              grids: the key is the load; of several traffics, traffic and load
    above deploy,headline reward 1 d2sac admission    on how many seeds the first row has the larger number: "8 of 10"

The number that stands there says how to print it: decimals, a plus, a zero before the point, %, points or ms.
"""

import re
from pathlib import Path

import numpy as np

from edgediff.errors import ConfigError
from edgediff.world.rules import RULES
from experiments.analysis import sizes, transfer
from experiments.analysis.reading import pd, read_csv, read_together
from experiments.analysis.score_tables import ahead, of_variant, paired
from experiments.analysis.stats import iqm
from experiments.testbed import cases
from experiments.timing import clients, rhythm

STATISTICS = {"iqm": iqm, "mean": np.mean, "median": np.median, "min": np.min, "max": np.max, "above": None}
SCALES = {"%": 100, "points": 100, "ms": 1000}
FILES = {  # path, columns, and those that tell rows apart: keys, and at last the row
    "testbed": ("testbed/runs.csv", cases.COLUMNS, ("setting", "load", "scheduler")),
    "transfer": ("transfer.csv", transfer.COLUMNS, ("network", "scheduler")),
    "clients": ("clients.csv", clients.COLUMNS, ("socket",)),
    "decisions": ("decisions.csv", rhythm.COLUMNS, ("every_ms", "controller")),
    "sizes": ("sizes.csv", sizes.COLUMNS, ("quarter", "rule")),
}
NO_NUMBERS = "setting", "scheduler", "network", "rule", "socket", "controller"
NUMBER = re.compile(r"<!-- ([^<>\s][^<>\n]*) -->([^<\n]*)<!-- -->")
SHOWN = re.compile(r"(?=[+-]?\.?\d)([+-]?)(\d*)(?:\.(\d+))?(%| .*|)")


def check_markers(path: Path, text: str) -> None:
    """Refuse a marker without an end in its line, or at the start of a line, which GitHub would take for HTML."""
    for line in text.splitlines():
        if wrong := re.match(r"[ >*+\d.)-]*<!--(.*)", line) or re.search("<!--(.*)", NUMBER.sub("", line)):
            marker = wrong[1].partition("-->")[0].strip()
            raise ConfigError(f"{path}: {marker}: a number stands between its marker and <!-- -->, in a line of text")


def number(marker: str, shown: str, results: Path) -> str:
    """Return the number that a marker asks for, printed as the one that is shown."""
    words = [quoted or plain for quoted, plain in re.findall(r'"(.+?)"|(\S+)', marker)]
    if words[0] not in STATISTICS or len(words) < 3:
        raise ConfigError(f"a number has one of {', '.join(STATISTICS)}, then grids or a file, a metric, keys and rows")
    statistic, source, metric, *names = words
    rows, keys = rows_of(source, results)
    if len(names) - len(keys) not in ((1,) if statistic == "above" else (0, 1)):
        raise ConfigError(f"{source} needs {', '.join(keys)}, and may have a second {keys[-1]}; above needs it")
    values = seed_by_seed(rows, keys, metric, names)
    if statistic == "above":
        return ahead(values)
    return printed(float(STATISTICS[statistic](values)), shown)


def rows_of(source: str, results: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the rows of a file, or the frozen scores of grids, and the columns that tell them apart."""
    if source in FILES:
        path, columns, keys = FILES[source]
        return read_csv(results / path, columns, NO_NUMBERS), keys
    rows = read_together(source.split(","), results).query("phase == 'frozen'")
    return rows, ("traffic",) * (rows["traffic"].nunique() > 1) + ("load", "variant")


def seed_by_seed(rows: pd.DataFrame, keys: tuple[str, ...], metric: str, names: list[str]) -> np.ndarray:
    """Return a metric of one row, or of the first row less the second, (seeds,)."""
    metrics = [name for name in rows.select_dtypes("number") if name not in ("seed", *keys)]
    if metric not in metrics:
        raise ConfigError(f"metric: {metric} is not one of {', '.join(metrics)}")
    for key, name in zip(keys[:-1], names, strict=False):
        rows = rows[rows[key] == named(rows[key], name)]
    chosen = [named(rows[keys[-1]], name) for name in names[len(keys) - 1 :]]
    column = rows.set_index([keys[-1], "seed"])[metric].rename_axis(["variant", "seed"])
    values = paired(column, *chosen) if len(chosen) > 1 else of_variant(column, chosen[0]).to_numpy()
    if not len(values) or np.isnan(values).any():
        raise ConfigError(f"metric: {metric} is missing on a seed of {' or '.join(chosen)}")
    return values


def named(column: pd.Series, name: str) -> str | float:
    """Return the value of a column that a word names."""
    values = {each if isinstance(each, str) else f"{each:g}": each for each in column.unique()}
    for word in (name, RULES.get(name)):
        if word in values:
            return values[word]
    raise ConfigError(f"{column.name}: {name} is not in the results; there are {', '.join(sorted(values))}")


def printed(value: float, shown: str) -> str:
    """Return a value, printed as the number that is shown."""
    if not (form := SHOWN.fullmatch(shown)):
        raise ConfigError(f"{shown!r} does not say how to print the number; write one like it: 0.0 %, .000, +0.000")
    sign, whole, decimals, unit = form.groups()
    text = f"{value * SCALES.get(unit.strip(), 1):{sign.strip('-')}.{len(decimals or '')}f}"
    return (text if whole else re.sub(r"\b0\.", ".", text)) + unit
