"""Flip the signs of whole units: the test that needs no distribution, and the interval that inverts it.

If a difference is as likely to be +x as -x, every pattern of signs was equally likely, so the share of patterns
whose total reaches the observed one is an exact p-value. Flipping the units of a set A changes the total at the
centre m by -2·Σ_A(x - m), hence the test rejects m exactly by how many random sets have a mean below m: the limits
are order statistics of subset means (Hartigan 1969, JASA 64:1303, "typical values"). No search, no approximation.
Invariant: the interval excludes 0 exactly when the test rejects 0, both from the same draws.
"""

from collections.abc import Hashable, Iterator, Sequence
from math import floor, inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.stats.clusters import ClusterSums, Floats, as_codes, as_values, cluster_sums
from assay.stats.interval import Interval

EXACT_UNITS = 14  # 2**14 patterns are as many as the random draws
_CELLS = 4_000_000  # signs held in memory at once


def sign_flip_p(
    differences: Sequence[float] | NDArray[Any],
    *,
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    draws: int = 10_000,
    seed: int = 0,
) -> float:
    """Two-sided p-value that differences are centred at zero: twice the smaller one-sided p, at most 1.

    Exact over all 2**G patterns for up to 14 units, else Monte Carlo with p = (1 + hits)/(draws + 1), which is
    valid at any number of draws (Phipson and Smyth 2010). 1.0 for no values.
    """
    array = as_values(differences)
    if len(array) == 0:
        return 1.0
    groups = cluster_sums(array, as_codes(clusters, len(array)))
    means, empty, patterns = _subset_means(groups, draws=draws, seed=seed)
    below = int((means <= 0).sum()) + empty
    above = int((means >= 0).sum()) + empty
    return min(1.0, 2 * min(below, above) / patterns)


def sign_flip_interval(
    differences: Sequence[float] | NDArray[Any],
    *,
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    alpha: float = 0.05,
    draws: int = 10_000,
    seed: int = 0,
) -> Interval:
    """All centres the two-sided sign-flip test does not reject at `alpha`; `n` counts the units flipped.

    Fewer than 6 units reject nothing at alpha = .05, so the limits are infinite.
    """
    array = as_values(differences)
    if len(array) == 0:
        return Interval(0.0, -inf, inf, "none", 0, alpha, "there are no values")
    groups = cluster_sums(array, as_codes(clusters, len(array)))
    return sign_flip_interval_of(groups, alpha=alpha, draws=draws, seed=seed)


def sign_flip_interval_of(groups: ClusterSums, *, alpha: float = 0.05, draws: int = 10_000, seed: int = 0) -> Interval:
    """`sign_flip_interval` from sums per cluster (at least one)."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    means, empty, patterns = _subset_means(groups, draws=draws, seed=seed)
    # A centre m is rejected from below when (patterns with subset mean <= m, empty ones included) <= alpha/2 of all.
    spare = floor(alpha / 2 * patterns + 1e-9) - empty
    low, high = -inf, inf
    if 0 <= spare < len(means):
        low = float(np.partition(means, spare)[spare])
        high = float(np.partition(means, len(means) - 1 - spare)[len(means) - 1 - spare])
    value = groups.mean
    # With all units equal the subset means differ from the value by rounding only.
    return Interval(value, min(low, value), max(high, value), "sign-flip", groups.count, alpha)


def _subset_means(groups: ClusterSums, *, draws: int, seed: int) -> tuple[Floats, int, int]:
    """Means over random subsets of the units, how many subsets were empty, and how many patterns there are.

    The pattern that flips nothing is the data itself: it is counted as empty, once, also among random draws.
    """
    stacked = np.stack([groups.sums, groups.sizes], axis=1)
    parts = [flips @ stacked for flips in _patterns(groups.count, draws=draws, seed=seed)]
    totals = np.concatenate(parts)
    filled = totals[:, 1] > 0
    means = totals[filled, 0] / totals[filled, 1]
    empty = int((~filled).sum())
    if groups.count <= EXACT_UNITS:
        return means, empty, 2**groups.count
    return means, empty + 1, len(totals) + 1


def _patterns(units: int, *, draws: int, seed: int) -> Iterator[Floats]:
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
