"""A small data set that a small network learns in a moment, and small networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from devices.operators import Layer
from search.spaces import preset
from search.training.datasets import Arrays, Dataset, TrainingData
from search.training.networks import Network, build_network
from search.training.recipes import Recipe

STRIPES = Dataset(
    name="stripes",
    label="Stripes",
    classes=("lying", "standing", "leaning"),
    image_size=8,
    channels=1,
    train_images=96,
    validation_images=48,
    test_images=48,
    checksum="5" * 64,
    origin="Drawn for these tests.",
)


def stripes(count: int, seed: int, *, channels: int = 1) -> Arrays:
    """Noisy stripes of three directions, as many of each."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 3
    down, across = np.mgrid[:8, :8]
    patterns = np.stack([down % 4 < 2, across % 4 < 2, (down + across) % 4 < 2])
    images = patterns[labels][..., None] * 160 + rng.integers(0, 80, size=(count, 8, 8, channels))
    return Arrays(images.astype(np.uint8), labels)


def stripes_data() -> TrainingData:
    return TrainingData(STRIPES, stripes(96, seed=1), stripes(48, seed=2))


def small_layers(
    space: str = "chamnet-mobile-small", *, channels: int = 1, **values: int
) -> tuple[Layer, ...]:
    """The smallest network of a small preset with three classes, but for the values given."""
    small = preset(space, classes=3, in_channels=channels)
    smallest = {gene.name: gene.choices[0] for gene in small.genes}
    return small.lower(small.encode(smallest | values))


def small_network(seed: int = 0, *, dropout: float = 0.0, **values: int) -> Network:
    return build_network(small_layers("chamnet-mobile-small", channels=1, **values), dropout, seed=seed)


def quick_recipe(**changes: Any) -> Recipe:
    """Three epochs of six steps."""
    return Recipe(**({"epochs": 3, "learning_rate": 0.1, "batch_size": 16, "warmup_epochs": 0.5} | changes))
