"""Tables as files: CSV that a spreadsheet opens without running it, and JSON. Both are streamed."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, StreamingHttpResponse

TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
LINES_AT_ONCE = 500
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Export:
    """A table to hand out: the file's name without its ending, names of the columns, and the rows."""

    name: str
    head: Sequence[str]
    rows: Callable[[], Iterable[Sequence[object]]]


def of_records(name: str, columns: Sequence[str], records: Iterable[Mapping[str, object]]) -> Export:
    """A table of some of the records' values; one that a record lacks stays empty."""
    return Export(name, columns, lambda: ([record.get(column) for column in columns] for record in records))


def export_asked(
    request: HttpRequest, tables: Callable[[], Mapping[str, Export]]
) -> StreamingHttpResponse | None:
    """The table that the address asks for, `?table=NAME&format=csv`; None where it asks for the page.

    `tables` is called when there is one asked for. Raises Http404 for a table or a format that there is not.
    """
    file_format = request.GET.get("format")
    if file_format is None:
        return None
    table = tables().get(request.GET.get("table", ""))
    if table is None:
        raise Http404("This page has no such table.")
    return export(request, table, file_format)


def export(request: HttpRequest, table: Export, file_format: str) -> StreamingHttpResponse:
    """A table as a download. Raises Http404 for another format than csv and json."""
    if file_format not in TYPES:
        raise Http404("Tables are given out as csv and json.")
    lines = csv_lines(table) if file_format == "csv" else json_lines(table)
    return attachment(request, lines, name=f"{table.name}.{file_format}", content_type=TYPES[file_format])


def attachment(
    request: HttpRequest, lines: Iterable[str], *, name: str, content_type: str
) -> StreamingHttpResponse:
    """Lines as a download, sent as they are made under either kind of server."""
    blocks = _blocks(lines)
    content: Any = _asynchronous(blocks) if isinstance(request, ASGIRequest) else blocks
    response = StreamingHttpResponse(content, content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def csv_lines(table: Export) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow([_csv_field(name) for name in table.head])
    for row in table.rows():
        yield writer.writerow([_csv_field(value) for value in row])


def json_lines(table: Export) -> Iterator[str]:
    """A list of objects, one a line."""
    between = "[\n"
    for row in table.rows():
        values = (_plain(value) for value in row)
        yield between + json.dumps(dict(zip(table.head, values, strict=True)), allow_nan=False)
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


class _Echo:
    """What the csv module writes to: it gives back the line."""

    def write(self, line: str) -> str:
        return line


def _plain(value: object) -> Any:
    """A value as JSON has it: moments in ISO 8601, ids as text, no number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, str | int | list | dict):
        return value
    return (
        str(value) if isinstance(value, UUID) else float(value) if hasattr(value, "__float__") else str(value)
    )


def _csv_field(value: object) -> object:
    """A value as a CSV field. A text that a spreadsheet would run as a formula is disarmed."""
    plain = _plain(value)
    if isinstance(plain, list | dict):
        return json.dumps(plain)
    if isinstance(plain, str) and plain.startswith(FORMULA_STARTS):
        try:
            float(plain)
        except ValueError:
            return f"'{plain}"
    return plain


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    rest = iter(lines)
    while block := "".join(islice(rest, LINES_AT_ONCE)):
        yield block


async def _asynchronous(blocks: Iterator[str]) -> AsyncIterator[str]:
    """The blocks, each made in the request's thread, where its database connection is."""
    following = sync_to_async(lambda: next(blocks, None))
    while (block := await following()) is not None:
        yield block
