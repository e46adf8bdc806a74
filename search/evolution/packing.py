"""Arrays inside JSON: exact, compact, and read without running anything that is stored."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from search.evolution.arrays import FloatArray, IntArray

TYPES = ("<u1", "<u4", "<f8")
"""The element types that may be read: choice indices in one or four bytes, scores."""


def pack(array: IntArray | FloatArray) -> dict[str, Any]:
    """An array of scores, or of non-negative integers below 2**32, as a JSON-able dict; NaN and infinity survive."""
    kind = TYPES[2] if array.dtype.kind == "f" else TYPES[0] if array.max(initial=0) < 256 else TYPES[1]
    data = base64.b64encode(np.ascontiguousarray(array, dtype=kind).tobytes()).decode("ascii")
    return {"type": kind, "shape": list(array.shape), "data": data}


def unpack(packed: Mapping[str, Any]) -> IntArray | FloatArray:
    """The array that `pack` wrote. Raises ValueError for another element type or a length that is not the shape's."""
    if packed["type"] not in TYPES:
        raise ValueError(f"A stored array of the type {packed['type']!r} cannot be read")
    flat = np.frombuffer(base64.b64decode(packed["data"], validate=True), dtype=packed["type"])
    if flat.size != math.prod(packed["shape"]):
        raise ValueError(f"A stored array has {flat.size} elements, but its shape is {packed['shape']}")
    return flat.reshape(packed["shape"]).astype(np.float64 if packed["type"] == TYPES[2] else np.int64)
