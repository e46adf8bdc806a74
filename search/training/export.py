"""A trained network as a frozen TorchScript file that carries what its user needs."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from devices.profiling.torchscript import freeze, save
from search.training.batches import Preprocess
from search.training.datasets import Dataset
from search.training.networks import Network, fold
from search.training.preprocessing import Preprocessing

EXTRA_FILES = (
    "classes.json",
    "preprocessing.json",
    "architecture.json",
    "versions.json",
    "metrics.json",
)


def export_torchscript(
    network: Network,
    path: Path,
    *,
    preprocessing: Preprocessing,
    dataset: Dataset,
    architecture: Mapping[str, Any],
    metrics: Mapping[str, Any] | None = None,
) -> str:
    """Fold, freeze and write the network; the file's SHA-256 in hexadecimal.

    The file's module takes images (n, channels, height, width) float32 in 0..1, of any size, and gives logits
    (n, classes): resizing and normalising are part of it, so that nobody can get them wrong. Its extra files
    are EXTRA_FILES; `architecture` and `metrics` are JSON types.
    """
    example = torch.rand(1, dataset.channels, dataset.image_size, dataset.image_size)
    module = freeze(nn.Sequential(Preprocess(preprocessing), fold(network)), example)
    contents: dict[str, Any] = {
        "classes.json": dataset.classes,
        "preprocessing.json": preprocessing.to_json(),
        "architecture.json": dict(architecture),
        "versions.json": versions(),
        "metrics.json": dict(metrics or {}),
    }
    save(module, path, {name: json.dumps(contents[name]) for name in EXTRA_FILES})
    return sha256_of(path)


def versions() -> dict[str, str]:
    """Versions of what made a file."""
    return {"python": platform.python_version(), "torch": str(torch.__version__), "numpy": np.__version__}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
