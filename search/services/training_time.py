"""How long a training will take, from what earlier ones of the same space and data set took.

What is measured of a training is its seconds for one image in one epoch. For a network of m multiply-adds
these are about a + b m: something for every image whatever the network, and the arithmetic. Three trainings
are enough for both; with fewer they are taken to be proportional to m. A few timed steps stand in for
trainings where there was none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Count, Q, Sum

from devices.runs.models import Run
from search.models import Baseline, Candidate, Probe, Sample, TrainedModel
from search.services.catalogue import known_recipes
from search.services.datasets import dataset_of
from search.services.probes import probed_networks
from search.spaces import Architecture, SearchSpace
from search.training.datasets import Dataset
from search.training.recipes import Recipe

NEWEST_SAMPLES, NEWEST_MODELS = 60, 20
FEWEST_FOR_BOTH = 3


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds of a training, and the range that the spread of the earlier ones leaves."""

    seconds: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of an image in an epoch: `fixed` + `per_multiply_add` m; `least` and `most` are shares of that.

    typical: multiply-adds in the middle of what was trained. basis: what it was found from, as a sentence.
    """

    fixed: float
    per_multiply_add: float
    least: float
    most: float
    typical: float
    basis: str

    def forecast(self, recipe: Recipe, dataset: Dataset, multiply_adds: float | None = None) -> Forecast:
        """Of a training of a network, by default of the typical one."""
        size = self.typical if multiply_adds is None else multiply_adds
        seconds = image_epochs(recipe, dataset) * (self.fixed + self.per_multiply_add * size)
        return Forecast(seconds, self.least * seconds, self.most * seconds)


def image_epochs(recipe: Recipe, dataset: Dataset) -> int:
    """How often an image is shown in a training."""
    return recipe.epochs * min(recipe.train_images or dataset.train_images, dataset.train_images)


def pace_of(owner: Any, space: SearchSpace, dataset: Dataset) -> Pace | None:
    """From trainings of the owner's, else from timed steps; None where there were neither. Three queries."""
    known = [*_sample_rates(owner, space, dataset), *_model_rates(owner, space, dataset)]
    if known:
        several = f"{len(known)} earlier trainings" if len(known) > 1 else "one earlier training"
        return fitted(known, f"From {several} of this space on this data set.")
    return _probed_pace(owner, space, dataset)


def fitted(known: Sequence[tuple[float, float]], basis: str) -> Pace:
    """The pace that multiply-adds and seconds of an image in an epoch follow."""
    sizes, rates = (np.array(column, dtype=np.float64) for column in zip(*known, strict=True))
    fixed, slope = 0.0, float(np.median(rates / sizes))
    if len(np.unique(sizes)) >= FEWEST_FOR_BOTH:
        line, *_ = np.linalg.lstsq(np.stack([np.ones_like(sizes), sizes], axis=1), rates, rcond=None)
        if line[1] <= 0.0:  # larger networks were not slower: the images are what takes time
            fixed, slope = float(np.median(rates)), 0.0
        elif line[0] > 0.0:
            fixed, slope = float(line[0]), float(line[1])
    shares = rates / (fixed + slope * sizes)
    least, most = np.quantile(shares, [0.1, 0.9])
    return Pace(fixed, slope, min(float(least), 1.0), max(float(most), 1.0), float(np.median(sizes)), basis)


def _sample_rates(owner: Any, space: SearchSpace, dataset: Dataset) -> list[tuple[float, float]]:
    rows = Sample.objects.filter(
        owner=owner, space=space.id, dataset=dataset.name, status=Sample.Status.SUCCEEDED, seconds__gt=0.0
    )
    return [
        (
            Architecture(space, tuple(row.genes)).multiply_adds,
            row.seconds / image_epochs(row.recipe.load(), dataset),
        )
        for row in rows.select_related("recipe").order_by("-pk")[:NEWEST_SAMPLES]
        if row.seconds is not None
    ]


def _model_rates(owner: Any, space: SearchSpace, dataset: Dataset) -> list[tuple[float, float]]:
    """Of final trainings, by the epochs that they have done."""
    of_candidate = Q(
        candidate__search__predictor__space=space.id, candidate__search__predictor__dataset=dataset.name
    )
    of_baseline = Q(
        baseline__study__predictor__space=space.id, baseline__study__predictor__dataset=dataset.name
    )
    rows = TrainedModel.objects.filter(of_candidate | of_baseline, owner=owner)
    rows = rows.annotate(taken=Sum("epochs__seconds"), done=Count("epochs")).filter(done__gt=0)
    rows = rows.select_related("recipe", "candidate", "baseline").defer("results", "versions")
    found = []
    for row in rows.order_by("-created_at")[:NEWEST_MODELS]:
        recipe: Recipe = row.recipe.load()
        shown = image_epochs(recipe, dataset) * row.done / recipe.epochs
        found.append((float(row.network.multiply_adds), row.taken / shown))
    return found


def _probed_pace(owner: Any, space: SearchSpace, dataset: Dataset) -> Pace | None:
    rows = Probe.objects.owned_by(owner).filter(space=space.id, dataset=dataset.name).exclude(seconds=None)
    probe = rows.select_related("recipe").order_by("-pk").first()
    if probe is None or not probe.seconds:
        return None
    sizes = [Architecture(space, tuple(genes)).multiply_adds for genes in probed_networks(space)]
    typical = float(np.mean(sizes))
    rate = probe.seconds / image_epochs(probe.recipe.load(), dataset)
    least, most = (
        (end or probe.seconds) / probe.seconds for end in (probe.least_seconds, probe.most_seconds)
    )
    basis = f"From a few timed training steps of {len(sizes)} networks of this space."
    return Pace(0.0, rate / typical, least, most, typical, basis)


def model_forecast(
    owner: Any, network: Candidate | Baseline, recipe: Recipe, dataset: Dataset
) -> Forecast | None:
    """Of the final training of a network; None where nothing is known."""
    pace = pace_of(owner, network.predictor.space.load(), dataset)
    return None if pace is None else pace.forecast(recipe, dataset, network.multiply_adds)


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What a network's final training would take by recipe; `is_being_timed`: timed steps are under way."""

    by_recipe: dict[str, Forecast]
    basis: str
    is_being_timed: bool


def forecasts_by_recipe(owner: Any, candidate: Candidate) -> Forecasts:
    """By the recipes' names in forms; none where nothing is known, or the data set is gone."""
    predictor = candidate.predictor
    space = predictor.space.load()
    try:
        known = dataset_of(owner, predictor.dataset)
    except ValueError:
        return Forecasts({}, "", is_being_timed=False)
    pace = pace_of(owner, space, known)
    if pace is None:
        timed = Probe.objects.owned_by(owner).filter(space=space.id, dataset=known.name)
        return Forecasts({}, "", timed.filter(run__in=Run.objects.unfinished()).exists())
    found = {
        name: pace.forecast(recipe, known, candidate.multiply_adds)
        for name, recipe in known_recipes(owner, known).items()
    }
    return Forecasts(found, pace.basis, is_being_timed=False)
