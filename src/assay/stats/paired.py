"""Which error bar a paired difference deserves: one rule, one function, one interval that also is the verdict.

Invariant: a verdict is read from this interval and nothing else (BETTER iff low > 0, WORSE iff high < 0).
Proved by coverage simulations in every regime and across every switch point: `tests/oracles/test_coverage.py`.
"""

from collections.abc import Hashable, Sequence
from math import inf, isinf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.stats.binary import newcombe
from assay.stats.clusters import ClusterSums, Floats, as_codes, as_values, cluster_sums
from assay.stats.interval import Interval
from assay.stats.mean import FEW_CASES, FEW_CLUSTERS, adjusted_t_of, clustered_t_of, t_interval
from assay.stats.signflip import sign_flip_interval_of

FEW_DIFFERENT = 20
_ONE_UNIT = "one case, or one cluster of cases, has no spread to measure"


def paired_interval(
    incumbent: Sequence[float] | NDArray[Any],
    candidate: Sequence[float] | NDArray[Any],
    *,
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    alpha: float = 0.05,
) -> Interval:
    """The mean of candidate minus incumbent over paired cases with its `1 - alpha` interval, method and reason.

    - right-or-wrong scores: Newcombe's method 10 under 100 cases or under 20 that differ, else t;
    - graded scores: t with one win and one loss added (`adjusted-t`) under the same two limits, else t;
    - clusters: sign-flips of whole clusters under 30 effective clusters, else clustered t; where under 20
      clusters differ, widened to (sign-flips) or replaced by (t) the adjusted t over clusters;
    - so few units differ that even the same sign in all of them is no evidence (under 6 at alpha = .05): the
      interval is widened to hold 0; one unit, or too few clusters for any sign-flip to reject: no interval, the limits
      are the ends of the scale (±1 for scores in [0, 1]) or infinite where the scale is unknown.

    Differences within rounding of zero count as ties. Raises `ValueError` for no pairs or values not finite.
    """
    first, second = as_values(incumbent), as_values(candidate)
    if len(first) != len(second) or len(first) == 0:
        raise ValueError(f"{len(first)} and {len(second)} scores make no pairs")
    low, high = float(min(first.min(), second.min())), float(max(first.max(), second.max()))
    unit_scale = low >= 0 and high <= 1
    bound = 1.0 if unit_scale else inf
    spread = 1.0 if unit_scale else (high - low) or inf
    differences = without_rounding(second - first, scale=max(abs(low), abs(high)))
    groups = cluster_sums(differences, as_codes(clusters, len(first)))
    if groups.count == 1:
        interval = Interval(groups.mean, -inf, inf, "none", 1, alpha, _ONE_UNIT)
    elif groups.count < len(first):
        interval = _clustered(groups, scale=spread, alpha=alpha)
    elif _binary(first) and _binary(second):
        interval = _binary_pairs(first, second, groups, alpha=alpha)
    else:
        interval = _graded_pairs(groups, scale=spread, alpha=alpha)
    return _finished(interval, groups, bound=bound)


def paired_t(
    incumbent: Sequence[float] | NDArray[Any], candidate: Sequence[float] | NDArray[Any], *, alpha: float = 0.05
) -> Interval:
    """Student's interval for the mean of candidate minus incumbent over independent paired cases (Student 1908).

    Use it from 100 cases of which 20 differ; `paired_interval` chooses by itself. Differences within rounding of zero
    are ties. Infinite limits for one pair; raises `ValueError` for sequences of different lengths.
    """
    first, second = as_values(incumbent), as_values(candidate)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} scores make no pairs")
    scale = float(max(np.abs(first).max(), np.abs(second).max())) if len(first) else 1.0
    return t_interval(without_rounding(second - first, scale=scale), alpha=alpha)


def without_rounding(differences: Floats, *, scale: float) -> Floats:
    """The differences with those within 1e-12 of the scale set to zero: a mean of repeats must tie with itself."""
    return np.where(np.abs(differences) <= 1e-12 * max(scale, 1e-300), 0.0, differences)


def _binary(scores: Floats) -> bool:
    return bool(((scores == 0) | (scores == 1)).all())


def _binary_pairs(first: Floats, second: Floats, groups: ClusterSums, *, alpha: float) -> Interval:
    n = groups.count
    wins, losses = int((groups.sums > 0).sum()), int((groups.sums < 0).sum())
    if n >= FEW_CASES and wins + losses >= FEW_DIFFERENT:
        return _because(clustered_t_of(groups, alpha=alpha, method="t"), f"{n} cases, {wins + losses} of them differ")
    both = int((first * second).sum())
    interval = newcombe(both, wins, losses, n - both - wins - losses, alpha=alpha)
    return _because(interval, f"right or wrong on {n} cases, {wins + losses} of them differ")


def _graded_pairs(groups: ClusterSums, *, scale: float, alpha: float) -> Interval:
    n, different = groups.count, _different(groups)
    reason = f"graded scores on {n} cases, {different} of them differ"
    if n >= FEW_CASES and different >= FEW_DIFFERENT:
        return _because(clustered_t_of(groups, alpha=alpha, method="t"), reason)
    return _because(adjusted_t_of(groups, scale=scale, alpha=alpha), reason)


def _clustered(groups: ClusterSums, *, scale: float, alpha: float) -> Interval:
    count, different, effective = groups.count, _different(groups), groups.effective
    reason = f"{count} clusters worth {effective:.0f} equal ones, {different} of them differ"
    if effective >= FEW_CLUSTERS:
        if different >= FEW_DIFFERENT:
            return _because(clustered_t_of(groups, alpha=alpha), reason)
        return _because(adjusted_t_of(groups, scale=scale, alpha=alpha), reason, method="clustered-adjusted-t")
    # A long tail of small clusters beside a few giants: each draw costs a sign per cluster.
    draws = 10_000 if count <= 2_000 else 2_000
    flipped = _because(sign_flip_interval_of(groups, alpha=alpha, draws=draws), reason, method="cluster-sign-flip")
    if different >= FEW_DIFFERENT:
        return flipped
    wider = adjusted_t_of(groups, scale=scale, alpha=alpha)
    return Interval(
        groups.mean,
        min(flipped.low, wider.low),
        max(flipped.high, wider.high),
        "cluster-sign-flip+adjusted-t",
        count,
        alpha,
        reason,
    )


def _finished(interval: Interval, groups: ClusterSums, *, bound: float) -> Interval:
    low, high, reason, method = interval.low, interval.high, interval.reason, interval.method
    different = _different(groups)
    # All of `different` units on one side happens by chance with probability 2**(1 - different).
    if 2.0 ** (1 - different) > interval.alpha and (low > 0 or high < 0):
        low, high = min(low, 0.0), max(high, 0.0)
        reason += f"; {different} that differ are too few to show a direction, so the interval holds 0"
    if isinf(low) and isinf(high) and method != "none":
        method, reason = "none", f"{reason}: too few to reject anything at {interval.alpha:g}"
    low, high = max(low, -bound), min(high, bound)
    return Interval(interval.value, low, high, method, interval.n, interval.alpha, reason)


def _different(groups: ClusterSums) -> int:
    return int(np.count_nonzero(groups.sums))


def _because(interval: Interval, reason: str, *, method: str = "") -> Interval:
    return Interval(
        interval.value, interval.low, interval.high, method or interval.method, interval.n, interval.alpha, reason
    )
