"""Writes a whole installation into one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from search.services.backup import BackupError, write_backup


class Command(BaseCommand):
    help = "Write all rows and files into FILE, a tar, while everything goes on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            held = write_backup(file)
        except BackupError as error:
            raise CommandError(str(error)) from error
        size_mb = file.stat().st_size / 1e6
        self.stdout.write(f"{held['rows']:,} rows and {held['files']:,} files, {size_mb:,.1f} MB: {file}")
