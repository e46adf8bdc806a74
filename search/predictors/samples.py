"""Samples as arrays, checked once at the door."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def checked_samples(X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """X (n, d) and y (n,) as arrays; ValueError says what is wrong with them and what to do."""
    features = np.array(X, dtype=np.float64)
    accuracies = np.array(y, dtype=np.float64)
    if features.ndim != 2 or accuracies.shape != (len(features),):
        raise ValueError(
            f"Features {features.shape} and accuracies {accuracies.shape} do not belong together."
        )
    if features.shape[1] == 0:
        raise ValueError("A space of one architecture has nothing to predict: it has no feature columns.")
    if len(features) < 2:
        raise ValueError(
            f"A predictor needs at least 2 samples, not {len(features)}: train more architectures."
        )
    for name, finite in (
        ("feature", np.isfinite(features).all(axis=1)),
        ("accuracy", np.isfinite(accuracies)),
    ):
        if not finite.all():
            row = int(np.argmin(finite))
            raise ValueError(f"Sample {row}'s {name} is not a finite number; leave failed trainings out.")
    if features.min() < -1e-9 or features.max() > 1.0 + 1e-9:
        raise ValueError(f"Features must lie in 0..1, not {features.min():g}..{features.max():g}.")
    if all_alike(accuracies):
        raise ValueError(
            f"All {len(accuracies)} accuracies are {accuracies[0]:g}, so nothing can be learned from them. "
            "Look at the recipe, or train more architectures."
        )
    return np.clip(features, 0.0, 1.0), accuracies


def all_alike(accuracies: FloatArray) -> bool:
    """Whether accuracies (n,) are one number but for rounding, so that nothing can be learned from them."""
    return bool(np.ptp(accuracies) <= 1e-12 * max(1.0, float(np.abs(accuracies).max())))
