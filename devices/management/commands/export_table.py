"""A latency table as a file, without a browser."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from devices.models import LatencyTable
from devices.services import table_file
from devices.tables.formats import WRITERS, FormatError


class Command(BaseCommand):
    help = "Writes a latency table, to standard output unless --output says where."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("table", type=UUID, help="The table's id, as in its page's address.")
        parser.add_argument("--format", choices=sorted(WRITERS), default="jsonl")
        parser.add_argument("--output", type=Path)

    def handle(self, *args: Any, table: UUID, output: Path | None, **options: Any) -> None:
        found = LatencyTable.objects.select_related("device").filter(pk=table).first()
        if found is None:
            raise CommandError(f"There is no table {table}.")
        try:
            text = "".join(WRITERS[options["format"]](table_file(found)))
        except FormatError as error:
            raise CommandError(str(error)) from error
        if output is None:
            sys.stdout.write(text)
        else:
            output.write_text(text, "utf-8")
