"""The whole chain without a browser: device, table, predictor, search, model, file."""

from __future__ import annotations

import logging
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.files.storage import FileSystemStorage
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from devices.runs.execution import execute, sweep
from devices.runs.models import Run, Step
from devices.runs.ownership import owner_called
from search.services.quickstart import PRESET, start_quickstart

WIDTH = 30
LOOK_AGAIN_SECONDS = 0.5


class Command(BaseCommand):
    help = "Quick start in this process: prints the path of the exported file. No broker or worker is needed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", default="admin", help="Account to whose first team it will belong.")
        parser.add_argument("--dataset", default=PRESET["dataset"])
        for name in ("budget", "initial", "population", "generations", "seed"):
            parser.add_argument(f"--{name}", type=int, default=PRESET[name])

    def handle(self, *args: Any, user: str, **options: Any) -> None:
        owner = owner_called(user)
        if owner is None:
            raise CommandError(f"There is no account “{user}”. Run `python manage.py first_account` first.")
        logging.getLogger("devices.runs").setLevel(logging.WARNING)  # each step's line would cut the bars
        changes = {name: options[name] for name in PRESET if name in options}
        try:
            quickstart = start_quickstart(owner=owner, **changes)
        except ValueError as error:
            raise CommandError(str(error)) from None
        self._work(quickstart.run)
        quickstart.refresh_from_db()
        if quickstart.run.status != Run.Status.SUCCEEDED or quickstart.model is None:
            raise CommandError(quickstart.run.reason or f"It ended as {quickstart.run.status}.")
        model = quickstart.model
        self.stdout.write(
            f"Test accuracy {100 * (model.test_accuracy or 0):.2f} %, latency {model.latency_ms:.3f} ms "
            f"(predicted {model.network.latency_ms:.3f} ms, "
            f"limit {model.network.limit_ms:g} ms)"
        )
        file = model.files.get(format="torchscript").file
        self.stdout.write(file.path if isinstance(file.storage, FileSystemStorage) else str(file.name))

    def _work(self, run: Run) -> None:
        """Does every ready step of the run and of what it starts, here, beside workers if there are any."""
        mine = Step.objects.filter(Q(run=run) | Q(run__parent=run)).order_by("pk")
        while Run.objects.unfinished().filter(pk=run.pk).exists():
            step = mine.filter(status=Step.Status.READY).first()
            if step is None:
                time.sleep(LOOK_AGAIN_SECONDS)
                sweep()
            elif execute(step.pk):
                self._draw(Run.objects.get(pk=step.run_id))

    def _draw(self, run: Run) -> None:
        if run.parent_id is None or not run.total:
            return
        share = min(run.done / run.total, 1.0)
        bar = "█" * round(WIDTH * share) + "·" * (WIDTH - round(WIDTH * share))
        end = "\n" if run.is_final else ""
        if sys.stdout.isatty() or run.is_final:
            took = f" {run.seconds:.1f} s" if run.is_final else ""
            self.stdout.write(f"\r{run.kind:<10} {bar} {run.message:<80}{took}", ending=end)
            self.stdout.flush()
