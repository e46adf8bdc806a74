"""Weights of files that are only timed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PERIOD = 1021  # a prime, so that no row of a matrix repeats the one before it


def patterned(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Random numbers that repeat, scaled as weights of outputs x inputs so that activations stay finite."""
    fan_in = max(int(np.prod(shape[1:])), 1)
    pattern = np.random.default_rng(0).uniform(-1.0, 1.0, PERIOD) * (3.0 / fan_in) ** 0.5
    return np.resize(pattern.astype(np.float32), shape)
