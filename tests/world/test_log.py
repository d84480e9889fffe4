"""Request logs of every public format, in exact reconstructions; odd ones, and parts of them."""

import gzip
import json
import re
import tracemalloc

import numpy as np
import pytest

from edgediff.config import WorldConfig
from edgediff.errors import ConfigError
from edgediff.world import log, log_rows
from edgediff.world.log import RequestLog, fingerprint, load_log, log_of
from edgediff.world.log_formats import FORMATS

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


def check_requests(found):
    """The failed one is left out, and its neighbour at the same time is not."""
    assert found.time_s.tolist() == [0, 3, 47] and found.failed == 1
    assert found.context_tokens.tolist() == [374, 396, 91] and found.generated_tokens.tolist() == [44, 109, 16]


def outcome(path, columns="auto"):
    """Return what reading gives: the columns, or the refusal."""
    log._load.cache_clear()
    try:
        return [column.tolist() for column in load_log(path, columns)[:3]]
    except ConfigError as error:
        return str(error)


@pytest.fixture
def both(write, monkeypatch):
    """Return what reading a text gives; it is the same if no block is read at once."""

    def _both(text, columns="auto"):
        path = write(text)
        found = outcome(path, columns)
        with monkeypatch.context() as patch:
            patch.setattr(log_rows, "ordinary_row", lambda _: re.compile(b"(?!)"))
            assert outcome(path, columns) == found
        return found

    return _both


def refusal(path, *given):
    with pytest.raises(ConfigError) as error:
        load_log(path, *given)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", LOGS)
def test_load_log_reads_every_public_format(write, monkeypatch, name, packed):
    """And tables at once, not line by line."""
    if not LOGS[name].startswith("{"):
        monkeypatch.setattr(log_rows, "read_exactly", lambda *_: pytest.fail("read line by line"))
    found = load_log(write(gzip.compress(LOGS[name].encode()) if packed else LOGS[name]))
    check_requests(found)
    assert found.source == name.split(",")[0]


def test_every_known_format_is_among_those_that_are_tried():
    assert {entry.source for entry in FORMATS} == {name.split(",")[0] for name in LOGS}


def test_columns_may_stand_in_any_order_among_others(write):
    text = "id,GeneratedTokens,TIMESTAMP,ContextTokens\n7,1,2024-05-10T00:00:00+00:00,2\n8,3,2024-05-10T00:00:02Z,4\n\n"
    found = load_log(write(text))
    assert found.time_s.tolist() == [0, 2]
    assert found.context_tokens.tolist() == [2, 4] and found.generated_tokens.tolist() == [1, 3]


@pytest.mark.parametrize("text", ["a,b,c\n", '{"a": 0, "b": 1}\n', "<xml>\n"])
def test_a_header_that_is_not_recognised_is_shown_beside_the_names_that_are_expected(write, text):
    path = write(text)
    message, found = refusal(path), {"<": "<xml>", "a": "a,b,c", "{": "a,b"}[text[0]]
    assert message.startswith(f"trace: {path}, line 1: the header is {found!r}, expected ")
    assert all(",".join(entry.columns) in message for entry in FORMATS) and "--trace-columns TIME,IN,OUT" in message


LINE = "2023-11-16 18:17:06,1,1\n"
UNUSABLE = [("", 1, "no header"), ("\n" + AZURE, 1, "no header"), ("TIMESTAMP," + AZURE, 1, "appears 2 times"),
            (AZURE, 1, "two different times"), (AZURE + "\n" + 2 * LINE, 3, "two different times"),
            (AZURE + "\n" + LINE + LINE[:-2], 3, "GeneratedTokens ''"), (b"\xff\xfe\x00T", 1, "header")]  # fmt: skip


@pytest.mark.parametrize("text, line, reason", UNUSABLE)
def test_what_is_no_log_of_several_times_is_refused(write, text, line, reason):
    path = write(text)
    assert (message := refusal(path)).startswith(f"trace: {path}, line {line}: ") and reason in message


MOMENTS = ["2023-11-16 18:17:{time:02}", "170015{time:04}", "170015{time:04}.25", "{time}e0"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_trace_columns_names_the_columns_of_another_log(write, moment):
    path = write(table("out,when,model,in", "{generated}," + moment + ",x,{sent}"))
    check_requests(load_log(path, "when,in,out"))
    check_requests(log_of(WorldConfig(trace=path, trace_columns=" when, in ,out")))
    assert "line 1: column input appears 0 times" in refusal(path, "when,input,out")


def test_trace_columns_names_the_keys_of_json(write):
    path = write('{"t": "2024-05-10T00:00:00Z", "i": 1, "o": 2}\n{"o": 4, "t": "2024-05-10T00:00:02Z", "i": 3.0}\n')
    found = load_log(path, "t,i,o")
    assert found.time_s.tolist() == [0, 2] and found.context_tokens.tolist() == [1, 3]


@pytest.mark.parametrize("name", ["Azure, 2024", "BurstGPT, 3", "Mooncake"])
def test_trace_from_and_trace_to_choose_a_part(write, name):
    path = write(LOGS[name])
    found = load_log(path, "auto", "2.5", "48")
    assert found.time_s.tolist() == [0, 44] and found.context_tokens.tolist() == [396, 91] and found.failed == 1
    found = load_log(path, stop="47")
    assert found.time_s.tolist() == [0, 3] and found.failed == 1


def test_trace_from_and_trace_to_may_be_times_of_the_log(write):
    path = write(LOGS["Azure, 2024, whole"])
    world = WorldConfig(trace=path, trace_from="2024-05-10T00:00:03", trace_to="2024-05-10 00:00:47.1Z")
    assert log_of(world).context_tokens.tolist() == [396, 91]


def test_what_follows_trace_to_is_not_looked_at(write, monkeypatch):
    monkeypatch.setattr(log_rows, "BLOCK", 60)
    assert load_log(write(LOGS["Vidur"] + "100,1,1\n" * 9 + "nonsense\n"), stop="50").time_s.size == 3


@pytest.mark.parametrize(
    "name, part, begin, words",
    [
        ("Vidur", ("2024-05-10 00:00:03", "none"), "trace_from: '2024-05-10 00:00:03' ", "seconds since"),
        ("Azure, 2023", ("none", "noon"), "trace_to: 'noon' ", "or a time in UTC like "),
        ("Azure, 2023", ("2023-02-30 18:17:03", "none"), "trace_from: '2023-02-30 ", "or a time in UTC like "),
        ("Vidur", ("-1", "none"), "trace_from: '-1' ", "seconds since"),
        ("Vidur", ("9e99", "none"), "trace_from: '9e99' ", "seconds since"),
        ("Vidur", ("5", "5.0"), "trace_to: 5.0 ", "trace_from (5)"),
        ("Vidur", ("none", "0"), "trace_to: 0 ", "not later than the log's first request"),
        ("Vidur", ("2", "5"), "trace: {path}, line 5: ", "between trace_from and trace_to to have a rate, 1 failed"),
        ("Vidur", ("100", "none"), "trace: {path}, line 5: ", "between trace_from and trace_to to have a rate"),
    ],
)
def test_a_part_that_cannot_be_used_is_refused(write, name, part, begin, words):
    path = write(LOGS[name])
    assert (message := refusal(path, "auto", *part)).startswith(begin.format(path=path)) and words in message


def test_a_missing_file_and_a_folder_are_refused_and_a_relative_path_gets_a_hint(tmp_path):
    for path, hint in (("none.csv", True), (str(tmp_path / "none.csv"), False), (str(tmp_path), False)):
        message = refusal(path)
        assert message.startswith(f"trace: {path}: ") and message.endswith("give --trace PATH") == hint


def test_a_log_is_read_once_until_it_changes(write, monkeypatch):
    opened, open_log = [], log.open_log
    monkeypatch.setattr(log, "open_log", lambda *given: opened.append(given) or open_log(*given))
    path = write(LOGS["Vidur"])
    one, two = load_log(path), log_of(WorldConfig(trace=path))
    assert one is two and len(opened) == 1
    with pytest.raises(ValueError, match="read-only"):  # a change would reach all who load it
        one.time_s[0] = 1
    write(LOGS["Vidur"] + "50,1,1\n")
    assert load_log(path).time_s.size == 4 and load_log(path, stop="40").time_s.size == 2 and len(opened) == 3


def test_fingerprint_tells_logs_apart():
    one, other = (RequestLog(np.arange(5.0), np.full(5, 30), np.full(5, tokens)) for tokens in (10, 11))
    assert (
        fingerprint(one) == fingerprint(one._replace(source="copy")) != fingerprint(other) and fingerprint(None) == ""
    )


def test_a_log_takes_16_bytes_a_line(write):
    lines = [f"2023-11-16 {k // 3600:02}:{k // 60 % 60:02}:{k % 60:02},1,1\n" for k in range(20_000)]
    path = write(AZURE + "\n" + "".join(lines))
    tracemalloc.start()
    found = load_log(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(column.nbytes for column in found[:3]) == 16 * 20_000 and peak < 10 * log_rows.BLOCK


ORDINARY = "2024-05-10 00:00:00.25+00:00,note,{n},{n}\n"
UNUSUAL = {  # what stands between ordinary lines, and whether it is a request, refused (None) or no line at all
    "quote": (ORDINARY.replace("note", '"note"'), 1),
    "quoted count": (ORDINARY.replace("{n},", '"{n}",'), 1),
    "values missing and added": (ORDINARY.replace(",note", "") + ORDINARY.replace("note", "note,note"), None),
    "earlier time": (ORDINARY.replace(".25", ".24"), None),
    "another century": (ORDINARY.replace("2024", "2124"), None),
    "another zone": (ORDINARY.replace("+00:00", "+01:00"), None),
    "negative zone": (ORDINARY.replace("+00:00", "-00:00"), None),
    "no such day": (ORDINARY.replace("05-10", "05-32"), None),
    "no such hour": (ORDINARY.replace("00:00:00", "24:00:00"), None),
    "NUL byte in a time": (ORDINARY.replace(".25", ".3\0"), None),
    "space in a time": (ORDINARY.replace(".25", ".3 "), None),
    "no time": (ORDINARY.replace("2024-05-10 00:00:00.25+00:00", ""), None),
    "number for a time": (ORDINARY.replace("2024-05-10 00:00:00.25+00:00", "1715299200.25"), None),
    "empty count": (ORDINARY.replace("{n},", ","), None),
    "negative count": (ORDINARY.replace("{n},", "-1,"), None),
    "count too large": (ORDINARY.replace("{n},", "1000000000,"), None),
    "fraction": (ORDINARY.replace("{n},", "5.5,"), None),
    "point at the end": (ORDINARY.replace("{n},", "5.,"), None),
    "count of pandas": (ORDINARY.replace("{n},", "2.00,"), 1),
    "leading zeros": (ORDINARY.replace("{n},", "000000000002,"), 1),
    "return inside": (ORDINARY.replace("note", "no\rte"), None),
    "return at one end": (ORDINARY.replace("\n", "\r\n"), 1),
    "space before": (" " + ORDINARY, 1),
    "empty line": ("\n", 0),
    "not UTF-8": (ORDINARY.replace("note", "n\udcffte"), 1),
    "long note": (ORDINARY.replace("note", "x" * 131_072), 1),
    "longer note": (ORDINARY.replace("note", "x" * 131_073), None),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_line_among_ordinary_ones_is_read_or_refused_wherever_it_stands(both, name):
    line, count = UNUSUAL[name]
    text = AZURE.replace(",", ",note,", 1) + "\n" + ORDINARY.format(n=1) + line.format(n=2)
    text += ORDINARY.replace(".25", ".5").format(n=3)
    quoted = text + ORDINARY.replace(".25", ".5").replace("note", '"note"').format(n=4)
    for given, last in ((text, []), (quoted, [4])):
        found = both(given.encode(errors="surrogateescape"))
        if count is None:
            assert ", line 3: " in found
        else:
            assert found[1] == found[2] == [1, *count * [2], 3, *last]


@pytest.mark.parametrize("zone", ["", "Z", "+00:00", "+0000", "+00", " UTC", "UTC"])
def test_times_are_taken_in_utc_however_they_say_so(both, zone):
    rows = [
        f"2024-02-28 23:59:59.999999999{zone},1,1",
        f"2024-02-29 00:00:00{zone},1,1",
        f"2024-03-01T12:34:56.1{zone},1,1",
    ]
    time_s = 86400 + 12 * 3600 + 34 * 60 + 56.1 + 1e-9  # over midnight and a leap day
    np.testing.assert_allclose(both("\n".join([AZURE, *rows]))[0], [0, 1e-9, time_s], rtol=1e-15)


@pytest.mark.parametrize("text, ns", [("0.000001", 1000), ("1999999999.999999", 1999999999999999000), ("5", 5 * 10**9),
                                      ("2000000000.000001", 2 * 10**18 + 1000), ("0.0000000015", 2), ("07", 7 * 10**9),
                                      ("8935446737.335601", 8935446737335601000), ("00000000000000012", 12 * 10**9),
                                      ("1e3", 10**12), ("2.5e-9", 2), ("12345.678901234", 12345678901234)])  # fmt: skip
def test_numbers_of_seconds_are_exact_to_a_nanosecond(both, text, ns):
    """After a request one or two seconds before, so that no digit is lost in the difference."""
    before = max(ns // 10**9 - 1, 0)
    assert both(f"{VIDUR_HEADER}\n{before},1,1\n{text},1,1\n")[0] == [0, (ns - before * 10**9) / 1e9]


JSON = (
    '{"timestamp": 0, "input_length": 1, "output_length": 2}\n{"timestamp": 9, "input_length": 3, "output_length": 4}\n'
)


def test_a_line_of_json_may_begin_with_a_space_and_names_everything_once(write):
    assert load_log(write(" " + JSON.replace("\n", "\n\t", 1))).context_tokens.tolist() == [1, 3]
    for line, twice in ((1, JSON.replace("0,", '0, "timestamp": 5,')), (2, JSON.replace("9,", '9, "timestamp": 9,'))):
        path = write(twice)
        assert (message := refusal(path)).startswith(f"trace: {path}, line {line}: ") and "'timestamp'" in message
        assert "twice" in message


@pytest.mark.parametrize(
    "text", ["[" + JSON, "[\n" + JSON + "]", " [ " + JSON.replace("}\n", "},\n"), "{\n" + JSON[1:]]
)
def test_json_that_is_not_one_record_a_line_is_told_so(write, text):
    assert ", line 1: not JSON with one record a line (" in refusal(write(text))


def test_a_log_may_begin_with_a_byte_order_mark_and_hold_empty_lines(write):
    for name in ("Vidur", "Mooncake"):
        check_requests(load_log(write(b"\xef\xbb\xbf" + LOGS[name].replace("\n", "\n\n", 2).encode())))


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


@pytest.mark.parametrize("seed", range(40))
def test_both_ways_of_reading_give_the_same(both, monkeypatch, seed):
    """Also in small blocks, and packed: the same numbers, or the same refusal of the same line."""
    rng = np.random.default_rng(seed)
    text = made_up(rng)
    found = both(text, "when,in,out")
    monkeypatch.setattr(log_rows, "BLOCK", int(rng.integers(1, 3000)))
    assert both(text, "when,in,out") == both(gzip.compress(text.encode()), "when,in,out") == found


def test_read_blocks_gives_whole_lines_and_their_numbers(write, monkeypatch):
    monkeypatch.setattr(log_rows, "BLOCK", 10)
    text = b"one\ntwo\na line that is longer than a block\nfour\nfive"
    for path in (write(text), write(gzip.compress(text), "log.gz")):
        blocks = list(log_rows.read_blocks(path))
        assert b"".join(block for _, block in blocks) == text and len(blocks) > 2
        assert all(line == 1 + text[: text.index(block)].count(b"\n") for line, block in blocks)
        assert all(block.endswith(b"\n") for _, block in blocks[:-1])


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_a_packed_log_that_was_cut_off_is_refused_at_the_line_where_it_ends(write, rng, kept):
    rows = [f"{k},{a},{b}\n" for k, (a, b) in enumerate(rng.integers(1, 9999, (30_000, 2)))]
    packed = gzip.compress((VIDUR_HEADER + "\n" + "".join(rows)).encode())
    path = write(packed[: int(kept * len(packed))])
    with pytest.raises(ConfigError) as error:
        load_log(path)
    place, reason = str(error.value).split(": the gzip file is damaged or incomplete ")
    assert place.startswith(f"trace: {path}, line ") and "ended before" in reason
    assert int(place.split()[-1]) == pytest.approx(30_000 * kept, rel=0.1)


@pytest.mark.parametrize("block", [20, 35, 50, 1000])
def test_times_must_not_go_backwards_from_one_block_to_the_next(write, monkeypatch, block):
    monkeypatch.setattr(log_rows, "BLOCK", block)
    for line in range(3, 12):
        rows = [f"{time},1,1\n" for time in range(10, 20)]
        rows[line - 2] = "9,1,1\n"
        path = write(VIDUR_HEADER + "\n" + "".join(rows))
        with pytest.raises(ConfigError, match=f", line {line}: arrived_at '9' is earlier than the line before"):
            load_log(path)


@pytest.mark.parametrize("block", [1, 20, 35, 50, 1000])
def test_a_quoted_value_may_go_over_lines_and_blocks(write, monkeypatch, block):
    monkeypatch.setattr(log_rows, "BLOCK", block)
    text = table(AZURE + ",note", '2024-05-10 00:00:{time:02},{sent},{generated},"of two\n, or three\n lines"')
    check_requests(load_log(write(text)))


@pytest.mark.parametrize("block", [1, 20, 1000])
def test_lines_are_counted_alike_however_they_end(write, monkeypatch, block):
    monkeypatch.setattr(log_rows, "BLOCK", block)
    text = VIDUR_HEADER + "\n1,1,1\r2,1,1\r\n\r3,1,1\n\n4,1,x\n"  # lines 1 to 7
    assert ", line 7: num_decode_tokens 'x'" in refusal(write(text))
    text = "when,in,out,a,b,c,d\n0,1,1,,,,\n1,1,1,x\r2,2,2,y\n"  # not one request of 7 values
    assert ", line 3: 4 values under 7 columns" in refusal(write(text), "when,in,out")


def test_a_line_that_is_read_exactly_slows_down_its_own_block_only(write, monkeypatch):
    exactly, read_exactly = [], log_rows.read_exactly
    monkeypatch.setattr(log_rows, "read_exactly", lambda *given: exactly.append(given[1]) or read_exactly(*given))
    monkeypatch.setattr(log_rows, "BLOCK", 60)
    load_log(write(VIDUR_HEADER + "\n" + "1,1,1\n" * 50 + "\n" + "2,1,1\n" * 50))
    assert len(exactly) == 1


def test_a_line_without_end_is_refused(write, monkeypatch):
    monkeypatch.setattr(log_rows, "BLOCK", 50)
    monkeypatch.setattr(log_rows, "LONGEST_LINE", 100)
    assert ", line 3: longer than 100 bytes" in refusal(write(VIDUR_HEADER + "\n1,1,1\n" + 300 * " "))
