"""A worker in this process."""

from __future__ import annotations

from collections.abc import Collection

from devices.runs.execution import execute
from devices.runs.models import Run, Step


def work_until_idle(at_most: int = 10_000, *, kinds: Collection[str] = (), newest_first: bool = False) -> int:
    """Does ready steps, oldest first, until none is left; returns how many. `kinds` of run, empty for all."""
    ready = Step.objects.filter(status=Step.Status.READY, run__status__in=Run.ACTIVE)
    if kinds:
        ready = ready.filter(run__kind__in=kinds)
    ready = ready.order_by("-pk" if newest_first else "pk")
    done = 0
    while done < at_most and (step := ready.first()) is not None:
        execute(step.pk)
        done += 1
    return done
