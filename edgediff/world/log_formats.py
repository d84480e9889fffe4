"""The request logs that are read: how each is recognised, and the exact meaning of a time and a count in it."""

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from edgediff.errors import ConfigError

LATEST_NS = 9 * 10**18  # what 64 bits hold: the year 2255
TIME = re.compile(
    r"((?:19|20)\d\d-\d\d-\d\d)[ T]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?(?:Z| ?UTC|\+00(?::?00)?)?",
    re.ASCII,
)
NUMBER = re.compile(r"\d{1,13}(?:\.\d{1,30})?(?:[eE][-+]?\d{1,2})?", re.ASCII)
_COUNT = re.compile(r"(\d{1,9})(?:\.0+)?", re.ASCII)  # pandas writes 374.0 where a column has a gap


class Format(NamedTuple):
    """A kind of log: where it is from, its columns of time, tokens sent and tokens generated, and its unit of time."""

    source: str
    columns: tuple[str, str, str]
    unit_ns: int = 10**9  # of times that are numbers
    sign: str = ""  # one more column, by which a log is told from another with the same three


# CSV files have these names in the header, JSON lines in every record. The first that fits is taken.
FORMATS = (
    Format("Azure", ("TIMESTAMP", "ContextTokens", "GeneratedTokens")),
    Format("BurstGPT", ("Timestamp", "Request tokens", "Response tokens")),
    Format("Vidur", ("arrived_at", "num_prefill_tokens", "num_decode_tokens")),
    Format("Splitwise", ("arrival_timestamp", "prompt_size", "token_size")),
    Format("Qwen-Bailian", ("timestamp", "input_length", "output_length"), sign="chat_id"),
    Format("Mooncake", ("timestamp", "input_length", "output_length"), unit_ns=10**6),
)


def recognise(header: list[str], given: str, place: str) -> Format:
    """Return the format of a log by its header, or that of the columns given as "TIME,IN,OUT"."""
    if not header:
        raise ConfigError(f"{place}: no header, {_expected()}")
    names, found = set(header), repr(",".join(header)[:100])  # of a file that is no log at all, any bytes
    if given != "auto":
        time, sent, generated = (name.strip() for name in given.split(","))
        known = [Format("trace_columns", (time, sent, generated))]
    else:
        known = [entry for entry in FORMATS if names.issuperset({*entry.columns, entry.sign} - {""})]
    if not known:
        raise ConfigError(f"{place}: the header is {found}, {_expected()}")
    for name in known[0].columns:
        if (count := header.count(name)) != 1:
            raise ConfigError(f"{place}: column {name} appears {count} times, expected once; the header is {found}")
    return known[0]


def nanoseconds(text: str, name: str, entry: Format, stamped: bool, place: str) -> int:
    """Return a time as nanoseconds: a time in UTC, or a number in the unit of the format."""
    text = text.strip()
    if stamped:
        if (moment := stamp_ns(text)) is not None:
            return moment
        raise ConfigError(f"{place}: {name} {text!r} is not a time in UTC like 2023-11-16 18:17:03.97")
    if NUMBER.fullmatch(text) and (value := Decimal(text) * entry.unit_ns) <= LATEST_NS:
        return round(value)
    unit = "seconds" if entry.unit_ns == 10**9 else "milliseconds"
    raise ConfigError(f"{place}: {name} {text!r} is not a number of {unit}")


def stamp_ns(text: str) -> int | None:
    """Return a time in UTC as nanoseconds, None if the text is none."""
    match = TIME.fullmatch(text)
    if not match:
        return None
    day, hours, minutes, seconds, fraction = match.groups(default="")
    try:
        in_day_s = (_day_number(day) * 24 + int(hours)) * 3600 + int(minutes) * 60 + int(seconds)
    except ValueError:  # as 2023-02-30
        return None
    return in_day_s * 10**9 + int(fraction.ljust(9, "0"))


def count(text: str, name: str, place: str) -> int:
    """Return a number of tokens."""
    if match := _COUNT.fullmatch(text.strip()):
        return int(match[1])
    raise ConfigError(f"{place}: {name} {text!r} is not a whole number from 0 to 999999999")


@lru_cache
def _day_number(day: str) -> int:
    return date.fromisoformat(day).toordinal() - date(1970, 1, 1).toordinal()


def _expected() -> str:
    known = dict.fromkeys(",".join(entry.columns) for entry in FORMATS)
    return f"expected are the columns {' or '.join(known)}, or others that are named by --trace-columns TIME,IN,OUT"
