"""A kind of run for these tests, and what its steps do."""

from __future__ import annotations

import errno

from django.db import OperationalError

from devices.runs.models import Run, Step
from devices.runs.registry import RunKind
from devices.runs.steps import ClaimedStep, StepFailedError
from devices.runs.writing import RunWriter

HERE = "tests.devices.runs.toy"
BROKEN = "Broken"
KIND = RunKind(
    name="toy",
    steps={
        "toy.count": f"{HERE}.count",
        "toy.refuse": f"{HERE}.refuse",
        "toy.crash": f"{HERE}.crash",
        "toy.spared": f"{HERE}.crash",
        "toy.full": f"{HERE}.fill_disk",
        "toy.database": f"{HERE}.lose_database",
        "toy.advance": f"{HERE}.advance",
        "toy.fragile": f"{HERE}.hold_or_break",
    },
    keeps="Nothing.",
    can_stop_early=True,
    given_up={"toy.spared": f"{HERE}.spare"},
)


def count(step: ClaimedStep) -> None:
    """One step for each number up to the payload's `to`."""
    number = step.payload["number"]
    with step.commit() as writer:
        writer.event("counted", {"number": number})
        writer.progress(done=number + 1)
        if number + 1 < step.payload["to"]:
            writer.then(
                "toy.count", f"count:{number + 1}", Step.Queue.LIGHT, {**step.payload, "number": number + 1}
            )
        else:
            writer.succeed("Counted.")


def hold_or_break(step: ClaimedStep) -> None:
    """Breaks as long as its run is called broken."""
    if step.run.title == BROKEN:
        raise RuntimeError("it broke")
    with step.commit() as writer:
        writer.succeed("It held.")


def refuse(step: ClaimedStep) -> None:
    raise StepFailedError("There is nothing to count. Give it a number.")


def crash(step: ClaimedStep) -> None:
    raise RuntimeError("out of fingers")


def fill_disk(step: ClaimedStep) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def lose_database(step: ClaimedStep) -> None:
    raise OperationalError("server closed the connection")


def spare(writer: RunWriter, step: ClaimedStep, reason: str) -> None:
    writer.event("spared", {"reason": reason})
    writer.succeed()


def advance(step: ClaimedStep) -> None:
    """Ends as the child has ended."""
    child = Run.objects.get(pk=step.payload["child"])
    with step.commit() as writer:
        writer.event("advanced", {"child": str(child.pk)})
        if child.status == Run.Status.SUCCEEDED:
            writer.succeed()
        else:
            writer.fail_with(child)
