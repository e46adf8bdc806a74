"""A latency table from a file, without a browser."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from devices.models import Device
from devices.runs.ownership import owner_called
from devices.services import import_table
from devices.tables.formats import FormatError, read_table

MOST_ROWS = 1_000_000


class Command(BaseCommand):
    help = "Imports a latency table (CSV, JSON lines, ChamNet records, once-for-all yaml) for a device."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--device", required=True, help="The device's name.")
        parser.add_argument("--user", default="admin", help="Account of whose first team the device is.")

    def handle(self, *args: Any, file: Path, device: str, user: str, **options: Any) -> None:
        owner = owner_called(user)
        if owner is None:
            raise CommandError(f"There is no account “{user}”.")
        found = Device.objects.filter(owner=owner, name=device).first()
        if found is None:
            raise CommandError(f"{owner} has no device called “{device}”.")
        try:
            table = read_table(file.read_text("utf-8"), most_rows=MOST_ROWS)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError:
            raise CommandError(f"{file} is no text file.") from None
        except FormatError as error:
            raise CommandError("\n".join(error.problems)) from error
        imported = import_table(device=found, table=table, name=file.name)
        self.stdout.write(f"{imported.pk}  {len(table.entries)} operators, version {imported.version}")
