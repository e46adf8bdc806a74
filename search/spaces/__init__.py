"""Search spaces: hyperparameters, the networks that they shape, and the way from genes to operators."""

from __future__ import annotations

from search.spaces.architecture import Architecture
from search.spaces.blueprint import Layout
from search.spaces.compilation import CompiledCost
from search.spaces.description import describe
from search.spaces.features import features
from search.spaces.file_size import FILE_BASE, FILE_SLACK, file_bytes
from search.spaces.gene import FloatArray, Gene, IntArray
from search.spaces.presets import PRESETS, Preset, preset, span
from search.spaces.records import (
    ACCURACY_UNITS,
    ENERGY_UNITS,
    LATENCY_UNITS,
    Records,
    RecordsError,
    read_records,
)
from search.spaces.space import SearchSpace
from search.spaces.spread import spanning_networks

__all__ = [
    "ACCURACY_UNITS",
    "ENERGY_UNITS",
    "FILE_BASE",
    "FILE_SLACK",
    "LATENCY_UNITS",
    "PRESETS",
    "Architecture",
    "CompiledCost",
    "FloatArray",
    "Gene",
    "IntArray",
    "Layout",
    "Preset",
    "Records",
    "RecordsError",
    "SearchSpace",
    "describe",
    "features",
    "file_bytes",
    "preset",
    "read_records",
    "span",
    "spanning_networks",
]
