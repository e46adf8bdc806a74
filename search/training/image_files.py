"""Readers of image files. Everything is checked before it is believed; nothing is unpickled."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

_UNSIGNED_BYTE = 0x08


def read_idx(path: Path, *, dimensions: int) -> npt.NDArray[np.uint8]:
    """The array in a gzip-compressed IDX file of unsigned bytes.

    Format: two zero bytes, the type, the number of dimensions, each dimension as a big-endian 32-bit integer,
    the values (LeCun, the MNIST database).

    Raises ValueError when the file is not such a file or its length does not fit its header.
    """
    try:
        with gzip.open(path) as file:
            content = file.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path.name} is not a whole gzip file: {error}.") from None
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes((0, 0, _UNSIGNED_BYTE, dimensions)):
        raise ValueError(f"{path.name} is not an IDX file of bytes with {dimensions} dimensions.")
    shape = tuple(int(size) for size in np.frombuffer(content, dtype=">u4", count=dimensions, offset=4))
    if len(content) != header + math.prod(shape):
        raise ValueError(f"{path.name} holds {len(content) - header} values where its header says {shape}.")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape).copy()
