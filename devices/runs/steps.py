"""Claiming and finishing steps: the lease that makes any worker expendable."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from devices.runs.models import Run, Step
from devices.runs.writing import RunWriter, writing


class LeaseLostError(Exception):
    """Another worker has this step now; whatever was computed here must not be written."""


class RunCancelledError(Exception):
    """The run was cancelled while the step was at work; nothing of it is written any more."""


class StepFailedError(Exception):
    """The step cannot succeed, however often it is tried. The message is a sentence for a person.

    `mendable` where a person can change that without other settings, so that trying again makes sense.
    """

    def __init__(self, reason: str, *, mendable: bool = False) -> None:
        super().__init__(reason)
        self.mendable = mendable


class ClaimedStep:
    """A step this process holds the lease of."""

    def __init__(self, step: Step, token: uuid.UUID) -> None:
        self.step, self.token = step, token
        self.run: Run = step.run
        self.name, self.kind = step.name, step.kind
        self.payload: Mapping[str, Any] = step.payload
        self._checked_at = time.monotonic()

    def check(self, every_seconds: float = 1.0) -> Run:
        """Renews the lease and returns the run as it is now. Cheap: asks the database once a second at most.

        Call it between batches. Raises LeaseLostError or RunCancelledError: let both pass.
        """
        if time.monotonic() - self._checked_at < every_seconds:
            return self.run
        self._checked_at = time.monotonic()
        renewed = self._mine().update(lease_expires_at=_lease_end())
        if not renewed:
            raise LeaseLostError(self.name)
        self.run = Run.objects.get(pk=self.run.pk)
        if self.run.status == Run.Status.CANCELLED:
            raise RunCancelledError(self.name)
        return self.run

    @contextmanager
    def report(self) -> Iterator[RunWriter]:
        """Writes events and progress in mid-step. Raises LeaseLostError or RunCancelledError as `commit`."""
        with self._writing(lease_expires_at=_lease_end()) as writer:
            yield writer

    @contextmanager
    def commit(self, status: Step.Status = Step.Status.DONE) -> Iterator[RunWriter]:
        """Ends the step: results, events and next steps written inside land in one transaction with it.

        Raises LeaseLostError when the lease was lost and RunCancelledError when the run was cancelled,
        writing nothing.
        """
        with self._writing(status=status, token=None, lease_expires_at=None) as writer:
            yield writer

    @contextmanager
    def _writing(self, **changes: Any) -> Iterator[RunWriter]:
        """Writing to the run together with changes of the step."""
        with writing(self.run.pk) as writer:
            if not self._mine().update(**changes):
                raise LeaseLostError(self.name)
            if writer.run.status == Run.Status.CANCELLED:
                raise RunCancelledError(self.name)
            yield writer
        self.run = writer.run

    def release(self) -> None:
        """Gives the step back untried, as when its run is paused or cancelled."""
        self._mine().update(
            status=Step.Status.READY,
            token=None,
            lease_expires_at=None,
            announced_at=None,
            attempts=F("attempts") - 1,
        )

    def release_after_loss(self) -> None:
        """Gives the step back after a try that failed or whose worker vanished; the try counts."""
        self._mine().update(status=Step.Status.READY, token=None, lease_expires_at=None, announced_at=None)

    def _mine(self) -> Any:
        return Step.objects.filter(pk=self.step.pk, status=Step.Status.LEASED, token=self.token)


def claim(step_id: int) -> ClaimedStep | None:
    """Takes the lease of a ready step of a queued or running run; None when there is nothing to take."""
    token = uuid.uuid4()
    with transaction.atomic():
        taken = Step.objects.filter(pk=step_id, status=Step.Status.READY, run__status__in=Run.ACTIVE).update(
            status=Step.Status.LEASED, token=token, lease_expires_at=_lease_end(), attempts=F("attempts") + 1
        )
        if not taken:
            return None
        step = Step.objects.select_related("run").get(pk=step_id)
        if step.run.status == Run.Status.QUEUED:
            with writing(step.run_id) as writer:
                writer.start()
            step.run = writer.run
    return ClaimedStep(step, token)


def _lease_end() -> Any:
    return timezone.now() + timedelta(seconds=settings.STEP_LEASE_SECONDS)
