"""Request logs of every public format, in exact reconstructions, and parts of them."""

import gzip
import json

import numpy as np
import pytest

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError
from edgediff.world import log_blocks, trace
from edgediff.world.log_blocks import read_blocks, read_quickly
from edgediff.world.log_formats import FORMATS
from edgediff.world.log_lines import open_log
from edgediff.world.trace import load_trace, log_of

BURST = "{time},ChatGPT,{sent},{generated},{both},Conversation log"
SESSION = "{time}.0,1722ac82-0a46-4bf0-aa08-89794e7a2b3f,43,GPT-4,{sent},{generated},{both},API log"
MOONCAKE = {"timestamp": 0, "input_length": 0, "output_length": 0, "hash_ids": [0, 1, 2]}
BAILIAN = {"chat_id": 159, "parent_chat_id": -1, **MOONCAKE, "type": "text", "turn": 1}
REQUESTS = [(0, 374, 44), (3, 396, 109), (3, 879, 0), (47, 91, 16)]  # seconds, tokens sent, tokens generated


def table(header, line, **shown):
    """Write the requests as CSV."""
    rows = [line.format(time=time, sent=sent, generated=generated, both=sent + generated)
            for time, sent, generated in REQUESTS]  # fmt: skip
    return "\n".join([header, *rows, ""])


def records(record, unit):
    """Write the requests as lines of JSON."""
    keys = "timestamp", "input_length", "output_length"
    return "".join(
        json.dumps(record | dict(zip(keys, (time * unit, sent, generated), strict=True))) + "\n"
        for time, sent, generated in REQUESTS
    )


AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens"
BURST_HEADER = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type"
SESSION_HEADER = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type"
VIDUR_HEADER = "arrived_at,num_prefill_tokens,num_decode_tokens"
SPLITWISE_HEADER = "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size"
LOGS = {
    "Azure, 2023": table(AZURE, "2023-11-16 18:17:{time:02}.9799600,{sent},{generated}").replace("\n", "\r\n"),
    "Azure, 2024": table(AZURE, "2024-05-10 00:00:{time:02}.009930+00:00,{sent},{generated}"),
    "Azure, 2024, whole": table(AZURE, "2024-05-10 00:00:{time:02}+00:00,{sent},{generated}"),
    "Azure, 2025": table(
        "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens", "2024-10-15T12:00:{time:02}.269Z,1,{sent},{generated}"
    ),
    "BurstGPT, 1": table(BURST_HEADER, BURST),
    "BurstGPT, 2": table(BURST_HEADER, BURST.replace("{time}", "{time}.0")),
    "BurstGPT, 3": table(SESSION_HEADER, SESSION),
    "Vidur": table(VIDUR_HEADER, "{time}.0,{sent},{generated}"),
    "Splitwise": table(SPLITWISE_HEADER, "7,2,0,{time},1,{sent},{generated}"),
    "Mooncake": records(MOONCAKE, 1000),
    "Qwen-Bailian": records(BAILIAN, 1.0),
}


def check_requests(log):
    """The failed one is left out, and its neighbour at the same time is not."""
    assert log.time_s.tolist() == [0, 3, 47] and log.failed == 1
    assert log.context_tokens.tolist() == [374, 396, 91] and log.generated_tokens.tolist() == [44, 109, 16]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", LOGS)
def test_load_trace_reads_every_public_format(write, name, packed):
    log = load_trace(write(gzip.compress(LOGS[name].encode()) if packed else LOGS[name]))
    check_requests(log)
    assert log.source == name.split(",")[0]


def test_every_known_format_is_among_those_that_are_tried():
    assert {entry.source for entry in FORMATS} == {name.split(",")[0] for name in LOGS}


@pytest.mark.parametrize("name", [name for name, text in LOGS.items() if not text.startswith("{")])
def test_read_quickly_reads_every_public_table_itself(write, name):
    layout, blocks = open_log(write(LOGS[name]), "auto")
    time_ns, sent, generated = read_quickly(next(blocks)[1], layout, 0)
    assert ((time_ns - time_ns[0]) / 1e9).tolist() == [time for time, _, _ in REQUESTS]
    assert list(zip(sent.tolist(), generated.tolist(), strict=True)) == [request[1:] for request in REQUESTS]


@pytest.mark.parametrize("text", ["a,b,c\n", '{"a": 0, "b": 1}\n', "<xml>\n"])
def test_a_header_that_is_not_recognised_is_shown_beside_the_names_that_are_expected(write, text):
    path = write(text)
    with pytest.raises(ConfigError) as error:
        load_trace(path)
    message, found = str(error.value), {"<": "<xml>", "a": "a,b,c", "{": "a,b"}[text[0]]
    assert message.startswith(f"trace: {path}, line 1: the header is {found!r}, expected are the columns {AZURE} or ")
    assert all(",".join(entry.columns) in message for entry in FORMATS)
    assert message.endswith("or others that are named by --trace-columns TIME,IN,OUT") and "\n" not in message


MOMENTS = ["2023-11-16 18:17:{time:02}", "170015{time:04}", "170015{time:04}.25", "{time}e0"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_trace_columns_names_the_columns_of_another_log(write, moment):
    path = write(table("out,when,model,in", "{generated}," + moment + ",x,{sent}"))
    check_requests(load_trace(path, "when,in,out"))
    check_requests(log_of(WorldConfig(trace=path, trace_columns=" when, in ,out")))
    with pytest.raises(ConfigError, match="line 1: column input appears 0 times, expected once; the header is 'out,"):
        load_trace(path, "when,input,out")


def test_trace_columns_names_the_keys_of_json(write):
    path = write('{"t": "2024-05-10T00:00:00Z", "i": 1, "o": 2}\n{"o": 4, "t": "2024-05-10T00:00:02Z", "i": 3.0}\n')
    log = load_trace(path, "t,i,o")
    assert log.time_s.tolist() == [0, 2] and log.context_tokens.tolist() == [1, 3]


@pytest.mark.parametrize("name", ["Azure, 2024", "BurstGPT, 3", "Mooncake"])
def test_trace_from_and_trace_to_choose_a_part(write, name):
    path = write(LOGS[name])
    log = load_trace(path, "auto", "2.5", "48")
    assert log.time_s.tolist() == [0, 44] and log.context_tokens.tolist() == [396, 91] and log.failed == 1
    log = load_trace(path, stop="47")
    assert log.time_s.tolist() == [0, 3] and log.failed == 1


def test_trace_from_and_trace_to_may_be_times_of_the_log(write):
    path = write(LOGS["Azure, 2024, whole"])
    world = WorldConfig(trace=path, trace_from="2024-05-10T00:00:03", trace_to="2024-05-10 00:00:47.1Z")
    assert log_of(world).context_tokens.tolist() == [396, 91]


def test_what_follows_trace_to_is_not_looked_at(write, monkeypatch):
    monkeypatch.setattr(log_blocks, "BLOCK", 60)
    assert load_trace(write(LOGS["Vidur"] + "100,1,1\n" * 9 + "nonsense\n"), stop="50").time_s.size == 3


@pytest.mark.parametrize(
    "name, part, message",
    [
        ("Vidur", ("2024-05-10 00:00:03", "none"), "trace_from: '2024-05-10 00:00:03' is not a number of seconds since "
         "the log's first request"),
        ("Azure, 2023", ("none", "noon"), "trace_to: 'noon' is not a number of seconds since the log's first request "
         "or a time in UTC like 2023-11-16T18:17:03"),
        ("Vidur", ("-1", "none"), "trace_from: '-1' is not a number of seconds since the log's first request"),
        ("Vidur", ("9e99", "none"), "trace_from: '9e99' is not a number of seconds since the log's first request"),
        ("Vidur", ("5", "5.0"), "trace_to: 5.0 is not later than trace_from (5)"),
        ("Vidur", ("none", "0"), "trace_to: 0 is not later than the log's first request"),
        ("Vidur", ("2", "5"), "trace: {path}, line 5: needs requests at two different times between trace_from and "
         "trace_to to have a rate, 1 failed ones do not count"),
        ("Vidur", ("100", "none"), "trace: {path}, line 5: needs requests at two different times between trace_from "
         "and trace_to to have a rate"),
    ],
)  # fmt: skip
def test_a_part_that_cannot_be_used_is_refused(write, name, part, message):
    path = write(LOGS[name])
    with pytest.raises(ConfigError) as error:
        load_trace(path, "auto", *part)
    assert str(error.value) == message.format(path=path)


def test_a_log_is_read_once_until_it_changes(write, monkeypatch):
    opened = []
    monkeypatch.setattr(trace, "open_log", lambda *given: opened.append(given) or open_log(*given))
    path = write(LOGS["Vidur"])
    one, two = load_trace(path), log_of(WorldConfig(trace=path))
    assert one is two and len(opened) == 1
    with pytest.raises(ValueError, match="read-only"):  # who changed it would change it for all
        one.time_s[0] = 1
    write(LOGS["Vidur"] + "50,1,1\n")
    assert load_trace(path).time_s.size == 4 and load_trace(path, stop="40").time_s.size == 2 and len(opened) == 3


ORDINARY = "2024-05-10 00:00:00.25+00:00,note,{n},{n}\n"
UNUSUAL = {  # what stands between ordinary lines
    "quote": ORDINARY.replace("note", '"note"'),
    "values missing and added": ORDINARY.replace(",note", "") + ORDINARY.replace("note", "note,note"),
    "earlier time": ORDINARY.replace(".25", ".24"),
    "another century": ORDINARY.replace("2024", "2124"),
    "another zone": ORDINARY.replace("+00:00", "+01:00"),
    "negative zone": ORDINARY.replace("+00:00", "-00:00"),
    "no such day": ORDINARY.replace("05-10", "05-32"),
    "no such hour": ORDINARY.replace("00:00:00", "24:00:00"),
    "NUL byte in a time": ORDINARY.replace(".25", ".3\0"),
    "space in a time": ORDINARY.replace(".25", ".3 "),
    "no time": ORDINARY.replace("2024-05-10 00:00:00.25+00:00", ""),
    "a word": ORDINARY.replace("2024-05-10 00:00:00.25+00:00", "yesterday"),
    "empty count": "2024-05-10 00:00:00.25+00:00,note,,1\n",
    "negative count": "2024-05-10 00:00:00.25+00:00,note,-1,1\n",
    "count too large": "2024-05-10 00:00:00.25+00:00,note,1000000000,1\n",
    "very long count": "2024-05-10 00:00:00.25+00:00,note,%s,1\n" % ("9" * 17),
    "return inside": ORDINARY.replace("note", "no\rte"),
    "return at one end": ORDINARY.replace("\n", "\r\n"),
    "space before": " " + ORDINARY,
    "empty line": "\n",
}
ALL_ALIKE = {"empty": "", "point at the end": "5.", "point alone": ".", "fraction": "5.5", "two points": "1.0.0",
             "no digit before the point": ".0", "too large": "1000000000"}  # fmt: skip


def quickly(write, block, after_ns=0):
    header = AZURE.replace(",", ",note,", 1) + "\n"
    layout, _ = open_log(write(header + ORDINARY.format(n=1)), "auto")
    assert layout.width == 4 and layout.stamped
    return read_quickly(block.encode(), layout, after_ns)


@pytest.mark.parametrize("returns", ["", "\r"])
@pytest.mark.parametrize("name", UNUSUAL)
def test_read_quickly_leaves_an_unusual_block_to_the_exact_reader(write, name, returns):
    before, unusual, after = ORDINARY.format(n=374), UNUSUAL[name].format(n=2), ORDINARY.format(n=3)
    if name != "return at one end":
        before, unusual, after = (text.replace("\n", returns + "\n") for text in (before, unusual, after))
    time_ns, sent, generated = quickly(write, before + after)
    assert sent.tolist() == generated.tolist() == [374, 3]
    assert quickly(write, before + unusual + after) is None and quickly(write, before + unusual) is None
    assert quickly(write, before + after, int(time_ns[0])) is not None
    assert quickly(write, before + after, int(time_ns[0]) + 1) is None


@pytest.mark.parametrize("text", ALL_ALIKE.values(), ids=ALL_ALIKE)
def test_read_quickly_takes_no_number_that_is_none(write, text):
    assert quickly(write, 2 * ORDINARY.format(n=text)) is None
    assert quickly(write, 2 * ORDINARY.format(n="5.00")) is not None


def test_a_log_may_begin_with_a_byte_order_mark_and_hold_empty_lines(write):
    for name in ("Vidur", "Mooncake"):
        check_requests(load_trace(write(b"\xef\xbb\xbf" + LOGS[name].replace("\n", "\n\n", 2).encode())))


def made_up(rng, count=400):
    """Write a log of random layout, with some unusual lines or none; return its text and the columns' names."""
    zone, mark = rng.choice(["", "Z", "+00:00", "+00", " UTC"]), rng.choice([" ", "T"])
    ticks = np.cumsum(rng.integers(0, 10**9, count)) + 1_708_000_000 * 10**6  # over a leap day
    stamps = np.datetime_as_string(ticks.astype("datetime64[us]")).tolist()
    forms = {
        "stamps": [stamp.replace("T", mark).removesuffix(".000000") + zone for stamp in stamps],
        "seconds": [str(tick // 10**6) for tick in ticks.tolist()],
        "points": [f"{tick / 1e6:.3f}" for tick in ticks.tolist()],
        "floats": [repr(tick / 1e6) for tick in ticks.tolist()],
    }
    time = forms[rng.choice(list(forms))]
    whole = rng.choice(["", ".0"])
    columns = {"when": time, "in": [f"{k}{whole}" for k in rng.integers(0, 10 ** rng.integers(1, 10), count)],
               "out": [str(k) for k in rng.integers(0, 3000, count)], "other": ["x"] * count}  # fmt: skip
    names = list(rng.permutation(list(columns)))
    lines = [",".join(row) for row in zip(*(columns[name] for name in names), strict=True)]
    for k in rng.integers(0, count, rng.integers(0, 3)):
        line = lines[k]
        unusual = [" " + line, "", '"' + line.replace(",", '","') + '"', line + "\n", line.replace(".", "?"),
                   line + ",", line.replace("x", "-1")]  # fmt: skip
        lines[k] = unusual[rng.integers(len(unusual))]
    end = rng.choice(["\n", "\r\n"])
    return end.join([",".join(names), *lines]) + rng.choice(["", end])


def outcome(path):
    """Return what reading gives: the columns, or the refusal."""
    trace._load.cache_clear()
    try:
        return [column.tolist() for column in load_trace(path, "when,in,out")[:3]]
    except ConfigError as error:
        return str(error)


@pytest.mark.parametrize("seed", range(40))
def test_reading_quickly_gives_what_reading_line_by_line_gives(write, monkeypatch, seed):
    """Also in small blocks, and packed: the same numbers, or the same refusal of the same line."""
    rng = np.random.default_rng(seed)
    text = made_up(rng)
    path = write(text)
    found = outcome(path)
    monkeypatch.setattr(log_blocks, "BLOCK", int(rng.integers(1, 3000)))
    assert outcome(path) == found
    write(gzip.compress(text.encode()))
    assert outcome(path) == found
    monkeypatch.setattr(trace, "read_quickly", lambda *_: None)
    assert outcome(path) == found


def test_read_blocks_gives_whole_lines_and_their_numbers(write, monkeypatch):
    monkeypatch.setattr(log_blocks, "BLOCK", 10)
    text = b"one\ntwo\na line that is longer than a block\nfour\nfive"
    for path in (write(text), write(gzip.compress(text), "log.gz")):
        blocks = list(read_blocks(path))
        assert b"".join(block for _, block in blocks) == text and len(blocks) > 2
        assert all(line == 1 + text[: text.index(block)].count(b"\n") for line, block in blocks)
        assert all(block.endswith(b"\n") for _, block in blocks[:-1])


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_a_packed_log_that_was_cut_off_is_refused_at_the_line_where_it_ends(write, rng, kept):
    rows = [f"{k},{a},{b}\n" for k, (a, b) in enumerate(rng.integers(1, 9999, (30_000, 2)))]
    packed = gzip.compress((VIDUR_HEADER + "\n" + "".join(rows)).encode())
    path = write(packed[: int(kept * len(packed))])
    with pytest.raises(ConfigError) as error:
        load_trace(path)
    place, reason = str(error.value).split(": the gzip file is damaged or incomplete ")
    assert place.startswith(f"trace: {path}, line ") and "ended before" in reason
    assert int(place.split()[-1]) == pytest.approx(30_000 * kept, rel=0.1)


def test_read_quickly_sees_a_value_too_few_before_a_value_too_many(write):
    layout, _ = open_log(write(LOGS["Vidur"]), "auto")
    assert read_quickly(b"1,5,4\n2,6,7\n", layout, 0) is not None
    assert read_quickly(b"1,5\n2,6,7,8\n", layout, 0) is None


@pytest.mark.parametrize("block", [20, 35, 50, 1000])
def test_times_must_not_go_backwards_from_one_block_to_the_next(write, monkeypatch, block):
    monkeypatch.setattr(log_blocks, "BLOCK", block)
    for line in range(3, 12):
        rows = [f"{time},1,1\n" for time in range(10, 20)]
        rows[line - 2] = "9,1,1\n"
        path = write(VIDUR_HEADER + "\n" + "".join(rows))
        with pytest.raises(ConfigError, match=f", line {line}: arrived_at '9' is earlier than the line before"):
            load_trace(path)


@pytest.mark.parametrize("block", [1, 20, 35, 50, 1000])
def test_a_quoted_value_may_go_over_lines_and_blocks(write, monkeypatch, block):
    monkeypatch.setattr(log_blocks, "BLOCK", block)
    text = table(AZURE + ",note", '2024-05-10 00:00:{time:02},{sent},{generated},"of two\n, or three\n lines"')
    check_requests(load_trace(write(text)))
