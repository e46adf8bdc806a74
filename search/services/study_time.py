"""How long the trainings of a study will take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from search.models import Predictor
from search.services.training_time import Forecast, pace_of
from search.spaces.scaling import most_baselines
from search.training.datasets import Dataset
from search.training.recipes import Recipe


@dataclass(frozen=True, slots=True)
class StudyForecast:
    """Of the trainings of a study: one to the end, and the seconds of all with every train worker."""

    training: Forecast
    seconds: float
    basis: str


def study_forecast(
    owner: Any, predictor: Predictor, recipe: Recipe, dataset: Dataset, *, limits: int, seeds: int
) -> StudyForecast | None:
    """Of two trainings to the end a limit and seed, after as many trials as there can be with the samples'
    recipe."""
    space = predictor.space.load()
    pace = pace_of(owner, space, dataset)
    if pace is None:
        return None
    training, trial = pace.forecast(recipe, dataset), pace.forecast(predictor.recipe.load(), dataset)
    counts = (2 * limits * seeds, most_baselines(space, limits))
    turns, trials = (-(-count // settings.TRAIN_WORKERS) for count in counts)
    return StudyForecast(training, turns * training.seconds + trials * trial.seconds, pace.basis)
