"""Flip the signs of whole units: the test that needs no distribution, and the interval that inverts it.

If a difference is as likely to be +x as -x, every pattern of signs was equally likely, so the share of patterns
whose total reaches the observed one is an exact p-value. Flipping the units of a set A changes the total at the
centre m by -2·Σ_A(x - m), hence the test rejects m exactly by how many random sets have a mean below m: the limits
are order statistics of subset means (Hartigan 1969, JASA 64:1303, "typical values"). No search, no approximation.
Invariant: the interval excludes 0 exactly when the test rejects 0, both from the same draws.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import floor, inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.stats.clusters import ClusterSums, Floats, as_codes, as_values, cluster_sums
from assay.stats.interval import Interval

EXACT_UNITS = 14  # 2**14 patterns are as many as the random draws
_CELLS = 4_000_000  # signs held in memory at once


class Alternative(StrEnum):
    """What the test looks for: any difference, one above zero, or one below."""

    TWO_SIDED = "two-sided"
    GREATER = "greater"
    LESS = "less"


@dataclass(frozen=True, slots=True)
class SignFlip:
    """The p-value that differences are centred at zero, and the centres that are not rejected: `p <= alpha` exactly
    where the interval excludes zero."""

    p: float
    interval: Interval


def sign_flip(
    differences: Sequence[float] | NDArray[Any],
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    alternative: str = "two-sided",
    *,
    alpha: float = 0.05,
    draws: int = 10_000,
    seed: int = 0,
) -> SignFlip:
    """The sign-flip test of paired differences, and the interval that inverts it; whole clusters are flipped.

    Two-sided (twice the smaller one-sided p, at most 1), or "greater" and "less", whose interval is open on the other
    side. Exact over all 2**G patterns for up to 14 units, else Monte Carlo with p = (1 + hits)/(draws + 1), which is
    valid at any number of draws (Phipson and Smyth 2010). p is 1 for no values. Fewer than 6 units reject nothing at a
    two-sided alpha of .05, so the limits are infinite. `n` of the interval counts the units flipped.
    """
    side = Alternative(alternative)
    array = as_values(differences)
    if len(array) == 0:
        return SignFlip(1.0, Interval(0.0, -inf, inf, "none", 0, alpha, "there are no values"))
    groups = cluster_sums(array, as_codes(clusters, len(array)))
    return _sign_flip_of(groups, side, alpha=alpha, draws=draws, seed=seed)


def sign_flip_p(
    differences: Sequence[float] | NDArray[Any],
    *,
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    draws: int = 10_000,
    seed: int = 0,
) -> float:
    """The two-sided p-value of `sign_flip` alone."""
    return sign_flip(differences, clusters, draws=draws, seed=seed).p


def sign_flip_interval(
    differences: Sequence[float] | NDArray[Any],
    *,
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    alpha: float = 0.05,
    draws: int = 10_000,
    seed: int = 0,
) -> Interval:
    """The two-sided interval of `sign_flip` alone."""
    return sign_flip(differences, clusters, alpha=alpha, draws=draws, seed=seed).interval


def sign_flip_interval_of(groups: ClusterSums, *, alpha: float = 0.05, draws: int = 10_000, seed: int = 0) -> Interval:
    """The two-sided interval of `sign_flip` from sums per cluster (at least one)."""
    return _sign_flip_of(groups, Alternative.TWO_SIDED, alpha=alpha, draws=draws, seed=seed).interval


def _sign_flip_of(groups: ClusterSums, side: Alternative, *, alpha: float, draws: int, seed: int) -> SignFlip:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    means, empty, patterns = _subset_means(groups, draws=draws, seed=seed)
    tail = alpha / 2 if side is Alternative.TWO_SIDED else alpha
    # A centre m is rejected from below when (patterns with subset mean <= m, empty ones included) <= tail of all.
    spare = floor(tail * patterns + 1e-9) - empty
    low, high = -inf, inf
    if 0 <= spare < len(means):
        if side is not Alternative.LESS:
            low = float(np.partition(means, spare)[spare])
        if side is not Alternative.GREATER:
            high = float(np.partition(means, len(means) - 1 - spare)[len(means) - 1 - spare])
    above_zero = (int((means <= 0).sum()) + empty) / patterns
    below_zero = (int((means >= 0).sum()) + empty) / patterns
    p = {
        Alternative.TWO_SIDED: min(1.0, 2 * min(above_zero, below_zero)),
        Alternative.GREATER: above_zero,
        Alternative.LESS: below_zero,
    }[side]
    value = groups.mean
    # With all units equal the subset means differ from the value by rounding only.
    interval = Interval(value, min(low, value), max(high, value), "sign-flip", groups.count, alpha)
    return SignFlip(p, interval)


def _subset_means(groups: ClusterSums, *, draws: int, seed: int) -> tuple[Floats, int, int]:
    """Means over random subsets of the units, how many subsets were empty, and how many patterns there are.

    The pattern that flips nothing is the data itself: it is counted as empty, once, also among random draws.
    """
    stacked = np.stack([groups.sums, groups.sizes], axis=1)
    parts = [flips @ stacked for flips in sign_patterns(groups.count, draws=draws, seed=seed)]
    totals = np.concatenate(parts)
    filled = totals[:, 1] > 0
    means = totals[filled, 0] / totals[filled, 1]
    empty = int((~filled).sum())
    if groups.count <= EXACT_UNITS:
        return means, empty, 2**groups.count
    return means, empty + 1, len(totals) + 1


def sign_patterns(units: int, *, draws: int, seed: int) -> Iterator[Floats]:
    """Which units are flipped (1) or left (0), blocks of shape (some, units): every pattern for up to 14 units, else
    `draws` at random."""
    if units <= EXACT_UNITS:
        codes = np.arange(2**units)[:, None]
        yield ((codes >> np.arange(units)) & 1).astype(np.float64)
        return
    rng = np.random.default_rng(seed)
    rows = max(1, min(draws, _CELLS // units))
    for start in range(0, draws, rows):
        count = min(rows, draws - start)
        bits = np.unpackbits(rng.integers(0, 256, (count, -(-units // 8)), dtype=np.uint8), axis=1, count=units)
        yield bits.astype(np.float64)
