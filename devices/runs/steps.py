"""Claiming and finishing steps: the lease that makes any worker expendable."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from devices.runs.models import Run, Step
from devices.runs.writing import RunWriter, writing

logger = logging.getLogger(__name__)

DATABASE_AWAY = (OperationalError, InterfaceError)
"""What is raised when the database cannot be reached, or is locked for too long; and for some mistakes."""
OTHERS_HANDS = ("40", "531", "533", "55P03", "57P")
"""Beginnings of PostgreSQL's codes for deadlocks, no room, no connection left, locks, and being shut down."""
RELEASE_AFTER_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses between tries to give a step back to a database that went away."""


class LeaseLostError(Exception):
    """Another worker has this step now; whatever was computed here must not be written."""


class RunCancelledError(Exception):
    """The run was cancelled while the step was at work; nothing of it is written any more."""


class StepFailedError(Exception):
    """The step cannot succeed, however often it is tried. The message is a sentence for a person.

    `mendable` where a person can change that without other settings, so that trying again makes sense.
    `ends_run` where no step of the run can succeed: it fails even if it could do without this one.
    """

    def __init__(self, reason: str, *, mendable: bool = False, ends_run: bool = False) -> None:
        super().__init__(reason)
        self.mendable, self.ends_run = mendable, ends_run


class ClaimedStep:
    """A step this process holds the lease of."""

    def __init__(self, step: Step, token: uuid.UUID) -> None:
        self.step, self.token = step, token
        self.run: Run = step.run
        self.name, self.kind = step.name, step.kind
        self.payload: Mapping[str, Any] = step.payload
        self._begun_at = self._checked_at = self._renewed_at = time.monotonic()

    def check(self, every_seconds: float = 1.0) -> Run:
        """Renews the lease and returns the run as it is now. Cheap: asks the database once a second at most.

        A database that is away for less than a lease is waited for at work. Call it between batches. Raises
        LeaseLostError or RunCancelledError: let both pass.
        """
        now = time.monotonic()
        if now - self._checked_at < every_seconds:
            return self.run
        self._checked_at = now
        try:
            renewed = self._mine().update(lease_expires_at=lease_end())
            self.run = Run.objects.get(pk=self.run.pk)
        except DATABASE_AWAY as error:
            if connection.in_atomic_block:
                raise
            connection.close()
            if now - self._renewed_at > settings.STEP_LEASE_SECONDS:
                raise LeaseLostError(self.name) from error
            logger.warning("the lease was not renewed: %s", error)
            return self.run
        if not renewed:
            raise LeaseLostError(self.name)
        self._renewed_at = now
        if self.run.status == Run.Status.CANCELLED:
            raise RunCancelledError(self.name)
        return self.run

    @contextmanager
    def report(self, *, saved: bool = False) -> Iterator[RunWriter]:
        """Writes events and progress in mid-step. Raises LeaseLostError or RunCancelledError as `commit`.

        `saved` says that the next try goes on from here: what went wrong before counts no longer.
        """
        tries = {"attempts": 1} if saved else {}
        self.step.attempts = 1 if saved else self.step.attempts
        with self._writing(lease_expires_at=lease_end(), **tries) as writer:
            yield writer
        self._renewed_at = time.monotonic()

    @contextmanager
    def commit(self, status: Step.Status = Step.Status.DONE) -> Iterator[RunWriter]:
        """Ends the step: results, events and next steps written inside land in one transaction with it.

        Raises LeaseLostError when the lease was lost and RunCancelledError when the run was cancelled,
        writing nothing.
        """
        seconds = time.monotonic() - self._begun_at
        with self._writing(status=status, token=None, lease_expires_at=None, seconds=seconds) as writer:
            yield writer

    @contextmanager
    def _writing(self, **changes: Any) -> Iterator[RunWriter]:
        """Writing to the run together with changes of the step."""
        with writing(self.run.pk) as writer:
            if not self._mine().update(**changes):
                raise LeaseLostError(self.name)
            if writer.run.status == Run.Status.CANCELLED:
                raise RunCancelledError(self.name)
            writer.start()  # it may have been cancelled and tried again meanwhile
            yield writer
        self.run = writer.run

    def release(self, *, announced_at: datetime | None = None) -> None:
        """Gives the step back untried, as when its run is paused or cancelled.

        `announced_at` delays its announcement.
        """
        waiting = given_back() | {"announced_at": announced_at}
        self._mine().update(**waiting, attempts=F("attempts") - 1)

    def release_when_possible(self) -> None:
        """Gives the step back untried to a database that has gone away, when it returns soon enough.

        Otherwise the lease expires, and the sweep gives it back.
        """
        for seconds in RELEASE_AFTER_SECONDS:
            time.sleep(seconds)
            connection.close()
            try:
                self.release()
            except DatabaseError as error:
                logger.warning("the step could not be given back: %s", error)
            else:
                return

    def release_after_loss(self, *, if_expired: bool = False) -> bool:
        """Gives the step back after a try that failed or whose worker vanished; the try counts.

        `if_expired` leaves it where the lease was renewed meanwhile. False when it was left.
        """
        if if_expired:
            return bool(self._mine().expired().update(**given_back(), lost=F("lost") + 1))
        return bool(self._mine().update(**given_back()))

    def take_over(self) -> bool:
        """Takes an expired lease from its worker, whose writes are refused from then on.

        False when it was renewed meanwhile.
        """
        token = uuid.uuid4()
        taken = self._mine().expired().update(token=token, lease_expires_at=lease_end(), lost=F("lost") + 1)
        self.token = token if taken else self.token
        return bool(taken)

    def _mine(self) -> Any:
        return Step.objects.filter(pk=self.step.pk, status=Step.Status.LEASED, token=self.token)


def claim(step_id: int) -> ClaimedStep | None:
    """Takes the lease of a ready step of a queued or running run; None when there is nothing to take.

    It holds the run before the step, as everything does that writes to both: two workers, or a worker and
    a person who cancels, never wait for each other in a circle.
    """
    token = uuid.uuid4()
    found = Step.objects.filter(pk=step_id, status=Step.Status.READY, run__status__in=Run.ACTIVE)
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(pk__in=found.values("run")).first()
        if run is None:
            return None
        taken = found.update(
            status=Step.Status.LEASED, token=token, lease_expires_at=lease_end(), attempts=F("attempts") + 1
        )
        if not taken:
            return None
        if run.status == Run.Status.QUEUED:
            with writing(run.pk) as writer:
                writer.start()
            run = writer.run
        step = Step.objects.get(pk=step_id)
        step.run = run
    return ClaimedStep(step, token)


def given_back() -> dict[str, Any]:
    """Fields of a step that waits once more."""
    waiting = dict.fromkeys(("token", "lease_expires_at", "announced_at"))
    return waiting | {"status": Step.Status.READY, "ready_at": timezone.now()}


def database_went_away(error: Exception) -> bool:
    """Whether an error says that the database is away or in somebody's hands, and nothing about the step."""
    return isinstance(error, DATABASE_AWAY) and (not connection.is_usable() or _is_in_others_hands(error))


def _is_in_others_hands(error: Exception) -> bool:
    state: str | None = getattr(error.__cause__, "sqlstate", None)
    if state is None:  # SQLite's have none
        return any(word in str(error) for word in ("locked", "full"))
    return state.startswith(OTHERS_HANDS)


def lease_end() -> Any:
    """When a lease that is taken or renewed now ends."""
    return timezone.now() + timedelta(seconds=settings.STEP_LEASE_SECONDS)
