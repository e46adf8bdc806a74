"""Our JSON lines: a first line about the table, then one operator a line. Nothing of a table is lost."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from devices.tables.calibration import Calibration
from devices.tables.formats.entries import NOT_KEPT, Collector, FormatError, TableFile, can_be_kept

FORMAT, VERSION = "chamnet-latency-table", 1
DEEPEST = 8
TIMES = ("minimum_us", "p10_us", "p50_us", "p90_us")


def records(text: str, collector: Collector) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and objects of a file with one JSON object a line; what is none is noted as a problem."""
    for line, content in enumerate(text.lstrip("\ufeff").split("\n"), start=1):
        if not content.strip():
            continue
        try:
            record = json.loads(content, parse_constant=str)  # NaN, so that its place can be named
        except (ValueError, RecursionError):
            collector.problem(line, "this is no JSON")
            continue
        if not isinstance(record, dict) or _deeper_than(DEEPEST, record):
            collector.problem(line, "this is no JSON object of a few levels")
            continue
        yield line, record


def _deeper_than(levels: int, value: Any) -> bool:
    """Whether lists and objects are nested deeper than this: nothing that is stored is."""
    level = [value]
    for _ in range(levels + 1):
        inner = [list(one.values()) if isinstance(one, dict) else one for one in level]
        level = [one for some in inner if isinstance(some, list) for one in some]
    return bool(level)


def read(text: str, most_rows: int) -> TableFile:
    """Raises FormatError."""
    collector = Collector("jsonl", most_rows)
    for line, record in records(text, collector):
        if "format" in record:
            collector.facts = _facts(record)
            continue
        times = {name: record.get(name) for name in TIMES}
        collector.add(
            line,
            str(record.get("key", "")),
            times,
            record.get("repeats"),
            samples_us=record.get("samples_us", []),
            deviation=record.get("deviation", 0.0),
            original=_original(record),
        )
    if not collector.facts:
        raise FormatError(["Line 1: the first line must name the format, its version and its unit."])
    found = collector.finish()
    _check_whole(found)
    return found


def _check_whole(found: TableFile) -> None:
    """Raises FormatError for a file that was cut off on its way."""
    said = found.facts.get("operators", len(found.entries))
    if said != len(found.entries):
        raise FormatError(
            [f"Line 1 promises {said} operators, the file holds {len(found.entries)}. Was it cut off?"]
        )


def _original(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = record.get("original")
    return found if isinstance(found, dict) else None


def _facts(header: Mapping[str, Any]) -> dict[str, Any]:
    """The first line, checked."""
    if header.get("format") != FORMAT or header.get("version") != VERSION:
        raise FormatError([f"Line 1: only the format {FORMAT}, version {VERSION}, can be read."])
    if header.get("unit") != "us":
        raise FormatError(["Line 1: the unit must be given as “us”: microseconds."])
    if not can_be_kept(header):
        raise FormatError([f"Line 1: it holds {NOT_KEPT}."])
    _check_objects(header)
    _check_counts(header)
    if not _is_quality(header.get("quality")):
        raise FormatError(["Line 1: quality must be a list of label, measured and error."])
    points = header.get("points", [])
    if not isinstance(points, list) or not all(_is_point(point) for point in points):
        raise FormatError(["Line 1: points must be a list of label, summed_us and measured_us above 0."])
    if header.get("calibration") is not None:
        try:
            calibration = Calibration.from_json(header["calibration"])
            if not (calibration.scale > 0 and calibration.residual >= 0 and calibration.networks >= 0):
                raise ValueError
            calibration.latency_us(1.0)
        except (TypeError, ValueError):
            raise FormatError(["Line 1: the calibration is not one that this format describes."]) from None
    return dict(header)


def _check_objects(header: Mapping[str, Any]) -> None:
    for name in ("device", "space", "provenance", "calibration"):
        if not isinstance(header.get(name, {}), dict | None):
            raise FormatError([f"Line 1: {name} is no object."])


def _check_counts(header: Mapping[str, Any]) -> None:
    for counted in (header, header.get("space") or {}):
        count = counted.get("operators", 0)
        if not isinstance(count, int) or not 0 <= count < 10**9:
            raise FormatError(["Line 1: operators must be how many there are."])


def _is_quality(quality: Any) -> bool:
    return quality is None or (
        isinstance(quality, list)
        and all(
            isinstance(one, dict)
            and isinstance(one.get("label"), str)
            and all(isinstance(one.get(name), int | float) for name in ("measured", "error"))
            for one in quality
        )
    )


def _is_point(point: Any) -> bool:
    if not isinstance(point, dict):
        return False
    times = [point.get("summed_us"), point.get("measured_us"), 1.0 + _learned(point)]
    if point.get("expected_us") is not None:
        times.append(point["expected_us"])
    return isinstance(point.get("label"), str) and all(
        isinstance(time, int | float) and not isinstance(time, bool) and 0 < time < 1e12 for time in times
    )


def _learned(point: dict[str, Any]) -> float:
    """NaN, which no check lets pass, unless it is a number from 0 on."""
    learned = point.get("learned_us", 0.0)
    usable = isinstance(learned, int | float) and not isinstance(learned, bool) and learned >= 0
    return float(learned) if usable else math.nan


def write(table: TableFile) -> Iterator[str]:
    """The file's lines."""
    head = {"format": FORMAT, "version": VERSION, "unit": "us", "operators": len(table.entries)}
    yield json.dumps(dict(table.facts) | head) + "\n"
    for entry in table.entries:
        measured = entry.measurement
        record: dict[str, Any] = {"key": measured.key, "repeats": measured.repeats}
        record |= {name: getattr(measured, name) for name in TIMES} | {"samples_us": list(entry.samples_us)}
        if measured.is_learned:
            record["deviation"] = measured.deviation
        if entry.original is not None:
            record["original"] = entry.original
        yield json.dumps(record) + "\n"
