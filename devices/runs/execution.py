"""Doing one step, and what happens when it fails."""

from __future__ import annotations

import errno
import logging
import traceback
from datetime import timedelta
from typing import cast
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from devices.runs import clock, registry, turns
from devices.runs.announce import announce_steps, forgotten_steps
from devices.runs.logs import about
from devices.runs.models import Run, Step
from devices.runs.steps import (
    ClaimedStep,
    LeaseLostError,
    RunCancelledError,
    StepFailedError,
    claim,
    database_went_away,
    given_back,
    lease_end,
)

logger = logging.getLogger(__name__)

ANNOUNCE_AGAIN_AFTER = timedelta(seconds=30)
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
WAITS_FOR_ROOM = "The disk is full. Make room: it goes on by itself, from where it was."


def execute(step_id: int) -> bool:
    """Claims the step and does it. False when there was nothing to claim; never raises for a failed step."""
    claimed = claim(step_id)
    if claimed is None:
        return False
    with about(run=claimed.run.pk, step=claimed.name):
        _do(claimed)
    return True


def execute_due(announced_id: int) -> bool:
    """Does the step that is due of the queue that the announced step is in; False when none is ready."""
    queue = Step.objects.filter(pk=announced_id).values_list("queue", flat=True).first()
    if queue is None:
        return False
    return any(execute(step_id) for step_id in turns.in_order(queue))


def _do(claimed: ClaimedStep) -> None:
    logger.info("the step begins")
    try:
        registry.kind(claimed.run.kind).handler(claimed.kind)(claimed)
    except LeaseLostError:
        logger.warning("the step was taken over by another worker")
    except RunCancelledError:
        logger.info("the step ends, the run is cancelled")
        claimed.release()
    except StepFailedError as error:
        _settle(claimed, str(error), mendable=error.mendable, ends_run=error.ends_run)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            logger.warning("the step ends, the disk is full: %s", error)
            _wait_for_room(claimed)
        elif database_went_away(error):
            logger.warning("the step ends, the database is away: %s", error)
            claimed.release_when_possible()
        else:
            logger.exception("the step failed")
            _try_again_or_settle(claimed, error)


def sweep() -> int:
    """Returns expired leases, settles steps that keep losing them, announces forgotten steps.

    Returns the number of steps it touched. Safe to run at any moment, any number of times at once.
    """
    if clock.jumped():
        logger.warning("The clock was set: every lease begins anew.")
        Step.objects.filter(status=Step.Status.LEASED).update(lease_expires_at=lease_end())
    touched = 0
    for step in Step.objects.expired().select_related("run"):
        claimed = ClaimedStep(step, cast("UUID", step.token))  # what is leased has a token
        with about(run=step.run_id, step=step.name):
            touched += _return(claimed)
    forgotten = forgotten_steps(ANNOUNCE_AGAIN_AFTER)
    announce_steps(forgotten)
    return touched + len(forgotten)


def _return(claimed: ClaimedStep) -> bool:
    """What becomes of an expired lease. False when it was renewed meanwhile."""
    step = claimed.step
    if step.run.status == Run.Status.SUCCEEDED:
        step.delete()
    elif step.run.is_final:
        claimed.release()
    elif step.attempts >= settings.STEP_ATTEMPTS:
        if not claimed.take_over():
            return False
        reason = f"The worker was lost {step.attempts} times while doing “{step.name}”."
        _settle(claimed, reason, mendable=True)
    elif claimed.release_after_loss(if_expired=True):
        logger.warning("the lease expired: the step is ready again")
        announce_steps([step])
    else:
        return False
    return True


def release_all() -> int:
    """Gives every leased step back at once: for a start at which no worker can be alive."""
    return Step.objects.filter(status=Step.Status.LEASED).update(**given_back())


def _try_again_or_settle(claimed: ClaimedStep, error: Exception) -> None:
    try:
        with claimed.report() as writer:
            writer.event("log", {"level": "error", "text": traceback.format_exc(limit=-8)})
    except LeaseLostError:
        return
    except RunCancelledError:
        claimed.release()
        return
    if claimed.step.attempts < settings.STEP_ATTEMPTS:
        claimed.release_after_loss()
        announce_steps([claimed.step])
    else:
        times = f"“{claimed.name}” failed {claimed.step.attempts} times"
        _settle(claimed, f"{times}: {type(error).__name__}: {error}", mendable=True)


def _wait_for_room(claimed: ClaimedStep) -> None:
    """Says what is the matter, once, and leaves the step until forgotten ones are announced."""
    try:
        with claimed.report() as writer:
            if writer.run.message != WAITS_FOR_ROOM:
                writer.progress(message=WAITS_FOR_ROOM)
                writer.event("log", {"level": "error", "text": WAITS_FOR_ROOM})
        claimed.release(announced_at=timezone.now())
    except LeaseLostError:
        return
    except RunCancelledError:
        claimed.release()


def _settle(claimed: ClaimedStep, reason: str, *, mendable: bool, ends_run: bool = False) -> None:
    """Ends a step that failed for good: by its kind's last resort, or by failing the run."""
    last_resort = None if ends_run else registry.kind(claimed.run.kind).last_resort(claimed.kind)
    try:
        with claimed.commit(Step.Status.DONE if last_resort else Step.Status.FAILED) as writer:
            if last_resort is not None:
                last_resort(writer, claimed, reason)
            else:
                writer.fail(reason, mendable=mendable)
    except LeaseLostError:
        logger.warning("the step was settled elsewhere")
    except RunCancelledError:
        claimed.release()
