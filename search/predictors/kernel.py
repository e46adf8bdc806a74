"""The covariance of two architectures: Matérn 5/2 on warped, scaled features.

    k = signal * (1 + sqrt(5 q) + 5 q / 3) * exp(-sqrt(5 q)) + CONSTANT,    q = |U_a - U_b|**2

U has a coordinate x / length for every column that holds only 0 and 1, as those of categorical genes do: the
lengths of a gene's columns say how far each of its choices is from the others. A graded column, one that also
holds values between 0 and 1, belongs to an ordinal gene and has two coordinates,

    x**power / length    and    4 x (1 - x) / bend

The power lets the step from the narrowest width matter more (or less) than the step to the widest. The bend
lets the middle be unlike both ends, as when a gene numbers kinds rather than amounts; the prior holds bends
long, so a gene acts in its order unless the data insist.

Derivatives of the likelihood E by all of these pass through U. With H = dE/dq (n, n), symmetric,

    dE/dU = 4 (diag(H 1) U - H U)

is one matrix product for all columns together; the usual way forms an n x n matrix for each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CONSTANT = 1.0  # variance of the unknown mean of z


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """Matérn 5/2 kernel of d feature columns, o of which are graded."""

    lengths: FloatArray  # (d,)
    graded: IntArray  # (o,) their column numbers
    powers: FloatArray  # (o,)
    bends: FloatArray  # (o,)
    signal: float  # variance

    def embed(self, X: FloatArray) -> FloatArray:
        """Features (n, d) in 0..1 to the kernel's coordinates U (n, d + o)."""
        U = X / self.lengths
        if len(self.graded) == 0:
            return U
        x = X[:, self.graded]
        U[:, self.graded] = x**self.powers / self.lengths[self.graded]
        return np.concatenate([U, 4.0 * x * (1.0 - x) / self.bends], axis=1)

    def embedding_gradient(self, X: FloatArray, U: FloatArray, by_U: FloatArray) -> FloatArray:
        """From dE/dU (n, d + o), dE by log lengths, log powers and log bends: (d + 2 o,)."""
        d = X.shape[1]
        by_log_scale = -np.einsum("ij,ij->j", by_U, U)
        x = X[:, self.graded]
        log_x = np.log(x, where=x > 0.0, out=np.zeros_like(x))
        by_powers = np.einsum("ij,ij,ij->j", by_U[:, self.graded], U[:, self.graded], log_x) * self.powers
        return np.concatenate([by_log_scale[:d], by_powers, by_log_scale[d:]])

    def covariance(self, U: FloatArray, V: FloatArray) -> FloatArray:
        """Covariance (n, m) of embedded points U (n, d + o) and V (m, d + o)."""
        return self.covariance_with(U, against(V))

    def covariance_with(self, U: FloatArray, prepared: FloatArray) -> FloatArray:
        """As `covariance`, with `against(V)` for V: what many calls with one V need to work out only once."""
        k = self.matern_with(U, prepared)
        k *= self.signal
        k += CONSTANT
        return k

    def matern_with(self, U: FloatArray, prepared: FloatArray) -> FloatArray:
        """The Matérn correlation (n, m) alone: 1 at distance 0, without signal and constant."""
        root = squared_distances_with(U, prepared)
        root *= 5.0
        np.sqrt(root, out=root)
        polynomial = root / 3.0
        polynomial += 1.0
        polynomial *= root
        polynomial += 1.0
        np.negative(root, out=root)
        polynomial *= np.exp(root, out=root)
        return polynomial

    def matern_and_slope(self, q: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The Matérn part of k and its derivative by q, both of q's shape; q is overwritten."""
        root = np.sqrt(np.multiply(q, 5.0, out=q), out=q)
        decay = np.exp(-root)
        decay *= self.signal
        slope = decay * root
        matern = slope * root
        matern /= 3.0
        slope += decay
        matern += slope
        slope *= -5.0 / 6.0
        return matern, slope

    @property
    def variance(self) -> float:
        """Prior variance of any one point."""
        return self.signal + CONSTANT


def graded_columns(X: FloatArray) -> IntArray:
    """Numbers (o,) of the columns of X (n, d) that hold values between 0 and 1, not only those two."""
    return np.flatnonzero(np.any((X > 0.0) & (X < 1.0), axis=0))


def squared_distances(U: FloatArray, V: FloatArray) -> FloatArray:
    """Squared Euclidean distances (n, m) between the rows of U (n, k) and V (m, k)."""
    return squared_distances_with(U, against(V))


def against(V: FloatArray) -> FloatArray:
    """(k + 2, m): V's half of a product of matrices that gives squared distances to the rows of V (m, k)."""
    return np.concatenate([V.T, np.ones((1, len(V))), np.einsum("ij,ij->i", V, V)[None, :]])


def squared_distances_with(U: FloatArray, prepared: FloatArray) -> FloatArray:
    """Squared Euclidean distances (n, m) of U (n, k), |u|**2 + |v|**2 - 2 u v as one product of matrices."""
    left = np.empty((len(U), U.shape[1] + 2))
    np.multiply(U, -2.0, out=left[:, :-2])
    left[:, -2] = np.einsum("ij,ij->i", U, U)
    left[:, -1] = 1.0
    q = left @ prepared
    return np.maximum(q, 0.0, out=q)
