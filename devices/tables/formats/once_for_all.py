"""once-for-all's latency tables: yaml, per operator the mean and deviation in milliseconds and their count.

Only the mean is known of a measurement, so it stands for its minimum and every percentile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import yaml

from devices.tables.formats.entries import Collector, FormatError, TableFile, microseconds, number

FIELDS = ("count", "mean", "std")
US_PER_MS = 1000.0


def read(text: str, most_rows: int) -> TableFile:
    """Raises FormatError. The yaml is only parsed to nodes: no object is ever made of it."""
    collector = Collector("once-for-all", most_rows)
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise FormatError([f"This is no yaml: {' '.join(str(error).split())[:200]}."]) from error
    if not isinstance(root, yaml.MappingNode):
        raise FormatError(["Line 1: expected operators, each with count, mean and std."])
    for name, content in root.value:
        line = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode) or not isinstance(content, yaml.MappingNode):
            collector.problem(line, "expected an operator with count, mean and std")
            continue
        given = [
            (str(key.value), value.value)
            for key, value in content.value
            if isinstance(value, yaml.ScalarNode)
        ]
        values = dict(given)
        if sorted(key for key, _ in given) != sorted(FIELDS) or len(given) != len(content.value):
            collector.problem(line, f"“{str(name.value)[:80]}” needs {', '.join(FIELDS)}, each once")
            continue
        try:
            mean_us = microseconds("mean", US_PER_MS * number("mean", values["mean"]))
            deviation = number("std", values["std"])
            if not 0.0 <= deviation < float("inf"):
                raise ValueError(f"std is {values['std'][:30]}; a deviation is a finite number, not below 0")
        except ValueError as error:
            collector.problem(line, str(error))
            continue
        times = dict.fromkeys(("minimum_us", "p10_us", "p50_us", "p90_us"), mean_us)
        collector.add(line, str(name.value), times, values["count"], original=values)
    return collector.finish()


def write(table: TableFile) -> Iterator[str]:
    """The table as once-for-all writes it. Raises FormatError for tables that did not come as such a file."""
    for entry in table.entries:
        if entry.original is None or set(entry.original) != set(FIELDS):
            raise FormatError([f"“{entry.key[:80]}” did not come from such a file, so it cannot become one."])
        yield f"{_spelled(entry.key)}:\n" + "".join(f"  {name}: {entry.original[name]}\n" for name in FIELDS)


def _spelled(key: str) -> str:
    """A key as yaml reads it back: plain, as once-for-all's are, or else in quotes."""
    try:
        root = yaml.compose(f"{key}:\n  count: 1\n", Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return json.dumps(key)
    plain = isinstance(root, yaml.MappingNode) and [name.value for name, _ in root.value] == [key]
    return key if plain else json.dumps(key)
