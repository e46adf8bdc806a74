"""Our CSV: one operator a row, times in microseconds. Facts about the whole table need JSON lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from devices.tables.formats.entries import Collector, FormatError, TableFile

VERSION = 1
MARK = "# chamnet-latency-table"
TIMES = ("minimum_us", "p10_us", "p50_us", "p90_us")
COLUMNS = ("key", "repeats", *TIMES)
LEARNED = "deviation"  # a column only where some operators were learned, empty for those that were not


def read(text: str, most_rows: int) -> TableFile:
    """Raises FormatError."""
    collector = Collector("csv", most_rows)
    rows = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""))
    try:
        header = next(rows, [])
        if header and header[0].startswith(MARK):
            _check_version(header[0])
            header = next(rows, [])
        _check_header(header)
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                collector.problem(rows.line_num, f"{len(row)} columns, but the header has {len(header)}")
                continue
            values = dict(zip(header, row, strict=True))
            times = {name: values[name] for name in TIMES}
            collector.add(
                rows.line_num, values["key"], times, values["repeats"], deviation=values.get(LEARNED) or 0.0
            )
    except csv.Error as error:
        raise FormatError([f"Line {rows.line_num}: this is no CSV ({error})."]) from error
    return collector.finish()


def _check_version(line: str) -> None:
    words = line.removeprefix(MARK).split()
    if words[:2] != ["version", str(VERSION)]:
        raise FormatError([f"Line 1: this file is of another version; version {VERSION} can be read."])


def _check_header(header: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in header]
    unitless = [name for name in missing if name.removesuffix("_us") in header]
    if unitless:
        raise FormatError(
            [f"The header says no unit: name the columns {', '.join(unitless)} when they are microseconds."]
        )
    if missing or len(set(header)) < len(header):
        raise FormatError(
            [f"The columns must be {', '.join(COLUMNS)}, each once, not {', '.join(header)[:99]}."]
        )


def write(table: TableFile) -> Iterator[str]:
    """The file's lines. Floats are written so that reading gives the same."""
    yield f"{MARK} version {VERSION} unit us\n"
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    learned = any(entry.measurement.is_learned for entry in table.entries)
    writer.writerow([*COLUMNS, LEARNED] if learned else COLUMNS)
    for entry in table.entries:
        measured = entry.measurement
        row = [measured.key, measured.repeats, *(repr(getattr(measured, name)) for name in TIMES)]
        writer.writerow([*row, repr(measured.deviation) if measured.is_learned else ""] if learned else row)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()
