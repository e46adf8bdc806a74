"""Shortening the histories of runs that ended long ago, and forgetting notices of their ends.

What a page shows of a finished run stands in other rows. Of its events stay those a person may look for in
its log – status, messages, requests – with their numbers; in place of the others, one event says how many of
each kind there were.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils import timezone

from devices.runs.models import Event, Notice, Run

KEPT_KINDS = frozenset({"status", "log", "stop-requested", "verified"})
SHORTENED = "shortened"


def removable_events() -> QuerySet[Event]:
    """Events that a finished run can do without."""
    return Event.objects.exclude(kind__in=[*KEPT_KINDS, SHORTENED])


def old_histories(days: int) -> QuerySet[Run]:
    """Runs that ended more than `days` ago and hold more than they need; none when `days` is 0.

    One that was shortened and then tried again is among them once more.
    """
    if days == 0:
        return Run.objects.none()
    return Run.objects.filter(
        Exists(removable_events().filter(run=OuterRef("pk"))),
        status__in=Run.FINAL,
        finished_at__lt=timezone.now() - timedelta(days=days),
    )


def old_notices(days: int) -> QuerySet[Notice]:
    """Notices that were sent or given up more than `days` ago; none when `days` is 0."""
    if days == 0:
        return Notice.objects.none()
    return Notice.objects.filter(settled_at__lt=timezone.now() - timedelta(days=days))


def shorten_old_histories(days: int) -> int:
    """How many events were removed."""
    return sum(
        shorten(run_id) for run_id in list(old_histories(days).order_by().values_list("pk", flat=True))
    )


@transaction.atomic
def shorten(run_id: UUID) -> int:
    """How many events of a finished run were removed. A run that is not over keeps all."""
    run = Run.objects.select_for_update().get(pk=run_id)
    events = removable_events().filter(run=run).order_by("seq")
    first, last = events.first(), events.last()
    if not run.is_final or first is None or last is None:
        return 0
    counts = dict(events.order_by("kind").values_list("kind").annotate(Count("pk")))
    events.delete()
    Event.objects.create(
        run=run, seq=first.seq, kind=SHORTENED, data={"until": last.seq, **counts}, at=first.at
    )
    return int(sum(counts.values()))
