"""Files that hold latency tables: ours (CSV, JSON lines), ChamNet's records, once-for-all's yaml.

Every reader gives the same `TableFile`, in microseconds, or raises `FormatError` with the lines that are
wrong; a file is read whole or not at all. What a foreign format says besides is kept in each entry's
`original`, so that writing the format again loses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from devices.tables.formats import chamnet, json_lines, once_for_all, plain_csv
from devices.tables.formats.entries import Entry, FormatError, TableFile

READERS: Mapping[str, Callable[[str, int], TableFile]] = {
    "csv": plain_csv.read,
    "jsonl": json_lines.read,
    "chamnet": chamnet.read,
    "once-for-all": once_for_all.read,
}
WRITERS: Mapping[str, Callable[[TableFile], Iterator[str]]] = {
    "csv": plain_csv.write,
    "jsonl": json_lines.write,
    "chamnet": chamnet.write,
    "once-for-all": once_for_all.write,
}
EXTENSIONS: Mapping[str, str] = {"csv": "csv", "jsonl": "jsonl", "chamnet": "json", "once-for-all": "yaml"}
LABELS: Mapping[str, str] = {
    "csv": "CSV",
    "jsonl": "JSON lines",
    "chamnet": "ChamNet records",
    "once-for-all": "once-for-all yaml",
}
MOST_ROWS = 200_000

__all__ = [
    "EXTENSIONS",
    "LABELS",
    "MOST_ROWS",
    "READERS",
    "WRITERS",
    "Entry",
    "FormatError",
    "TableFile",
    "detect",
    "read_table",
]


def read_table(text: str, *, most_rows: int = MOST_ROWS) -> TableFile:
    """The table in a file of any known format. Raises FormatError."""
    if "\x00" in text or "\\u0000" in text:
        raise FormatError(["The file holds the character NUL, which no text has."])
    return READERS[detect(text)](text, most_rows)


def detect(text: str) -> str:
    """Which format a file has, by its first line. Raises FormatError for one that is none of them."""
    first = next((line.strip() for line in text.lstrip("\ufeff").splitlines() if line.strip()), "")
    if first.startswith("{"):
        try:
            record = json.loads(first)
        except (ValueError, RecursionError):
            raise FormatError(["Line 1: this begins like JSON, but is none."]) from None
        return "jsonl" if "format" in record else "chamnet"
    if first.startswith(plain_csv.MARK) or "key" in first.replace('"', "").split(","):
        return "csv"
    if first.endswith(":"):
        return "once-for-all"
    raise FormatError(
        [f"Line 1: no known format begins with “{first[:60]}”. Known are {', '.join(LABELS.values())}."]
    )
