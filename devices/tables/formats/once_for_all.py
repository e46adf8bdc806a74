"""once-for-all's latency tables: yaml, per operator the mean and deviation in milliseconds and their count.

Only the mean is known of a measurement, so it stands for its minimum and every percentile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

import yaml

from devices.tables.formats.entries import Collector, FormatError, TableFile, microseconds, number

FIELDS = ("count", "mean", "std")
US_PER_MS = 1000.0
Fields = list[tuple[str, str]]


def read(text: str, most_rows: int) -> TableFile:
    """Raises FormatError."""
    collector = Collector("once-for-all", most_rows)
    try:
        for line, key, fields in _operators(text):
            _add(collector, line, key, fields)
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError([f"This is no yaml: {' '.join(str(error).split())[:200]}."]) from error
    return collector.finish()


def _operators(text: str) -> Iterator[tuple[int, str, Fields]]:
    """Line, name and fields of every operator, from the parser's events.

    Events alone: no object is made of the file and nothing recurses, however deep it is nested. Raises
    FormatError at the first thing that is not an operator with plain fields.
    """
    events = yaml.parse(text, Loader=yaml.CSafeLoader)
    _expect(next(events), yaml.StreamStartEvent)
    _expect(next(events), yaml.DocumentStartEvent)
    _expect(next(events), yaml.MappingStartEvent)
    while not isinstance(name := next(events), yaml.MappingEndEvent):
        key = _scalar(name)
        _expect(next(events), yaml.MappingStartEvent)
        fields: Fields = []
        while not isinstance(field := next(events), yaml.MappingEndEvent):
            fields.append((_scalar(field), _scalar(next(events))))
        yield _line(name), key, fields
    _expect(next(events), yaml.DocumentEndEvent)
    _expect(next(events), yaml.StreamEndEvent)


def _expect(event: yaml.Event, kind: type[yaml.Event]) -> None:
    if not isinstance(event, kind):
        raise FormatError([f"Line {_line(event)}: expected operators, each with {', '.join(FIELDS)}."])


def _scalar(event: yaml.Event) -> str:
    _expect(event, yaml.ScalarEvent)
    return str(cast("yaml.ScalarEvent", event).value)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _add(collector: Collector, line: int, key: str, fields: Fields) -> None:
    values = dict(fields)
    if sorted(name for name, _ in fields) != sorted(FIELDS):
        collector.problem(line, f"“{key[:80]}” needs {', '.join(FIELDS)}, each once")
        return
    try:
        mean_us = microseconds("mean", US_PER_MS * number("mean", values["mean"]))
        if not 0.0 <= number("std", values["std"]) < float("inf"):
            raise ValueError(f"std is {values['std'][:30]}; a deviation is a finite number, not below 0")
    except ValueError as error:
        collector.problem(line, str(error))
        return
    times = dict.fromkeys(("minimum_us", "p10_us", "p50_us", "p90_us"), mean_us)
    collector.add(line, key, times, values["count"], original=values)


def write(table: TableFile) -> Iterator[str]:
    """The table as once-for-all writes it. Raises FormatError for tables that did not come as such a file."""
    for entry in table.entries:
        if entry.original is None or set(entry.original) != set(FIELDS):
            raise FormatError([f"“{entry.key[:80]}” did not come from such a file, so it cannot become one."])
        yield f"{_spelled(entry.key)}:\n" + "".join(f"  {name}: {entry.original[name]}\n" for name in FIELDS)


def _spelled(key: str) -> str:
    """A key as yaml reads it back: plain, as once-for-all's are, or else in quotes."""
    try:
        read_back = [name for _, name, _ in _operators(f"{key}:\n  count: 1\n")]
    except (yaml.YAMLError, FormatError):
        read_back = []
    return key if read_back == [key] else json.dumps(key)
