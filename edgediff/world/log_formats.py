"""The request logs that are read: how each is recognised, and the exact meaning of a time and a count in it."""

import re
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from edgediff.errors import ConfigError

LATEST_NS = 9 * 10**18  # what 64 bits hold: the year 2255
TIME = re.compile(
    r"(?:19|20)\d\d-\d\d-\d\d[ T](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.(\d{1,9}))?(?:Z| ?UTC|\+00(?::?00)?)?", re.ASCII
)
NUMBER = re.compile(r"0*\d{1,13}(?:\.\d{1,30})?(?:[eE][-+]?\d{1,2})?", re.ASCII)
COUNT = re.compile(r"0*\d{1,9}(?:\.0+)?", re.ASCII)  # pandas writes 374.0 where a column has a gap


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
    known = dict.fromkeys(",".join(entry.columns) for entry in FORMATS)
    expected = f"expected are the columns {' or '.join(known)}, or others that are named by --trace-columns TIME,IN,OUT"
    if not header:
        raise ConfigError(f"{place}: no header, {expected}")
    names, found = set(header), repr(",".join(header)[:100])  # of a file that is no log at all, any bytes
    if given != "auto":
        time, sent, generated = (name.strip() for name in given.split(","))
        fitting = [Format("trace_columns", (time, sent, generated))]
    else:
        fitting = [entry for entry in FORMATS if names.issuperset({*entry.columns, entry.sign} - {""})]
    if not fitting:
        raise ConfigError(f"{place}: the header is {found}, {expected}")
    for name in fitting[0].columns:
        if (count := header.count(name)) != 1:
            raise ConfigError(f"{place}: column {name} appears {count} times, expected once; the header is {found}")
    return fitting[0]


def request_of(texts: list[str], kind: Format, stamped: bool) -> tuple[int, int, int]:
    """Return a request: nanoseconds, tokens sent, tokens generated; `ValueError` names the text that is wrong."""
    moment_ns = stamp_ns(texts[0]) if stamped else number_ns(texts[0], kind.unit_ns)
    if moment_ns is None:
        number = "a number of seconds" if kind.unit_ns == 10**9 else "a number of milliseconds"
        wanted = "a time in UTC like 2023-11-16 18:17:03.97" if stamped else number
        raise ValueError(f"{kind.columns[0]} {texts[0][:50]!r} is not {wanted}")
    for name, text in zip(kind.columns[1:], texts[1:], strict=True):
        if not COUNT.fullmatch(text):
            raise ValueError(f"{name} {text[:50]!r} is not a whole number from 0 to 999999999")
    sent, generated = (int(text.partition(".")[0]) for text in texts[1:])
    return moment_ns, sent, generated


def number_ns(text: str, unit_ns: int = 10**9) -> int | None:
    """Return a number of seconds, or of another unit, as nanoseconds, None if the text is none."""
    if NUMBER.fullmatch(text) and (value := Decimal(text) * unit_ns) <= LATEST_NS:
        return round(value)
    return None


def stamp_ns(text: str) -> int | None:
    """Return a time in UTC as nanoseconds, None if the text is none."""
    if not (match := TIME.fullmatch(text)):
        return None
    try:
        moment = datetime.fromisoformat(f"{text[:19]}+00:00")
    except ValueError:  # as 2023-02-30
        return None
    return int(moment.timestamp()) * 10**9 + int((match[1] or "").ljust(9, "0"))
