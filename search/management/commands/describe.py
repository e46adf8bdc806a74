"""Describes one architecture of a preset space: what it costs and which operators it is made of."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from search.spaces import PRESETS, Architecture, SearchSpace, describe, preset


class Command(BaseCommand):
    help = "Print an architecture's parameters, multiply-adds and operators."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("space", metavar="SPACE", help=f"one of {', '.join(PRESETS)}")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--reference", action="store_true", help="the space's reference architecture")
        which.add_argument(
            "--genes",
            metavar="JSON",
            help='values by name, {"resolution": 128}, the others as in the reference; or a list of indices',
        )
        parser.add_argument("--classes", type=int, help="number of classes instead of the preset's")
        parser.add_argument("--in-channels", type=int, help="image channels instead of the preset's")
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            space = preset(options["space"], classes=options["classes"], in_channels=options["in_channels"])
            genes = space.reference if options["reference"] else read_genes(space, options["genes"])
            record = describe(Architecture(space, genes))
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(record, indent=2) if options["json"] else as_table(record))


def read_genes(space: SearchSpace, text: str) -> tuple[int, ...]:
    """Genes from JSON: an object of values over the reference's, or a list of indices; else ValueError."""
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"--genes is not JSON: {error}") from error
    if isinstance(given, dict):
        return space.encode(space.values(space.reference) | given)
    if isinstance(given, list):
        return space.validate(given)
    raise ValueError('--genes must be an object such as {"resolution": 16} or a list of indices')


def as_table(record: dict[str, Any]) -> str:
    """The record of ``describe`` as lines for a terminal."""
    operators = record["operators"]
    width = max(len(operator["name"]) for operator in operators)
    lines = [
        f"{record['space']} {record['id']}: {record['parameters']:,} parameters, "
        f"{record['multiply_adds']:,} multiply-adds, {len(operators)} operators",
        ", ".join(f"{name}={value}" for name, value in record["genes"].items()),
        f"{'layer':{width}} {'parameters':>12} {'multiply-adds':>14}  operator",
    ]
    lines += [
        f"{op['name']:{width}} {op['parameters']:>12,} {op['multiply_adds']:>14,}  {op['key']}"
        for op in operators
    ]
    return "\n".join(lines)
