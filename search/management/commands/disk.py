"""Shows what the database and the files hold, and removes what the settings let go."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from search.services.disk import Holding, holdings, prune


class Command(BaseCommand):
    help = "List what the database and the files hold, by kind, and what of it may go (RETAIN_… settings)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--prune", action="store_true", help="remove what may go")
        parser.add_argument("--dry-run", action="store_true", help="with --prune: only say what would go")

    def handle(self, *args: Any, **options: Any) -> None:
        found = holdings()
        self.stdout.write(f"{'':<20} {'count':>10} {'size':>10} {'may go':>10} {'size':>10}")
        for one in found:
            self.stdout.write(_line(one))
        if not options["prune"]:
            return
        pretend = options["dry_run"]
        gone = {one.kind: one.removable for one in found} if pretend else prune()
        said = ", ".join(f"{kind}: {count:,}" for kind, count in gone.items() if count)
        self.stdout.write(f"{'Would be removed' if pretend else 'Removed'}: {said or 'nothing'}.")


def _line(one: Holding) -> str:
    return (
        f"{one.kind:<20} {one.count:>10,} {_amount(one.size_bytes):>10} "
        f"{one.removable:>10,} {_amount(one.removable_bytes):>10}"
    )


def _amount(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes / 1e6:,.1f} MB"
