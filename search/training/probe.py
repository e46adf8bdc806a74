"""How long a training will take, from a few timed steps of it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from time import perf_counter

import numpy as np

from devices.operators import Layer
from search.training.datasets import Arrays, Dataset, TrainingData
from search.training.networks import build_network
from search.training.recipes import Recipe
from search.training.trainer import Trainer, predict_logits

_WARM_UP = 2


def estimate_seconds(layers: Sequence[Layer], recipe: Recipe, dataset: Dataset, *, steps: int = 6) -> float:
    """Seconds that a training of this network would take in this process, from `steps` timed steps.

    The steps are the trainer's own, on random images of the data set's size. Reading the data set and
    starting a process are not included.
    """
    images = min(recipe.train_images or dataset.train_images, dataset.train_images)
    batch = min(recipe.batch_size, images)
    probe = Trainer(
        build_network(layers, recipe.dropout, seed=0),
        _random_data(dataset, batch * (_WARM_UP + steps), batch),
        Recipe(**(recipe.to_json() | {"epochs": 1, "warmup_epochs": 0, "learning_rate": 1e-6})),
        seed=0,
    )
    ends: list[float] = []
    probe.epoch(lambda: ends.append(perf_counter()))
    ends = ends[: _WARM_UP + steps]  # without the batch that is judged
    step = median(
        later - earlier for earlier, later in zip(ends[_WARM_UP - 1 :], ends[_WARM_UP:], strict=False)
    )
    # The epoch above warmed inference up too.
    judged = _random_arrays(dataset, min(256, dataset.validation_images))
    begun = perf_counter()
    predict_logits(probe.network, probe.preprocessing, judged)
    validation = (perf_counter() - begun) / len(judged) * dataset.validation_images
    validations = -(-recipe.epochs // recipe.validate_every)
    return recipe.epochs * (images // batch) * step + validations * validation


def _random_data(dataset: Dataset, train: int, validation: int) -> TrainingData:
    return TrainingData(dataset, _random_arrays(dataset, train), _random_arrays(dataset, validation))


def _random_arrays(dataset: Dataset, count: int) -> Arrays:
    rng = np.random.default_rng(0)
    shape = (count, dataset.image_size, dataset.image_size, dataset.channels)
    images = rng.integers(0, 256, size=shape, dtype=np.uint8)
    return Arrays(images, rng.integers(0, len(dataset.classes), size=count))
