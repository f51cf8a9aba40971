"""Cases that share a document, a user or a template move together, so they count as one unit.

Invariant: sums over clusters equal sums over cases, and a cluster for every case is no clustering at all.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """Per cluster: the sum of its values and the number of its cases, both float64 of shape (G,)."""

    sums: Floats
    sizes: Floats

    @property
    def count(self) -> int:
        """G, the number of clusters."""
        return len(self.sums)

    @property
    def effective(self) -> float:
        """The number of equally large clusters worth as much: (sum n)^2 / sum n^2 (Kish 1965, section 8.2)."""
        return float(self.sizes.sum() ** 2 / (self.sizes**2).sum())

    @property
    def mean(self) -> float:
        """The mean over cases, not over clusters."""
        return float(self.sums.sum() / self.sizes.sum())


def cluster_codes(clusters: Sequence[Hashable] | NDArray[Any]) -> Codes:
    """Each case's cluster as a number 0..G-1; equal labels get equal numbers."""
    if isinstance(clusters, np.ndarray):
        return np.unique(clusters, return_inverse=True)[1].astype(np.intp)
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(label, len(known)) for label in clusters], dtype=np.intp)


def cluster_sums(values: Floats, codes: Codes | None) -> ClusterSums:
    """Sums per cluster; without `codes` every case is a cluster of one."""
    if codes is None:
        return ClusterSums(values, np.ones(len(values)))
    sums, sizes = np.bincount(codes, weights=values), np.bincount(codes)
    return ClusterSums(np.asarray(sums, np.float64), np.asarray(sizes, np.float64))


def as_values(values: Sequence[float] | NDArray[Any]) -> Floats:
    """One-dimensional float64; raises `ValueError` for other shapes, NaN or infinity."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"values must be one-dimensional, not of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("values must be finite numbers")
    return array


def as_codes(clusters: Sequence[Hashable] | NDArray[Any] | None, n: int) -> Codes | None:
    """Codes of the clusters, or None where there are none or each case is its own."""
    if clusters is None:
        return None
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} clusters for {n} values")
    codes = cluster_codes(clusters)
    return codes if n and int(codes.max()) + 1 < n else None
