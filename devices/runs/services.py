"""What a person can do to a run, and how one begins.

Actions return whether they changed anything: of two people at once one comes second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction

from devices.runs.models import Run
from devices.runs.writing import writing


class TooManyRunsError(Exception):
    """The owner has as many unfinished runs as one may have. The message is a sentence for a person."""


def start_run(
    *,
    owner: Any,
    kind: str,
    title: str,
    first_step: str,
    queue: str,
    payload: Mapping[str, Any] | None = None,
    total: int | None = None,
    parent: Run | None = None,
) -> Run:
    """Creates a run with its first step. Call it in the transaction that creates what the run works on.

    A title made of long names is cut to the room there is.
    Raises TooManyRunsError; what a run begins itself does not count.
    """
    if (
        parent is None
        and Run.objects.filter(owner=owner, parent=None).unfinished().count() >= settings.TEAM_RUNS
    ):
        raise TooManyRunsError(
            f"{settings.TEAM_RUNS} runs are unfinished, which is as many as a team may have: "
            "wait for one to end, or cancel one."
        )
    short = title if len(title) <= Run.LONGEST_TITLE else f"{title[: Run.LONGEST_TITLE - 1]}…"
    run = Run.objects.create(owner=owner, kind=kind, title=short, total=total, parent=parent)
    with writing(run.pk) as writer:
        writer.event("status", {"status": run.status, "message": "", "reason": ""})
        writer.then(first_step, first_step, queue, payload)
    return writer.run


def pause(run: Run) -> bool:
    """Lets steps in progress end (trainings to their next epoch) and starts no others until `resume`."""
    with writing(run.pk) as writer:
        return writer.pause()


def resume(run: Run) -> bool:
    with writing(run.pk) as writer:
        return writer.resume()


def cancel(run: Run) -> bool:
    """Ends the run, and the runs it started. What they finished is kept."""
    with writing(run.pk) as writer:
        cancelled = writer.cancel()
    for child in run.children.unfinished():
        cancel(child)
    return cancelled


def stop_early(run: Run) -> bool:
    """Asks the run to end with what it has, for kinds where that leaves something usable."""
    with writing(run.pk) as writer:
        return writer.request_stop()


@transaction.atomic
def retry(run: Run) -> bool:
    """Makes a failed or cancelled run go on, with the runs it started that did not end well.

    A run that failed together with the one that started it is tried again through that one.
    """
    while run.parent is not None and run.parent.can_retry:
        run = run.parent
    return _begin_again(run)


def _begin_again(run: Run) -> bool:
    """Children first: locks go from child to parent, and a parent must not find them as they ended."""
    if not run.can_retry:
        return False
    for child in run.children.filter(status__in=Run.RETRIABLE).order_by("pk"):
        _begin_again(child)
    with writing(run.pk) as writer:
        return writer.retry()


def notify(run: Run, when: str) -> None:
    """Sets when the end of this run is told; empty for what its owner has set for all."""
    Run.objects.filter(pk=run.pk).update(notify=when)
