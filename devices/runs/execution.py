"""Doing one step, and what happens when it fails."""

from __future__ import annotations

import logging
import traceback
from datetime import timedelta
from typing import cast
from uuid import UUID

from django.conf import settings

from devices.runs import registry
from devices.runs.announce import announce_steps
from devices.runs.models import Run, Step
from devices.runs.steps import ClaimedStep, LeaseLostError, RunCancelledError, StepFailedError, claim

logger = logging.getLogger(__name__)

ANNOUNCE_AGAIN_AFTER = timedelta(seconds=30)


def execute(step_id: int) -> bool:
    """Claims the step and does it. False when there was nothing to claim; never raises for a failed step."""
    claimed = claim(step_id)
    if claimed is None:
        return False
    logger.info("run %s: step %s begins", claimed.run.pk, claimed.name)
    try:
        registry.kind(claimed.run.kind).handler(claimed.kind)(claimed)
    except LeaseLostError:
        logger.warning("run %s: step %s was taken over by another worker", claimed.run.pk, claimed.name)
    except RunCancelledError:
        logger.info("run %s: step %s ends, the run is cancelled", claimed.run.pk, claimed.name)
        claimed.release()
    except StepFailedError as error:
        _settle(claimed, str(error), mendable=error.mendable)
    except Exception as error:
        logger.exception("run %s: step %s failed", claimed.run.pk, claimed.name)
        _try_again_or_settle(claimed, error)
    return True


def sweep() -> int:
    """Returns expired leases, settles steps that keep losing them, announces forgotten steps.

    Returns the number of steps it touched. Safe to run at any moment, any number of times at once.
    """
    touched = 0
    for step in Step.objects.expired().select_related("run"):
        claimed = ClaimedStep(step, cast("UUID", step.token))  # what is leased has a token
        if step.run.status == Run.Status.SUCCEEDED:
            step.delete()
        elif step.run.is_final:
            claimed.release()
        elif step.attempts >= settings.STEP_ATTEMPTS:
            reason = f"The worker was lost {step.attempts} times while doing “{step.name}”."
            _settle(claimed, reason, mendable=True)
        else:
            claimed.release_after_loss()
            announce_steps([step])
        touched += 1
    forgotten = list(Step.objects.unannounced(ANNOUNCE_AGAIN_AFTER))
    announce_steps(forgotten)
    return touched + len(forgotten)


def release_all() -> int:
    """Gives every leased step back at once: for a start at which no worker can be alive."""
    return Step.objects.filter(status=Step.Status.LEASED).update(
        status=Step.Status.READY, token=None, lease_expires_at=None, announced_at=None
    )


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


def _settle(claimed: ClaimedStep, reason: str, *, mendable: bool) -> None:
    """Ends a step that failed for good: by its kind's last resort, or by failing the run."""
    last_resort = registry.kind(claimed.run.kind).last_resort(claimed.kind)
    try:
        with claimed.commit(Step.Status.DONE if last_resort else Step.Status.FAILED) as writer:
            if last_resort is not None:
                last_resort(writer, claimed, reason)
            else:
                writer.fail(reason, mendable=mendable)
    except LeaseLostError:
        logger.warning("run %s: step %s was settled elsewhere", claimed.run.pk, claimed.name)
    except RunCancelledError:
        claimed.release()
