"""The error bar on a mean: of cases, of clusters of cases, and of data in which little happened.

Proved against `scipy.stats` in `tests/oracles/test_intervals.py` and by coverage simulations there.
"""

from collections.abc import Hashable, Sequence
from math import inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.stats.clusters import ClusterSums, as_codes, as_values, cluster_sums
from assay.stats.interval import Interval, t_two_sided, z_two_sided
from assay.stats.rate import clopper_pearson, wilson_limits

FEW_CASES = 100
FEW_CLUSTERS = 30
FEW_FOR_WILSON = 30
FEW_AWAY = 30


def t_interval(values: Sequence[float] | NDArray[Any], *, alpha: float = 0.05) -> Interval:
    """Student's interval for a mean: mean ± t_{n-1} · sd/√n (Student 1908). Infinite limits for n = 1."""
    array = as_values(values)
    return clustered_t_of(cluster_sums(array, None), alpha=alpha, method="t")


def clustered_t(
    values: Sequence[float] | NDArray[Any], clusters: Sequence[Hashable] | NDArray[Any], *, alpha: float = 0.05
) -> Interval:
    """Student's interval for a mean over cases in clusters; `n` of the result counts the clusters.

    SE = √(G/(G-1) · Σ u_c²)/n with u_c = Σ_{i in c}(x_i - mean), and t_{G-1} (Liang and Zeger 1986; Miller 2024,
    arXiv 2411.00640, with the small-sample factor of Cameron and Miller 2015, section III). Needs 30 clusters.
    """
    array = as_values(values)
    return clustered_t_of(cluster_sums(array, as_codes(clusters, len(array))), alpha=alpha)


def clustered_t_of(groups: ClusterSums, *, alpha: float = 0.05, method: str = "clustered-t") -> Interval:
    """`clustered_t` from sums per cluster; infinite limits for a single cluster."""
    if groups.count == 0:
        return Interval(0.0, -inf, inf, "none", 0, alpha, "there are no values")
    mean = groups.mean
    if groups.count == 1:
        return Interval(mean, -inf, inf, "none", 1, alpha, "one unit has no spread to measure")
    half = t_two_sided(alpha, groups.count - 1) * clustered_se(groups)
    return Interval(mean, mean - half, mean + half, method, groups.count, alpha)


def clustered_se(groups: ClusterSums) -> float:
    """The standard error of the mean over cases, clusters independent: √(G/(G-1) · Σ u_c²)/n. NaN for G = 1."""
    count = groups.count
    if count < 2:
        return float("nan")
    deviations = groups.sums - groups.mean * groups.sizes
    return sqrt(count / (count - 1) * float(deviations @ deviations)) / float(groups.sizes.sum())


def adjusted_t_of(groups: ClusterSums, *, scale: float, alpha: float = 0.05) -> Interval:
    """Student's interval after one winning and one losing unit are added: for data in which little happened.

    The two units have the mean size and the largest total seen. Where fewer than six units differ, their sizes say
    little about what was not seen, so `scale` times the mean size is used (`scale`: the largest difference
    possible for one case; infinite if unknown, and then so are the limits). For binary scores this is Bonett and
    Price's adjustment (2012, J. Educ. Behav. Stat. 37:479) with t in place of z; for graded scores the extension
    is ours and rests on simulation alone: see `tests/oracles/test_coverage.py`.
    """
    if groups.count == 0:
        return Interval(0.0, -inf, inf, "none", 0, alpha, "there are no values")
    size = float(groups.sizes.mean())
    largest = float(np.abs(groups.sums).max())
    if np.count_nonzero(groups.sums) < 6:
        largest = max(largest, scale * size)
    if largest == inf:
        return Interval(groups.mean, -inf, inf, "none", groups.count, alpha, "the scale of the scores is unknown")
    enlarged = ClusterSums(
        np.concatenate([groups.sums, [largest, -largest]]), np.concatenate([groups.sizes, [size, size]])
    )
    shrunk = clustered_t_of(enlarged, alpha=alpha, method="adjusted-t")
    return Interval(groups.mean, shrunk.low, shrunk.high, "adjusted-t", groups.count, alpha)


def mean_interval(
    scores: Sequence[float] | NDArray[Any],
    *,
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    alpha: float = 0.05,
) -> Interval:
    """The error bar to show on the mean score of one system, scores in [0, 1]; says which method and why.

    - fewer than 30 scores: Clopper and Pearson's exact interval, because Wilson's coverage dips to .89 there. A graded
      score counts as that share of a success, which is conservative: no score in [0, 1] varies more than a coin of
      the same mean (by simulation, not by proof);
    - right-or-wrong scores: Wilson;
    - graded scores: t from 100 on where 30 or more differ from the commonest one, else Wilson, again conservative.
      Without the second condition t covers .87 where nearly all scores are 1;
    - clusters: clustered t for graded scores in 30 or more effective clusters of which 30 differ; else Wilson at the
      effective sample size n/deff with t_{G-1} in place of z (Korn and Graubard 1998, Survey Methodology 24:193), deff
      as `_design_effect` has it.

    Raises `ValueError` for scores outside [0, 1]. Proved by `tests/oracles/test_rate_coverage.py`.
    """
    array = as_values(scores)
    n = len(array)
    if n == 0:
        return Interval(0.0, 0.0, 1.0, "none", 0, alpha, "there are no scores")
    if array.min() < 0 or array.max() > 1:
        raise ValueError("mean_interval is for scores between 0 and 1")
    groups = cluster_sums(array, as_codes(clusters, n))
    graded = bool(((array != 0) & (array != 1)).any())
    if groups.count < n:
        return _clustered_score(groups, n, graded=graded, alpha=alpha)
    total = min(float(array.sum()), float(n))
    kind = ("graded score" if graded else "right-or-wrong score") + ("" if n == 1 else "s")
    if n < FEW_FOR_WILSON:
        exact = clopper_pearson(total, n, alpha=alpha)
        counted = "counted as shares of a success" if graded else "exact"
        reason = f"{n:,} {kind}, too few for an approximation: {counted}"
        return Interval(groups.mean, exact.low, exact.high, exact.method, n, alpha, reason)
    differ = _away_from_commonest(groups) if graded else 0
    if graded and n >= FEW_CASES and differ >= FEW_AWAY:
        low, high = _within_scale(clustered_t_of(groups, alpha=alpha))
        return Interval(groups.mean, low, high, "t", n, alpha, f"{n:,} graded scores, each case on its own")
    low, high = wilson_limits(total, n, z_two_sided(alpha))
    reason = f"{n:,} {kind}"
    if graded:
        reason += ", too few for t" if n < FEW_CASES else f", only {differ:,} of them differ from the commonest"
    return Interval(groups.mean, low, high, "wilson", n, alpha, reason)


def _clustered_score(groups: ClusterSums, n: int, *, graded: bool, alpha: float) -> Interval:
    count, kind = groups.count, "graded" if graded else "right-or-wrong"
    reason = f"{n:,} {kind} scores in {count:,} clusters, which move together"
    if count == 1:
        return Interval(groups.mean, 0.0, 1.0, "none", 1, alpha, "one cluster has no spread to measure")
    if graded and groups.effective >= FEW_CLUSTERS and _away_from_commonest(groups) >= FEW_AWAY:
        low, high = _within_scale(clustered_t_of(groups, alpha=alpha))
        return Interval(groups.mean, low, high, "clustered-t", count, alpha, reason)
    p, effective = min(groups.mean, 1.0), n / _design_effect(groups, n)
    low, high = wilson_limits(p * effective, effective, t_two_sided(alpha, count - 1))
    return Interval(p, low, high, "clustered-wilson", count, alpha, reason)


def _design_effect(groups: ClusterSums, n: int) -> float:
    """How many cases are worth one independent case, from 1 to where the members of a cluster are all alike.

    What was seen (the clustered variance over p(1-p)/n) rests on the clusters that differ: where all 3 clusters are
    right but for one case of 105, it would call 105 cases independent, and nothing was seen that says so. So it has
    the weight K - 1 of the K clusters that differ from the commonest, and the most possible has the weight 1. The
    weights are ours and rest on simulation: see `tests/oracles/test_rate_coverage.py`.
    """
    most = n / groups.effective
    p = min(groups.mean, 1.0)
    variance_iid = p * (1 - p) / n
    seen = max(clustered_se(groups) ** 2 / variance_iid, 1.0) if variance_iid > 0 else most
    weight = max(_away_from_commonest(groups) - 1, 0)
    return max(seen, (weight * seen + most) / (weight + 1))


def _away_from_commonest(groups: ClusterSums) -> int:
    """How many units have another mean than the commonest one: what a spread can be estimated from."""
    _, counts = np.unique(groups.sums / groups.sizes, return_counts=True)
    return groups.count - int(counts.max())


def _within_scale(interval: Interval) -> tuple[float, float]:
    return max(0.0, interval.low), min(1.0, interval.high)
