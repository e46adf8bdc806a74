"""Arrays inside JSON: exact, compact, and read without running anything that is stored."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from search.evolution.arrays import FloatArray, IntArray

BYTES, WORDS, FLOATS = "<u1", "<u4", "<f8"
"""Element types: choice indices in one or four bytes, and scores."""


def pack(array: IntArray | FloatArray) -> dict[str, Any]:
    """An array as a JSON-able dict: floats, NaN and infinity included, or integers of 0 to 2**32 - 1."""
    kind = FLOATS if array.dtype.kind == "f" else BYTES if array.max(initial=0) < 256 else WORDS
    data = base64.b64encode(np.ascontiguousarray(array, dtype=kind).tobytes()).decode("ascii")
    return {"type": kind, "shape": list(array.shape), "data": data}


def unpack_integers(packed: Mapping[str, Any]) -> IntArray:
    """The integers that `pack` wrote. ValueError for another type, or a length not the shape's."""
    return _read(packed, (BYTES, WORDS)).astype(np.int64)


def unpack_floats(packed: Mapping[str, Any]) -> FloatArray:
    """The floats that `pack` wrote. ValueError for another type, or a length not the shape's."""
    return _read(packed, (FLOATS,)).astype(np.float64)


def _read(packed: Mapping[str, Any], kinds: tuple[str, ...]) -> npt.NDArray[Any]:
    if packed["type"] not in kinds:
        raise ValueError(f"A stored array of the type {packed['type']!r} cannot be read")
    flat = np.frombuffer(base64.b64decode(packed["data"], validate=True), dtype=packed["type"])
    if flat.size != math.prod(packed["shape"]):
        raise ValueError(f"A stored array has {flat.size} elements, but its shape is {packed['shape']}")
    return flat.reshape(packed["shape"])
