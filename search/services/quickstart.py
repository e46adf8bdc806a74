"""Quick start: the whole chain on this machine, each stage begun when the one before has ended."""

from __future__ import annotations

import math
from typing import Any

from django.db import transaction

from devices.runs.models import Run, Step
from devices.runs.services import start_run
from devices.runs.writing import RunWriter
from devices.services import this_machine
from search.models import QuickStart
from search.services.catalogue import space_for
from search.services.models import start_model
from search.services.predictors import start_predictor
from search.services.problems import latency_range
from search.services.searches import start_search
from search.services.tables import build_table

PRESET: dict[str, Any] = {
    "dataset": "digits",
    "space": "chamnet-mobile-small",
    "recipe": "seconds",
    "final_recipe": "seconds-final",
    "budget": 36,
    "initial": 12,
    "population": 96,
    "generations": 60,
    "confidence": 0.9,
    "seed": 0,
}
STAGES = ("table", "predictor", "search", "model")


@transaction.atomic
def start_quickstart(*, owner: Any, **changes: Any) -> QuickStart:
    """Begins the chain: registers this machine if need be, then table, predictor, search and model.

    `changes` replace entries of PRESET. Raises ValueError for an entry it does not have.
    """
    unknown = sorted(set(changes) - set(PRESET))
    if unknown:
        raise ValueError(f"Quick start has no setting {', '.join(unknown)}; known are {', '.join(PRESET)}.")
    run = start_run(
        owner=owner,
        kind="quickstart",
        title="Quick start",
        first_step="quickstart.advance",
        queue=Step.Queue.LIGHT,
        total=len(STAGES),
    )
    return QuickStart.objects.create(run=run, settings=PRESET | changes)


def begin_next_stage(writer: RunWriter, quickstart: QuickStart) -> None:
    """Starts the first stage that has not begun, from what the stages before it left."""
    choices, owner = quickstart.settings, writer.run.owner
    label = f"{choices['dataset']} {str(writer.run.pk)[:8]}"
    if quickstart.table is None:
        space = space_for(choices["space"], choices["dataset"])
        quickstart.table = build_table(device=this_machine(owner), space=space, parent=writer.run)
    elif quickstart.predictor is None:
        quickstart.predictor = start_predictor(
            owner=owner,
            name=f"Quick start {label}",
            space=space_for(choices["space"], choices["dataset"]),
            parent=writer.run,
            **{name: choices[name] for name in ("dataset", "recipe", "budget", "initial", "seed")},
        )
    elif quickstart.search is None:
        least, greatest = latency_range(
            quickstart.predictor.space.load(), quickstart.table, choices["confidence"]
        )
        quickstart.search = start_search(
            owner=owner,
            name=f"Quick start {label}",
            predictor=quickstart.predictor,
            table=quickstart.table,
            latency_limit_ms=limit_between(least, greatest),
            parent=writer.run,
            **{name: choices[name] for name in ("population", "generations", "confidence", "seed")},
        )
    else:
        quickstart.model = start_model(
            owner=owner,
            network=quickstart.search.candidates.order_by("rank")[0],
            recipe=choices["final_recipe"],
            seed=choices["seed"],
            parent=writer.run,
        )
    quickstart.save()


def limit_between(least_ms: float, greatest_ms: float) -> float:
    """A limit in milliseconds that some networks of a space keep and some do not, in few digits.

    Rounded up: on a busy machine a table may tell all networks to be equally fast, and none must be lost.
    """
    return math.ceil(1000 * math.sqrt(least_ms * greatest_ms)) / 1000


def stage_runs(quickstart: QuickStart) -> list[tuple[str, Run | None]]:
    """The stages in order with their runs, None for those that have not begun."""
    return [
        (stage, getattr(quickstart, stage).run if getattr(quickstart, stage) else None) for stage in STAGES
    ]


def begin_again(writer: RunWriter) -> None:
    """Looks once more how far it is: the stage that failed, if one did, is tried again by then."""
    writer.then("quickstart.advance", "advance:again", Step.Queue.LIGHT, again=True)
