"""Many candidates against one incumbent: one sign-flip test for all of them, adjusted for how they move together.

T_k = sum of d_k / sqrt(sum of d_k²), the same cases (or whole clusters) flipped for every candidate k, and each |T_k|
compared with the largest over all k (Westfall and Young 1993; max-T with one step). If the differences of the
candidates that are no better are jointly as likely with either sign, P(any of those is called different) <= alpha,
whatever the others do and however they correlate. One step, not step-down: then an interval can agree with its verdict.
Invariant: `p <= alpha` exactly where the interval excludes zero. Proved by the family-wise error in a shared-incumbent
null and by power against Holm and Bonferroni: `tests/oracles/test_permutations.py`.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.stats.clusters import Floats, as_codes, cluster_sums
from assay.stats.interval import Interval
from assay.stats.signflip import EXACT_UNITS, sign_patterns


@dataclass(frozen=True, slots=True)
class MaxT:
    """Per candidate the adjusted p-value and the simultaneous interval: all K intervals hold their truths together with
    probability `1 - alpha`. `critical` is what |T| must exceed; infinite where nothing can be rejected."""

    p: tuple[float, ...]
    intervals: tuple[Interval, ...]
    critical: float


def max_t(
    differences: Sequence[Sequence[float]] | NDArray[Any],
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    alpha: float = 0.05,
    *,
    draws: int = 10_000,
    seed: int = 0,
) -> MaxT:
    """Adjusted two-sided p-values and simultaneous intervals of K candidates; `differences[k, i]` is candidate k minus
    incumbent on case i, shape (K, n).

    All 2**G patterns for up to 14 units, else `draws` of them with p = (1 + hits)/(draws + 1). The interval of k holds
    every centre m with |T_k(m)| up to the critical value, T_k(m) being T of the differences less m. That value is the
    larger of two: of the flipped differences themselves, which makes the test exact, and of the flipped deviations from
    their means, because strong effects make candidates look more alike than their errors are. A candidate whose
    differences are all zero has p = 1 and no interval. Raises `ValueError` for values not finite or of another shape.
    """
    matrix = _matrix(differences)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    codes = as_codes(clusters, matrix.shape[1])
    groups = [cluster_sums(row, codes) for row in matrix]
    sums = np.stack([group.sums for group in groups])
    sizes = groups[0].sizes
    means = sums.sum(axis=1) / sizes.sum()
    seen = np.abs(_studentised(sums))
    largest, residual, patterns = _largest(sums, sums - means[:, None] * sizes, draws=draws, seed=seed)
    reach = seen * (1 - 1e-9)  # what is equal in exact arithmetic must count as equal
    extra = patterns - len(largest)
    counts = np.maximum((largest[:, None] >= reach).sum(axis=0), (residual[:, None] >= reach).sum(axis=0)) + extra
    p = np.where(seen > 0, np.minimum(counts / patterns, 1.0), 1.0)
    critical = max(_critical(largest, alpha, extra, patterns), _critical(residual, alpha, extra, patterns))
    return MaxT(
        tuple(float(value) for value in p),
        tuple(
            _interval(row, sizes, critical=critical, alpha=alpha, rejected=bool(value <= alpha))
            for row, value in zip(sums, p, strict=True)
        ),
        critical,
    )


def _matrix(differences: Sequence[Sequence[float]] | NDArray[Any]) -> Floats:
    matrix = np.asarray(differences, dtype=np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"differences must have a row per candidate and a column per case, not shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("differences must be finite numbers")
    return matrix


def _studentised(sums: Floats) -> Floats:
    scale = np.sqrt((sums**2).sum(axis=1))
    return np.asarray(np.divide(sums.sum(axis=1), scale, out=np.zeros(len(sums)), where=scale > 0))


def _largest(sums: Floats, deviations: Floats, *, draws: int, seed: int) -> tuple[Floats, Floats, int]:
    """The largest |T| over candidates in every pattern, of the sums and of their deviations, and how many patterns
    there are; among random draws the pattern that flips nothing is counted once more."""
    stacked = np.concatenate([sums, deviations])
    scale = np.sqrt((stacked**2).sum(axis=1))
    unit = np.divide(stacked, scale[:, None], out=np.zeros_like(stacked), where=scale[:, None] > 0)
    parts = [np.abs((1 - 2 * flips) @ unit.T) for flips in sign_patterns(sums.shape[1], draws=draws, seed=seed)]
    found = np.concatenate(parts)
    total = len(found) + (0 if sums.shape[1] <= EXACT_UNITS else 1)
    largest = found[:, : len(sums)].max(axis=1)
    # One candidate has nobody to look like, and its test is exact without the second value.
    return largest, found[:, len(sums) :].max(axis=1) if len(sums) > 1 else largest, total


def _critical(largest: Floats, alpha: float, extra: int, patterns: int) -> float:
    """What |T| must exceed for at most a share alpha of the patterns to reach it, the extra one counted.

    Infinite where even the two patterns with all units on one side are more than alpha.
    """
    spare = int(alpha * patterns + 1e-9) - extra
    if spare < 2 * (1 - extra):
        return inf
    place = max(len(largest) - 1 - spare, 0)
    return float(np.partition(largest, place)[place])


def _interval(sums: Floats, sizes: Floats, *, critical: float, alpha: float, rejected: bool) -> Interval:
    """All m with (S - mN)² <= c²·sum of (S_g - m·n_g)²: between the roots of a quadratic in m."""
    count, total, cases = len(sums), float(sums.sum()), float(sizes.sum())
    value = total / cases
    reason = f"max-T over {count} units"
    if critical == inf or not sums.any():
        return Interval(value, -inf, inf, "none", count, alpha, f"{reason}: too few differ to reject anything")
    c2 = critical**2
    a = cases**2 - c2 * float(sizes @ sizes)
    b = total * cases - c2 * float(sums @ sizes)
    c = total**2 - c2 * float(sums @ sums)
    root = b * b - a * c
    if a <= 0 or root < 0:
        return Interval(value, -inf, inf, "none", count, alpha, f"{reason}: too few to bound anything")
    low, high = (b - sqrt(root)) / a, (b + sqrt(root)) / a
    low, high = min(low, value), max(high, value)
    if not rejected:  # |T| equals the critical value within rounding
        low, high = min(low, 0.0), max(high, 0.0)
    return Interval(value, low, high, "max-t", count, alpha, reason)
