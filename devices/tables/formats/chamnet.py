"""The records that ChamNet's authors published: one JSON object a line, percentiles in microseconds.

Their operators are of another vocabulary (NCHW shapes and argument strings), so no space of ours uses them;
they are kept under a key made of all that tells them apart. The device stands in every record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from devices.tables.formats.entries import Collector, FormatError, TableFile, microseconds
from devices.tables.formats.json_lines import records

PERCENTILES = {"minimum_us": "runtime_us_p0", "p10_us": "runtime_us_p10", "p50_us": "runtime_us_p50"} | {
    "p90_us": "runtime_us_p90"
}
NAMED = ("op_type", "op_args", "input_shapes", "input_dtypes")


def read(text: str, most_rows: int) -> TableFile:
    """Raises FormatError."""
    collector = Collector("chamnet", most_rows)
    devices: dict[str, None] = {}
    for line, record in records(text, collector):
        missing = [name for name in (*NAMED, *PERCENTILES.values()) if name not in record]
        if missing:
            collector.problem(line, f"the record lacks {', '.join(missing)}")
            continue
        devices[str(record.get("device", ""))] = None
        try:
            worst = microseconds("runtime_us_p100", record.get("runtime_us_p100", record["runtime_us_p90"]))
            if worst < microseconds("runtime_us_p90", record["runtime_us_p90"]):
                raise ValueError("runtime_us_p100 is below runtime_us_p90")
        except ValueError as error:
            collector.problem(line, str(error))
            continue
        times = {ours: record[theirs] for ours, theirs in PERCENTILES.items()}
        collector.add(line, _key(record), times, 1, original=record)
    collector.facts = {"device": {"name": ", ".join(name for name in devices if name)}}
    return collector.finish()


def _key(record: dict[str, Any]) -> str:
    parts = [json.dumps(record[name], separators=(",", ":")) for name in NAMED[1:]]
    return f"{record['op_type']} {' '.join(parts)}"


def write(table: TableFile) -> Iterator[str]:
    """The records as they were read. Raises FormatError for tables that did not come as such records."""
    for entry in table.entries:
        if entry.original is None or "op_type" not in entry.original:
            raise FormatError(
                [f"“{entry.key[:80]}” did not come from a ChamNet record and cannot become one."]
            )
        yield json.dumps(entry.original) + "\n"
