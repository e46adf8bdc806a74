"""The covariance of two architectures: Matérn 5/2 on warped, scaled features.

    U = X**power / length          one length and one power a column
    q = |U_a - U_b|**2
    k = signal * (1 + sqrt(5 q) + 5 q / 3) * exp(-sqrt(5 q)) + CONSTANT

A categorical gene's columns hold only 0 and 1, which no power moves: its lengths alone say how far each choice is
from the others. An ordinal gene's column gets its power from the data, so doubling the narrowest width may matter
more than doubling the widest one.

Derivatives of the likelihood by lengths and powers pass through U. With H = dE/dq (n, n), symmetric,

    dE/dU = 4 (diag(H 1) U - H U)

is one matrix product for all columns together; the usual way forms d matrices of n x n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

CONSTANT = 1.0  # variance of the unknown mean of z


@dataclass(frozen=True, slots=True)
class Kernel:
    """Matérn 5/2 kernel with one length scale and one input power a feature column."""

    lengths: FloatArray  # (d,)
    powers: FloatArray  # (d,)
    signal: float  # variance

    def embed(self, X: FloatArray) -> FloatArray:
        """Features (n, d) in 0..1 to the scaled coordinates U (n, d)."""
        if np.all(self.powers == 1.0):
            return X / self.lengths
        return np.asarray(X**self.powers / self.lengths)

    def covariance(self, U: FloatArray, V: FloatArray) -> FloatArray:
        """Covariance (n, m) of embedded points U (n, d) and V (m, d)."""
        root = np.sqrt(5.0 * squared_distances(U, V))
        k = np.exp(-root)
        k *= 1.0 + root + root * root / 3.0
        k *= self.signal
        k += CONSTANT
        return k

    @property
    def variance(self) -> float:
        """Prior variance of any one point."""
        return self.signal + CONSTANT


def squared_distances(U: FloatArray, V: FloatArray) -> FloatArray:
    """Squared Euclidean distances (n, m) between the rows of U (n, d) and V (m, d)."""
    q = U @ V.T
    q *= -2.0
    q += np.einsum("ij,ij->i", U, U)[:, None]
    q += np.einsum("ij,ij->i", V, V)[None, :]
    return np.maximum(q, 0.0, out=q)
