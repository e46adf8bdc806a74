"""What a person can do to a run, and how one begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devices.runs.models import Run
from devices.runs.writing import writing


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
    """Creates a run with its first step. Call it in the transaction that creates what the run works on."""
    run = Run.objects.create(owner=owner, kind=kind, title=title, total=total, parent=parent)
    with writing(run.pk) as writer:
        writer.event("status", {"status": run.status, "message": "", "reason": ""})
        writer.then(first_step, first_step, queue, payload)
    return writer.run


def pause(run: Run) -> None:
    """Lets steps in progress end (trainings to their next epoch) and starts no others until `resume`."""
    with writing(run.pk) as writer:
        writer.pause()


def resume(run: Run) -> None:
    with writing(run.pk) as writer:
        writer.resume()


def cancel(run: Run) -> None:
    """Ends the run for good, and the runs it started. What they finished is kept."""
    with writing(run.pk) as writer:
        writer.cancel()
    for child in run.children.unfinished():
        cancel(child)


def stop_early(run: Run) -> None:
    """Asks the run to end with what it has, for kinds where that leaves something usable."""
    with writing(run.pk) as writer:
        writer.request_stop()
