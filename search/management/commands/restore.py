"""Fills an empty installation from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from search.services.backup import BackupError, restore_backup


class Command(BaseCommand):
    help = "Take all rows and files of a backup into this installation, which must be migrated and empty."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            got = restore_backup(file)
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{got['rows']:,} rows and {got['files']:,} files are back.")
