"""Writing to a run: one transaction that holds its row, numbers its events and adds its steps."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from devices.runs import registry
from devices.runs.announce import announce_steps, nudge_watchers
from devices.runs.models import Event, Run, Step
from devices.runs.notices.owing import owe_notices

NO_CHARACTER = re.compile("[\0\ud800-\udfff]")


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
            self.run.message = finite(message)[:300]
        self.event("progress", {"done": self.run.done, "total": self.run.total, "message": self.run.message})

    def then(
        self,
        kind: str,
        name: str,
        queue: str,
        payload: Mapping[str, Any] | None = None,
        *,
        again: bool = False,
    ) -> None:
        """Adds a step unless the run has one of that name, which is done once more where `again` says so.

        Of a run that succeeded nothing more is done; of one that failed or was cancelled, when it is tried
        again.
        """
        if self.run.status == Run.Status.SUCCEEDED:
            return
        step, created = Step.objects.get_or_create(
            run=self.run, name=name, defaults={"kind": kind, "queue": queue, "payload": dict(payload or {})}
        )
        if created:
            self._steps.append(step)
        elif again:
            self.redo(self.run.steps.filter(pk=step.pk))

    def redo(self, steps: QuerySet[Step]) -> None:
        """Makes steps of this run ready once more, with all their attempts."""
        found = list(steps)
        Step.objects.filter(pk__in=[step.pk for step in found]).update(
            status=Step.Status.READY,
            token=None,
            lease_expires_at=None,
            announced_at=None,
            attempts=0,
            ready_at=timezone.now(),
        )
        self._steps.extend(found)

    def start(self) -> None:
        """queued -> running, when a worker first touches the run."""
        if self.run.status == Run.Status.QUEUED:
            now = timezone.now()
            self.run.started_at = self.run.started_at or now
            self._pace_from(now)
            self._to(Run.Status.RUNNING)

    def pause(self) -> bool:
        """queued | running -> paused. False from any other status, as with all that follow."""
        if self.run.status not in Run.ACTIVE:
            return False
        self._to(Run.Status.PAUSED)
        return True

    def resume(self) -> bool:
        """paused -> running, or queued where no worker had touched it."""
        if self.run.status != Run.Status.PAUSED:
            return False
        self._pace_from(timezone.now())
        self._to(Run.Status.RUNNING if self.run.started_at else Run.Status.QUEUED)
        self._announce_ready()
        return True

    def request_stop(self) -> bool:
        """Asks the run to end early with what it has."""
        if not self.run.can_stop_early:
            return False
        self.run.stop_requested = True
        self.event("stop-requested")
        return True

    def succeed(self, message: str = "") -> None:
        self.run.message = finite(message)[:300]
        self._finish(Run.Status.SUCCEEDED)

    def fail(self, reason: str, *, mendable: bool = False) -> None:
        """Ends the run as failed. `reason` is one sentence that says what to do.

        `mendable` when trying again with the same settings may help.
        """
        if not self.run.is_final:
            self.run.reason = finite(reason)
        self._finish(Run.Status.FAILED, mendable)

    def fail_with(self, child: Run) -> None:
        """Ends the run as failed because one that it began ended otherwise than well."""
        reason = child.reason.rstrip(".") or "see its page"
        self.fail(f"“{child.title}” ended as {child.status}: {reason}.", mendable=child.mendable)

    def cancel(self) -> bool:
        return self._finish(Run.Status.CANCELLED, mendable=True)

    def retry(self) -> bool:
        """failed | cancelled -> queued: goes on with everything finished, the steps that failed anew."""
        if not self.run.can_retry:
            return False
        self.run.mendable, self.run.reason, self.run.message = False, "", "Trying again"
        self.run.started_at = self.run.finished_at = None
        self.run.stop_requested = False
        self._to(Run.Status.QUEUED)
        registry.kind(self.run.kind).prepare_again(self)
        self.redo(self.run.steps.filter(status=Step.Status.FAILED))
        self._announce_ready()
        return True

    def flush(self) -> None:
        """Writes everything and arranges the hints for after the commit."""
        self.run.save()
        Event.objects.bulk_create(self._events)
        run_id, steps, events = self.run.pk, self._steps, self._events
        if events:
            transaction.on_commit(lambda: nudge_watchers(run_id))
        if steps and self.run.status in Run.ACTIVE:
            transaction.on_commit(lambda: announce_steps(steps))

    def _finish(self, status: str, mendable: bool = False) -> bool:
        if self.run.is_final:
            return False
        self.run.finished_at, self.run.mendable = timezone.now(), mendable
        self._to(status)
        owe_notices(self.run)
        if status == Run.Status.SUCCEEDED:
            self.run.steps.filter(status=Step.Status.READY).delete()
        _tell_parent(self.run)
        return True

    def _announce_ready(self) -> None:
        """Steps that nobody was to take wait for a worker from now on."""
        announced = [step.pk for step in self._steps]
        ready = self.run.steps.filter(status=Step.Status.READY).exclude(pk__in=announced)
        ready.update(ready_at=timezone.now())
        self._steps.extend(ready)

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
    """`value` with every NaN and infinity replaced by None, and what is no character by the replacement
    character.

    JSON has no other numbers. PostgreSQL has no text with NUL or a surrogate, which stands for a byte of a
    file's name that is no UTF-8, or for half of a character of JSON.
    """
    # The commonest first: pages and events hold tens of thousands of numbers.
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, str):
        return NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, int) or value is None:
        return value
    if isinstance(value, Mapping):
        return {finite(str(key)): finite(item) for key, item in value.items()}
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
            name, payload = f"advance:{child.pk}", {"child": str(child.pk)}
            writer.then(step_kind, name, Step.Queue.LIGHT, payload, again=True)
