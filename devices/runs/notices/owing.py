"""Which notices an end owes: rows of the transaction that ends the run, so that both are there or neither."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from devices.runs import registry
from devices.runs.announce import announce_notices
from devices.runs.models import Notice, NoticeSettings, Run, When

VERSION = 1


def owe_notices(run: Run) -> None:
    """Writes a notice for every place that the owner wants to be told at. Call it while holding the run.

    Nothing is owed for a run that another one began, whose own end is told, nor for one that had no steps:
    it was over before anybody could leave its page.
    """
    if run.parent_id is not None or not registry.kind(run.kind).notifies or not run.steps.exists():
        return
    wanted = NoticeSettings.objects.filter(owner=run.owner_id).first()
    if wanted is None or not _tells(run.notify or wanted.when, run.status):
        return
    _owe(wanted, end_payload(run), run=run, end_seq=run.last_seq)


def send_test(wanted: NoticeSettings) -> int:
    """Owes a notice of nothing to every place; how many these are."""
    facts = {"kind": "test", "title": "A test of the team's notices", "status": "succeeded", "reason": ""}
    payload = _payload("test", url=public_url(reverse("notices")), **facts)
    return _owe(wanted, payload)


def end_payload(run: Run) -> dict[str, Any]:
    """What a webhook is told of an end (version 1; described in docs/guide/14-notices.md)."""
    return _payload(
        "run.ended",
        run=str(run.pk),
        kind=run.kind,
        title=run.title,
        status=str(run.status),
        reason=run.reason,
        url=public_url(reverse("run", args=[run.pk])),
        started=_iso(run.started_at),
        finished=_iso(run.finished_at),
    )


def public_url(path: str) -> str:
    return f"{settings.PUBLIC_URL.rstrip('/')}{path}"


def preferences_of(owner: Any) -> NoticeSettings:
    """An owner's notice settings, unsaved where none were ever chosen."""
    found: NoticeSettings | None = NoticeSettings.objects.filter(owner=owner).first()
    return found or NoticeSettings(owner=owner)


def set_preferences(owner: Any, **values: Any) -> NoticeSettings:
    """Sets some of an owner's notice settings, also where two do so for the first time at once."""
    changed: NoticeSettings
    changed, _ = NoticeSettings.objects.update_or_create(owner=owner, defaults=values)
    return changed


def _payload(event: str, **facts: Any) -> dict[str, Any]:
    names = ("run", "kind", "title", "status", "reason", "url", "started", "finished")
    return {"version": VERSION, "event": event} | {name: facts.get(name) for name in names}


def _owe(wanted: NoticeSettings, payload: dict[str, Any], **end: Any) -> int:
    rows = [
        Notice(owner_id=wanted.owner_id, channel=channel, target=target, payload=payload, **end)
        for channel, target in wanted.targets.items()
    ]
    for row in rows:
        row.payload = {"notice": str(row.pk)} | payload
    Notice.objects.bulk_create(rows)
    transaction.on_commit(lambda: announce_notices([row.pk for row in rows]))
    return len(rows)


def _tells(when: str, status: str) -> bool:
    return when == When.ALWAYS or (when == When.FAILURE and status == Run.Status.FAILED)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
