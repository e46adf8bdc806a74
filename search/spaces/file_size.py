"""How large the exported file of a network will be, before there is one."""

from __future__ import annotations

from devices.operators import Operator

BYTES_PER_NUMBER = 4
BYTES_PER_WEIGHTED = 480
BYTES_PER_OTHER = 130
FILE_BASE = 9_216
"""What a frozen TorchScript archive holds besides the numbers: per operator its code and the zip entries of
its weight and bias, aligned to 64 bytes; per file the structure, the metadata and the space's definition.
Chosen a little too large on networks of both families, so that a file stays below its prediction."""

FILE_SLACK = 0.05
"""Share by which a prediction is at most too large."""


def file_bytes(operator: Operator) -> float:
    """What one operator adds to the exported file, in bytes; the file itself has FILE_BASE besides."""
    numbers = operator.folded_parameters
    return BYTES_PER_NUMBER * numbers + (BYTES_PER_WEIGHTED if numbers else BYTES_PER_OTHER)
