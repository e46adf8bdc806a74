"""Writing to a run: one transaction that holds its row, numbers its events and adds its steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from devices.runs import registry
from devices.runs.announce import announce_steps, nudge_watchers
from devices.runs.models import Event, Run, Step


class RunWriter:
    """Changes to one locked run. Obtain it from `writing`; everything lands together or not at all."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._events: list[Event] = []
        self._steps: list[Step] = []

    def event(self, kind: str, data: Mapping[str, Any] | None = None) -> None:
        """Appends to the run's history. Numbers in `data` that are not finite become null."""
        self.run.last_seq += 1
        self._events.append(
            Event(
                run=self.run,
                seq=self.run.last_seq,
                kind=kind,
                data=finite(dict(data or {})),
                at=timezone.now(),
            )
        )

    def progress(self, done: int | None = None, total: int | None = None, message: str | None = None) -> None:
        """Updates the counters a person sees; None leaves a value as it is."""
        if done is not None:
            self.run.done = done
        if total is not None:
            self.run.total = total
        if message is not None:
            self.run.message = message[:300]
        self.event("progress", {"done": self.run.done, "total": self.run.total, "message": self.run.message})

    def then(self, kind: str, name: str, queue: str, payload: Mapping[str, Any] | None = None) -> None:
        """Adds a step unless the run has one of that name or is over."""
        if self.run.is_final:
            return
        step, created = Step.objects.get_or_create(
            run=self.run, name=name, defaults={"kind": kind, "queue": queue, "payload": dict(payload or {})}
        )
        if created:
            self._steps.append(step)

    def start(self) -> None:
        """queued -> running, when a worker first touches the run."""
        if self.run.status == Run.Status.QUEUED:
            now = timezone.now()
            self.run.started_at = self.run.started_at or now
            self._pace_from(now)
            self._to(Run.Status.RUNNING)

    def pause(self) -> None:
        if self.run.status in Run.ACTIVE:
            self._to(Run.Status.PAUSED)

    def resume(self) -> None:
        if self.run.status == Run.Status.PAUSED:
            self._pace_from(timezone.now())
            self._to(Run.Status.RUNNING if self.run.started_at else Run.Status.QUEUED)
            self._steps.extend(self.run.steps.filter(status=Step.Status.READY))

    def request_stop(self) -> None:
        """Asks the run to end early with what it has."""
        if self.run.can_stop_early:
            self.run.stop_requested = True
            self.event("stop-requested")

    def succeed(self, message: str = "") -> None:
        self.run.message = message[:300]
        self._finish(Run.Status.SUCCEEDED)

    def fail(self, reason: str) -> None:
        """Ends the run as failed. `reason` is one sentence that says what to do."""
        self.run.reason = finite(reason)
        self._finish(Run.Status.FAILED)

    def cancel(self) -> None:
        self._finish(Run.Status.CANCELLED)

    def flush(self) -> None:
        """Writes everything and arranges the hints for after the commit."""
        self.run.save()
        Event.objects.bulk_create(self._events)
        run_id, steps, events = self.run.pk, self._steps, self._events
        if events:
            transaction.on_commit(lambda: nudge_watchers(run_id))
        if steps and self.run.status in Run.ACTIVE:
            transaction.on_commit(lambda: announce_steps(steps))

    def _finish(self, status: str) -> None:
        if self.run.is_final:
            return
        self.run.finished_at = timezone.now()
        self.run.steps.filter(status=Step.Status.READY).delete()
        self._to(status)
        _tell_parent(self.run)

    def _to(self, status: str) -> None:
        self.run.status = status
        self.event("status", {"status": status, "message": self.run.message, "reason": self.run.reason})

    def _pace_from(self, now: Any) -> None:
        self.run.pace_at, self.run.pace_done = now, self.run.done


@contextmanager
def writing(run_id: UUID) -> Iterator[RunWriter]:
    """Locks the run, hands out its writer and commits what was written. Raises Run.DoesNotExist."""
    with transaction.atomic():
        writer = RunWriter(Run.objects.select_for_update().get(pk=run_id))
        yield writer
        writer.flush()


def finite(value: Any) -> Any:
    """`value` with every NaN and infinity replaced by None, and NUL characters by the replacement character.

    JSON has no other numbers, and PostgreSQL no text with a NUL.
    """
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {finite(str(key)): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def _tell_parent(child: Run) -> None:
    """A run that was started by another asks that one to go on, in the transaction of its own end: whoever is
    killed then loses both or neither. Locks go from child to parent only."""
    parent = child.parent
    if parent is None:
        return
    step_kind = f"{parent.kind}.advance"
    if step_kind in registry.kind(parent.kind).steps:
        with writing(parent.pk) as writer:
            writer.then(step_kind, f"advance:{child.pk}", Step.Queue.LIGHT, {"child": str(child.pk)})
