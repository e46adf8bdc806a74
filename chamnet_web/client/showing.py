"""What the command prints: tables and progress for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

Facts = dict[str, Any]
out = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def as_json(found: Any) -> None:
    """One JSON document."""
    print(json.dumps(found, indent=2, ensure_ascii=False))


def listed(rows: Iterable[Facts], names: Sequence[str]) -> None:
    """A table with a row for each of `rows` and a column for each of `names`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_text(_value(row, name))) for name in names))
    out.print(table)


def said(sentence: str) -> None:
    errors.print(Text(sentence))


@contextmanager
def following(title: str, *, quiet: bool) -> Any:
    """Gives a function that shows how far a run is."""
    if quiet:
        yield lambda run: None
        return
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    with Progress(*columns, TextColumn("{task.fields[message]}"), console=errors) as progress:
        task = progress.add_task(Text(title).markup, total=None, message="")

        def show(run: Facts) -> None:
            message = Text(str(run["message"] or run["status"])[:60]).markup
            progress.update(task, completed=run["done"], total=run["total"], message=message)

        yield show


def _value(row: Facts, name: str) -> Any:
    """What a row has by this name; the status of a thing is that of its run."""
    return row["run"]["status"] if name == "status" and "run" in row else row[name]


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
