from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from devices.runs.ownership import owner_called
from search.forms.reuse import MOST_NAME
from search.models import ImageSet
from search.services.datasets import start_import


class Command(BaseCommand):
    help = "Takes in a data set that lies on this machine: a folder of one folder per class, a zip, or .npz."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--name", required=True, help="What it is called.")
        parser.add_argument("--user", default="admin", help="Account to whose first team it belongs.")
        parser.add_argument("--size", type=int, help="Pixels it is stored at; else what suits the images.")
        parser.add_argument("--mirrors", action="store_true", help="A mirrored image is still of its class.")

    def handle(
        self, *args: Any, path: Path, name: str, user: str, size: int | None, mirrors: bool, **options: Any
    ) -> None:
        owner = owner_called(user)
        if owner is None:
            raise CommandError(f"There is no account “{user}”.")
        if ImageSet.objects.filter(owner=owner, name=name).exists():
            raise CommandError(f"{owner} already has a data set called “{name}”. Choose another --name.")
        if len(name) > MOST_NAME:
            raise CommandError(f"The name has {len(name)} characters, more than {MOST_NAME}.")
        if not path.exists():
            raise CommandError(f"There is nothing at {path}.")
        row = start_import(owner=owner, name=name, path=path.resolve(), size=size, mirrors=mirrors)
        self.stdout.write(f"{row.pk}  workers are reading it; its page shows how far they are")
