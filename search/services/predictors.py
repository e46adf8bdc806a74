"""Building accuracy predictors: which architectures are trained, and when it is enough.

Proposal k is asked for when all but the last `in_flight - 1` trainings before it have ended, and is told
exactly those that ended by that rule, not whatever else happened to be ready. So the proposals depend on
the seed and `in_flight` alone, not on which worker was faster, and no worker waits as long as one training
takes no longer than `in_flight - 1` others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from devices.runs.models import Run, Step
from devices.runs.services import start_run
from devices.runs.writing import RunWriter
from search.models import Predictor, Proposal, QualityPoint, Sample, TrainingRecipe
from search.predictors import GaussianProcess, GridView, Sampler, SamplerSettings, with_source
from search.predictors import Proposal as Proposed
from search.services.catalogue import imported_recipe, remember_recipe, remember_space
from search.services.datasets import dataset_of
from search.spaces import Architecture, FloatArray, IntArray, Records, SearchSpace, features

FEWEST_SAMPLES = 3
"""Trained networks without which there is no predictor."""


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
    source: Predictor | None = None,
    parent: Run | None = None,
) -> Predictor:
    """Begins a build: at most `budget` trainings, the first `initial` of them spread by a Sobol sequence.

    It ends before when the cross-validated mean error, 0 to 1, is at most `stop_error`, or after
    `stop_minutes`. A build with the settings of an earlier one and a larger budget continues that one: on as
    many train workers the same networks are proposed, and those that are trained are not trained again.

    `source` is a predictor of another data set or recipe over the same hyperparameters: how high it ranks a
    network becomes one more thing to learn from, so that fewer samples are enough where the two agree.
    """
    known = dataset_of(owner, dataset)
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
        dataset_label=known.label,
        dataset_checksum=known.checksum,
        recipe=remember_recipe(recipe, known),
        source=source,
        seed=seed,
        budget=budget,
        initial=initial,
        stop_error=stop_error,
        stop_minutes=stop_minutes,
        in_flight=settings.TRAIN_WORKERS + 1,
    )


@transaction.atomic
def import_predictor(
    *, owner: Any, name: str, space: SearchSpace, dataset: str, records: Records, origin: str
) -> Predictor:
    """A predictor of architectures that were trained elsewhere, with their accuracies as shares of 1.

    `origin` says where they come from; equal files under it share their samples.
    """
    recipe, space_row = imported_recipe(origin, records), remember_space(space)
    Sample.objects.bulk_create(
        (
            Sample(
                owner=owner,
                space=space_row,
                dataset=dataset,
                recipe=recipe,
                seed=0,
                architecture_id=Architecture(space, tuple(genes)).id,
                genes=genes,
                status=Sample.Status.SUCCEEDED,
                accuracy=accuracy,
            )
            for genes, accuracy in zip(records.genes.tolist(), records.values.tolist(), strict=True)
        ),
        ignore_conflicts=True,  # the same file was imported before
    )
    rows = Sample.objects.filter(owner=owner, space=space_row, dataset=dataset, recipe=recipe).order_by("pk")
    return _fit_to(
        list(rows),
        owner=owner,
        name=name,
        origin=Predictor.Origin.IMPORTED,
        reason=f"Imported: {origin}",
        recipe=recipe,
    )


@transaction.atomic
def refit_predictor(predictor: Predictor) -> Predictor:
    """The next version of a predictor: fitted to every sample there is of its space, data set and recipe.

    It has the name with the next free number. Of an architecture trained with several seeds the first sample
    counts. Raises ValueError when there are none besides its own.
    """
    rows = list({sample.architecture_id: sample for sample in alike_samples(predictor)}.values())
    if len(rows) <= predictor.proposals.filter(sample__status=Sample.Status.SUCCEEDED).count():
        raise ValueError(f"There are no samples that “{predictor.name}” does not know.")
    return _fit_to(
        rows,
        owner=predictor.owner,
        name=_next_name(predictor),
        origin=Predictor.Origin.REFITTED,
        reason="Trained already, under the same recipe.",
        recipe=predictor.recipe,
        source=predictor.source,
    )


def _next_name(predictor: Predictor) -> str:
    names = set(Predictor.objects.owned_by(predictor.owner).values_list("name", flat=True))
    numbered = (f"{predictor.name[:70]} ({number})" for number in range(2, len(names) + 3))
    return next(name for name in numbered if name not in names)


def alike_samples(predictor: Predictor) -> Any:
    """The trained samples of the predictor's owner, space, data set and recipe, whoever asked for them."""
    return Sample.objects.filter(
        owner=predictor.owner_id,
        space=predictor.space_id,
        dataset=predictor.dataset,
        recipe=predictor.recipe_id,
        status=Sample.Status.SUCCEEDED,
    ).order_by("-seed", "-pk")


def _fit_to(
    samples: Sequence[Sample],
    *,
    owner: Any,
    name: str,
    origin: str,
    reason: str,
    recipe: TrainingRecipe,
    source: Predictor | None = None,
) -> Predictor:
    """A predictor whose samples are all there: its only step is the fit."""
    first, count = samples[0], len(samples)
    run = start_run(
        owner=owner,
        kind="predictor",
        title=f"Accuracy predictor “{name}”",
        first_step="predictor.fit",
        queue=Step.Queue.LIGHT,
        total=count,
    )
    known = dataset_of(first.owner, first.dataset)
    predictor = Predictor.objects.create(
        owner=owner,
        run=run,
        name=name,
        origin=origin,
        source=source,
        space=first.space,
        dataset=first.dataset,
        dataset_label=known.label,
        dataset_checksum=known.checksum,
        recipe=recipe,
        seed=0,
        budget=count,
        initial=count,
        in_flight=1,
    )
    Proposal.objects.bulk_create(
        Proposal(predictor=predictor, index=index, sample=sample, chosen_for="given", reason=reason)
        for index, sample in enumerate(samples)
    )
    return predictor


def ask(predictor: Predictor, space: SearchSpace, proposals: Sequence[Proposal]) -> Proposed | None:
    """The sampler's next proposal after `proposals`; None when the space has no other architecture."""
    known = len(proposals) - predictor.in_flight + 1
    sampler = Sampler(view(predictor), SamplerSettings(seed=predictor.seed, initial=predictor.initial))
    for proposal in proposals[: max(known, 0)]:
        sampler.tell(proposal.sample.genes, proposal.sample.accuracy)
    pending = [proposal.sample.genes for proposal in proposals[max(known, 0) :]]
    return sampler.ask(np.array(pending, dtype=np.int64).reshape(len(pending), len(space.genes)))


def view(predictor: Predictor) -> GridView:
    """The space as the sampler sees it; its cost is the number of multiply-adds, which is nobody's device."""
    space = predictor.space.load()
    multiply_adds = space.compile(lambda operator: float(operator.multiply_adds))
    return GridView(
        cardinalities=space.shape,
        canonical=space.canonical,
        features=predictor_features(predictor),
        cost=multiply_adds,
    )


def predictor_features(predictor: Predictor) -> Callable[[IntArray], FloatArray]:
    """What a predictor learns from: features (n, d) of a population (n, g).

    They are those of the genes, and its source's opinion if it has one.
    """
    own = partial(features, predictor.space.load())
    if (source := predictor.source) is None:
        return own
    return with_source(own, predictor_model(source), predictor_features(source))


def predictor_model(predictor: Predictor) -> GaussianProcess:
    """The fitted Gaussian process. Raises ValueError for a predictor that is not built to the end."""
    if predictor.fitted is None:
        raise ValueError(f"“{predictor.name}” is not built to the end yet.")
    genes, accuracies = training_set(predictor)
    return GaussianProcess.from_json(predictor.fitted, predictor_features(predictor)(genes), accuracies)


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


def begin_again(writer: RunWriter) -> None:
    """Has networks trained again whose training failed, where it was the fit that lacked them.

    Samples that another build waits for as they are stay so.
    """
    predictor: Predictor = writer.run.predictor
    unfitted = writer.run.steps.filter(name="predictor.fit", status=Step.Status.FAILED)
    if not unfitted.exists():
        return
    elsewhere = Predictor.objects.filter(run__in=Run.objects.unfinished()).exclude(pk=predictor.pk)
    failed = lost_proposals(predictor).exclude(sample__proposals__predictor__in=elsewhere)
    names = [f"train:{index}" for index in failed.values_list("index", flat=True)]
    if not names:
        return
    Sample.objects.filter(pk__in=failed.values("sample")).update(status=Sample.Status.WAITING, reason="")
    writer.redo(writer.run.steps.filter(name__in=names))
    unfitted.delete()  # it is added when the last of them has ended


def lost_proposals(predictor: Predictor) -> QuerySet[Proposal]:
    """Its proposals whose training failed and can be done again: no other predictor was fitted without it.

    What a predictor was fitted to is what succeeded of its samples, which must stay as they are from then on.
    """
    fitted = Predictor.objects.usable().exclude(pk=predictor.pk)
    failed = predictor.proposals.filter(sample__status=Sample.Status.FAILED)
    return failed.exclude(sample__proposals__predictor__in=fitted)


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
