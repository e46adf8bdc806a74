"""Building accuracy predictors: which architectures are trained, and when it is enough.

Proposal k is asked for when all but the last `in_flight - 1` trainings before it have ended, and is told
exactly those that ended by that rule, not whatever else happened to be ready. So the proposals depend on
the seed and `in_flight` alone, not on which worker was faster, and no worker waits as long as one training
takes no longer than `in_flight - 1` others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction

from devices.runs.models import Run, Step
from devices.runs.services import start_run
from devices.runs.writing import RunWriter
from search.models import Predictor, Proposal, QualityPoint, Sample
from search.predictors import GridView, Sampler, SamplerSettings
from search.predictors import Proposal as Proposed
from search.services.catalogue import remember_recipe, remember_space
from search.spaces import Architecture, SearchSpace, features


@transaction.atomic
def start_predictor(
    *,
    owner: Any,
    name: str,
    space: SearchSpace,
    dataset: str,
    recipe: str,
    budget: int,
    initial: int,
    seed: int,
    stop_error: float | None = None,
    stop_minutes: int | None = None,
    parent: Run | None = None,
) -> Predictor:
    """Begins a build: at most `budget` trainings, the first `initial` of them spread by a Sobol sequence.

    It ends before when the cross-validated mean error, 0 to 1, is at most `stop_error`, or after
    `stop_minutes`. A build with the settings of an earlier one and a larger budget continues that one: on as
    many train workers the same networks are proposed, and those that are trained are not trained again.
    """
    run = start_run(
        owner=owner,
        kind="predictor",
        title=f"Accuracy predictor “{name}”",
        first_step="predictor.propose",
        queue=Step.Queue.LIGHT,
        payload={"index": 0},
        total=budget,
        parent=parent,
    )
    return Predictor.objects.create(
        owner=owner,
        run=run,
        name=name,
        space=remember_space(space),
        dataset=dataset,
        recipe=remember_recipe(recipe),
        seed=seed,
        budget=budget,
        initial=initial,
        stop_error=stop_error,
        stop_minutes=stop_minutes,
        in_flight=settings.TRAIN_WORKERS + 1,
    )


def ask(predictor: Predictor, space: SearchSpace, proposals: Sequence[Proposal]) -> Proposed | None:
    """The sampler's next proposal after `proposals`; None when the space has no other architecture."""
    known = len(proposals) - predictor.in_flight + 1
    sampler = Sampler(view(space), SamplerSettings(seed=predictor.seed, initial=predictor.initial))
    for proposal in proposals[: max(known, 0)]:
        sampler.tell(proposal.sample.genes, proposal.sample.accuracy)
    pending = [proposal.sample.genes for proposal in proposals[max(known, 0) :]]
    return sampler.ask(np.array(pending, dtype=np.int64).reshape(len(pending), len(space.genes)))


def view(space: SearchSpace) -> GridView:
    """The space as the sampler sees it; its cost is the number of multiply-adds, which is nobody's device."""
    multiply_adds = space.compile(lambda operator: float(operator.multiply_adds))
    return GridView(
        cardinalities=space.shape,
        canonical=space.canonical,
        features=lambda population: features(space, population),
        cost=multiply_adds,
    )


def record_proposal(
    writer: RunWriter, predictor: Predictor, space: SearchSpace, proposed: Proposed
) -> Proposal:
    """Writes a proposal with its sample and, unless that is already trained, the step that trains it."""
    index = predictor.proposals.count()
    architecture = Architecture(space, proposed.genes)
    sample, _ = Sample.objects.get_or_create(
        owner=predictor.owner,
        space=predictor.space,
        dataset=predictor.dataset,
        recipe=predictor.recipe,
        seed=predictor.seed,
        architecture_id=architecture.id,
        defaults={"genes": list(proposed.genes)},
    )
    proposal = Proposal.objects.create(
        predictor=predictor,
        index=index,
        sample=sample,
        chosen_for=proposed.chosen_for,
        reason=proposed.reason,
        predicted=proposed.mean,
        deviation=proposed.std,
    )
    writer.event(
        "sample.proposed",
        {
            "index": index,
            "chosen_for": proposed.chosen_for,
            "reason": proposed.reason,
            "predicted": proposed.mean,
            "deviation": proposed.std,
            "architecture": architecture.id,
        },
    )
    writer.then("predictor.train", f"train:{index}", Step.Queue.TRAIN, {"index": index})
    return proposal


def record_training(writer: RunWriter, proposal: Proposal, result: dict[str, Any]) -> None:
    """Writes a training's result into its sample, unless somebody else's identical training was first."""
    Sample.objects.filter(
        pk=proposal.sample_id, status__in=[Sample.Status.WAITING, Sample.Status.TRAINING]
    ).update(**result)
    sample = proposal.sample
    sample.refresh_from_db()
    writer.event(
        "sample.finished",
        {
            "index": proposal.index,
            "status": sample.status,
            "accuracy": sample.accuracy,
            "seconds": sample.seconds,
            "failure": sample.reason,
        },
    )


def go_on(writer: RunWriter, predictor: Predictor) -> None:
    """Adds whatever the build needs next. Called as the last thing of every step of a build."""
    statuses = list(predictor.proposals.order_by("index").values_list("sample__status", flat=True))
    finished = [status in (Sample.Status.SUCCEEDED, Sample.Status.FAILED) for status in statuses]
    asked, ended = len(finished), sum(finished)
    writer.progress(
        done=ended, total=predictor.budget, message=f"{ended} of {predictor.budget} networks trained"
    )
    if asked >= predictor.budget or writer.run.stop_requested:
        if ended == asked:
            writer.then("predictor.fit", "predictor.fit", Step.Queue.LIGHT)
    elif all(finished[: max(asked - predictor.in_flight + 1, 0)]):
        writer.then("predictor.propose", f"propose:{asked}", Step.Queue.LIGHT, {"index": asked})


def reason_to_stop(predictor: Predictor, run: Run, latest: QualityPoint | None) -> str | None:
    """Why a build has enough before its budget is used up, as a sentence; None where it has not."""
    if predictor.stop_error is not None and latest is not None and latest.mae <= predictor.stop_error:
        return f"The mean error of {100 * latest.mae:.2f} points is small enough."
    if predictor.stop_minutes is not None and (run.seconds or 0.0) >= 60 * predictor.stop_minutes:
        return f"The {predictor.stop_minutes} minutes are over."
    return None


def training_set(predictor: Predictor, first: int | None = None) -> tuple[Any, Any]:
    """Genes (n, g) and accuracies (n,) of the trained samples among the first `first` proposals."""
    rows = [
        (proposal.sample.genes, proposal.sample.accuracy)
        for proposal in predictor.proposals.select_related("sample").order_by("index")[:first]
        if proposal.sample.status == Sample.Status.SUCCEEDED
    ]
    genes = np.array([row[0] for row in rows], dtype=np.int64)
    return genes, np.array([row[1] for row in rows], dtype=np.float64)
