"""Data sets: the built-in ones, and those that people brought."""

from __future__ import annotations

from typing import Any

from search.training import datasets
from search.training.datasets import Dataset


def dataset_of(owner: Any, key: str) -> Dataset:
    """The data set that a predictor of this owner names. Raises ValueError for one that is not there."""
    return datasets.dataset(key)
