"""Files of latency tables: what is written is read back, and what is wrong is named with its line."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from devices.tables import Measurement
from devices.tables.formats import WRITERS, Entry, FormatError, TableFile, detect, read_table

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=1000, categories=("L", "N", "P")), min_size=1)
TIMES = st.lists(st.floats(1e-3, 6e7), min_size=4, max_size=4).map(sorted)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    measurement = Measurement(draw(KEYS), draw(st.integers(1, 10**6)), *draw(TIMES))
    return Entry(measurement, tuple(draw(st.lists(st.floats(1e-3, 6e7), max_size=3))))


TABLES = st.lists(entries(), min_size=1, max_size=8, unique_by=lambda entry: entry.key).map(
    lambda found: tuple(sorted(found, key=lambda entry: entry.key))
)

RECORD: dict[str, Any] = {
    "op_type": "Conv",
    "op_args": ["stride: 2", "pad: 1"],
    "input_shapes": [[1, 3, 224, 224], [16, 3, 3, 3], [16]],
    "input_dtypes": [1, 1, 1],
    "runtime_us_p0": 350.0,
    "runtime_us_p10": 360.5,
    "runtime_us_p50": 371.25,
    "runtime_us_p90": 402.0,
    "runtime_us_p100": 911.0,
    "device": "A phone",
}

YAML = """AvgPool2D-input:5x5x1152-output:1x1x1152:
  count: 491
  mean: 0.008482688391038698
  std: 0.0006733248071883371
Conv-input:160x160x3-output:80x80x24:
  count: 498
  mean: 0.495562248995984
  std: 0.010239557348882489
"""


@given(TABLES)
def test_json_lines_lose_nothing(found: tuple[Entry, ...]) -> None:
    facts: dict[str, Any] = {
        "device": {"name": "A phone"},
        "space": {"id": "ab", "name": "x"},
        "points": [],
        "calibration": None,
    }
    again = read_table("".join(WRITERS["jsonl"](TableFile("jsonl", found, facts))))
    assert again.entries == found
    assert {name: again.facts[name] for name in facts} == facts


@given(TABLES)
def test_csv_loses_nothing_of_the_measurements(found: tuple[Entry, ...]) -> None:
    again = read_table("".join(WRITERS["csv"](TableFile("csv", found))))
    assert [entry.measurement for entry in again.entries] == [entry.measurement for entry in found]


@given(st.lists(TIMES, min_size=1, max_size=6))
def test_chamnet_records_come_back_as_they_were(times: list[list[float]]) -> None:
    records = [
        RECORD
        | {"op_args": [f"variant {index}"], "runtime_us_p100": four[3]}
        | dict(zip([f"runtime_us_p{p}" for p in (0, 10, 50, 90)], four, strict=True))
        for index, four in enumerate(times)
    ]
    table = read_table("\n".join(map(json.dumps, records)))
    written = [json.loads(line) for line in WRITERS["chamnet"](table)]
    assert sorted(written, key=json.dumps) == sorted(records, key=json.dumps)
    assert table.facts["device"] == {"name": "A phone"}


def test_once_for_all_yaml_comes_back_as_it_was_in_microseconds_meanwhile() -> None:
    table = read_table(YAML)
    assert "".join(WRITERS["once-for-all"](table)) == YAML
    assert table.entries[1].measurement.p50_us == pytest.approx(495.562248995984)
    assert table.entries[1].measurement.repeats == 498


@given(KEYS, st.floats(1e-6, 6e4), st.integers(1, 10**6))
def test_any_operator_name_survives_yaml(key: str, mean: float, count: int) -> None:
    original = {"count": str(count), "mean": repr(mean), "std": "0.1"}
    measured = Measurement(key, count, *[1000.0 * mean] * 4)
    text = "".join(WRITERS["once-for-all"](TableFile("once-for-all", (Entry(measured, (), original),))))
    assume(key != "first")
    found = read_table("first:\n  count: 1\n  mean: 1\n  std: 0\n" + text)
    assert {entry.key for entry in found.entries} == {"first", key}


def test_foreign_tables_keep_their_records_in_json_lines() -> None:
    for text, back in ((YAML, "once-for-all"), (json.dumps(RECORD) + "\n", "chamnet")):
        ours = "".join(WRITERS["jsonl"](read_table(text)))
        assert "".join(WRITERS[back](read_table(ours))) == text


def test_a_table_of_ours_cannot_become_a_foreign_one() -> None:
    table = TableFile("jsonl", (Entry(Measurement("a", 1, 1.0, 1.0, 1.0, 1.0)),))
    for name in ("chamnet", "once-for-all"):
        with pytest.raises(FormatError, match="did not come from"):
            list(WRITERS[name](table))


HEADER = "key,repeats,minimum_us,p10_us,p50_us,p90_us\n"
LINE = '{"key": "a", "repeats": 1, "minimum_us": 1, "p10_us": 1, "p50_us": 1, "p90_us": 1}\n'
FIRST = '{"format": "chamnet-latency-table", "version": 1, "unit": "us"}\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEADER + "a,5,-1,1,1,1\n", "Line 2: minimum_us is -1; a time is a finite number above 0."),
        (HEADER + "a,5,0,1,1,1\n", "Line 2: minimum_us is 0"),
        (HEADER + "a,5,nan,1,1,1\n", "Line 2: minimum_us is nan"),
        (HEADER + "a,5,1,1,1,inf\n", "Line 2: p90_us is inf"),
        (HEADER + "a,5,1,1,1,1e9\n", "Line 2: p90_us is 1e+09 µs, which no operator takes"),
        (HEADER + "a,5,1,1,one,1\n", "Line 2: p50_us is “one”, which is no number."),
        (HEADER + "a,5,3,2,1,1\n", "Line 2: minimum, p10, p50 and p90 must not fall."),
        (HEADER + "a,1.5,1,1,1,1\n", "Line 2: repeats is 1.5"),
        (HEADER + "a,1,1,1,1,1\na,1,1,1,1,2\n", "Line 3: “a” stands in line 2 already, with other values."),
        (HEADER + "a,1,1,1\n", "Line 2: 4 columns, but the header has 6."),
        (HEADER, "The file holds no operators."),
        ("key,repeats,minimum,p10,p50,p90\na,1,1,1,1,1\n", "The header says no unit"),
        ("# chamnet-latency-table version 2 unit us\n" + HEADER, "another version"),
        ('{"format": "chamnet-latency-table", "version": 1}\n', "the unit must be given as “us”"),
        (FIRST + '{"key": "a", "repeats": 1}\n', "Line 2: minimum_us is missing or no number."),
        (FIRST + "[1]\n", "Line 2: this is no JSON object"),
        (
            FIRST.replace("}", ', "operators": 2}') + LINE,
            "Line 1 promises 2 operators, the file holds 1. Was it cut off?",
        ),
        (FIRST.replace("}", ', "operators": "all"}') + LINE, "Line 1: operators must be how many there are."),
        (FIRST.replace("}", ', "space": {"operators": -1}}') + LINE, "Line 1: operators must be"),
        (
            FIRST + '{"key":"a","repeats":1,"minimum_us":NaN,"p10_us":1,"p50_us":1,"p90_us":1}\n',
            "Line 2: minimum_us is NaN",
        ),
        (json.dumps(RECORD | {"runtime_us_p50": -3}), "Line 1: p50_us is -3"),
        (json.dumps({"op_type": "Conv"}), "Line 1: the record lacks op_args"),
        (YAML.replace("0.495562248995984", "-0.4"), "Line 5: mean is -400"),
        (YAML.replace("std: 0.010239557348882489", "std: .nan"), "Line 5: std is"),
        (YAML.replace("  count: 498\n", ""), "needs count, mean, std, each once."),
        (
            YAML + YAML.replace("491", "490"),
            "Line 9: “AvgPool2D-input:5x5x1152-output:1x1x1152” stands in",
        ),
        ("a: [1, 2]\n", "no known format"),
        ("a:\n  x: " + "[" * 100_000, "Line 2: expected operators"),
        ("a:\n" + "".join(" " * depth + f"k{depth}:\n" for depth in range(1, 1500)), "expected operators"),
        ("a:\n  ? [b]\n  : 1\n", "Line 2: expected operators"),
        ("a:\n  b: &x 1\n  c: *x\n", "Line 3: expected operators"),
        ("- 1\n- a:\n", "no known format"),
        ('{"a":' * 100_000, "Line 1: this begins like JSON, but is none."),
        (FIRST + "[" * 100_000, "Line 2: this is no JSON."),
        (FIRST + '{"original":' * 20 + "1" + "}" * 20, "Line 2: this is no JSON object of a few levels."),
        (FIRST + '{"key": "a\\u0000"}', "The file holds the character NUL"),
        (
            FIRST.replace("}", ', "provenance": {"a": "\\ud800"}}') + LINE,
            "Line 1: it holds an infinite number, or",
        ),
        (FIRST.replace("}", ', "device": {"a": 1e999}}') + LINE, "Line 1: it holds an infinite number, or"),
        (FIRST + LINE.replace("}", ', "original": {"\\udc00": 1}}'), "Line 2: the record holds an infinite"),
        (json.dumps(RECORD | {"device": "\ud800"}), "Line 1: the record holds an infinite number, or half"),
        ("", "no known format"),
        ("\x00\x01", "the character NUL"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_table(text)
    assert said in " ".join(caught.value.problems)


def test_more_problems_than_anyone_reads_end_the_reading() -> None:
    with pytest.raises(FormatError) as caught:
        read_table(HEADER + "".join(f"a{n},1,-1,1,1,1\n" for n in range(1000)))
    assert len(caught.value.problems) == 21


def test_a_million_rows_are_refused_in_a_sentence() -> None:
    with pytest.raises(FormatError, match="more than 200000 operators"):
        read_table(HEADER + "".join(f"a{n},1,1,1,1,1\n" for n in range(1_000_000)))


def test_columns_may_stand_in_any_order_and_more_are_left_aside() -> None:
    table = read_table('"note",p90_us,p50_us,p10_us,minimum_us,repeats,key\nx,4,3,2,1,5,a\n')
    assert table.entries[0].measurement == Measurement("a", 5, 1.0, 2.0, 3.0, 4.0)


def test_the_same_line_twice_counts_once() -> None:
    assert len(read_table(HEADER + "a,1,1,1,1,1\na,1,1,1,1,1\n").entries) == 1


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(FormatError):
        detect(text)
        assert read_table(text).entries


@given(
    st.sampled_from([YAML, HEADER + "a,1,1,1,1,1\n", FIRST + json.dumps(RECORD), json.dumps(RECORD)]),
    st.data(),
)
def test_a_damaged_file_is_read_or_refused(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    with contextlib.suppress(FormatError):
        assert read_table(text[:start] + data.draw(st.text(max_size=8)) + text[end:]).entries
