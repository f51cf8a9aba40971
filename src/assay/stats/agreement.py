"""How far two raters agree, one of them a judge: from a table of four counts, or from scores against labels.

Agreement alone misleads where one answer is common: at a base rate of .9 a judge that agrees in .90 of cases has a phi
of .59. So kappa and AC1 correct for chance in two ways, and phi says what a judge is worth: it saves at most a share
phi^2 of the labels (the variance of a rate estimated with it falls by a factor of 1/(1 - phi^2) at best: Dorner, Nastl
and Hardt 2025, arXiv 2410.13341, on the limits of judges). Published tables and hand-made ones in
`tests/unit/stats/test_agreement.py`; intervals resample whole clusters.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import exp, inf, lgamma, nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.stats.bootstrap import percentile_interval
from assay.stats.clusters import Floats, as_codes, as_values
from assay.stats.interval import Interval, z_two_sided
from assay.stats.mean import mean_interval
from assay.stats.rate import wilson_limits

_CELLS = 4_000_000
FEWEST_RESAMPLED, FEWEST_CLUSTERS = 100, 30
"""Percentile limits from fewer cases, or fewer clusters of cases, are too narrow to show."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of a judge's verdicts against people's: `true_positives` are cases both call good, and so on."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def n(self) -> int:
        """All of them."""
        return self.true_positives + self.false_positives + self.false_negatives + self.true_negatives

    @property
    def agreement(self) -> float:
        """The share both call the same; NaN without cases."""
        return (self.true_positives + self.true_negatives) / self.n if self.n else float("nan")

    @property
    def counts(self) -> Floats:
        """TP, FP, FN, TN, shape (4,)."""
        return np.array(
            [self.true_positives, self.false_positives, self.false_negatives, self.true_negatives], dtype=np.float64
        )


def confusion(judge: Sequence[bool] | NDArray[Any], human: Sequence[bool] | NDArray[Any]) -> Confusion:
    """The four counts of verdicts `judge` against labels `human`, case by case."""
    cells = _cells(judge, human).sum(axis=0)
    return Confusion(*(int(count) for count in cells))


def cohen_kappa(table: Confusion) -> float:
    """Agreement beyond that of two raters who guess with their own rates (Cohen 1960, Educ. Psych. Meas. 20:37).

    (p_o - p_e)/(1 - p_e). 0 where both give one and the same verdict throughout: then nothing is beyond chance.
    """
    return float(_kappa(table.counts))


def gwet_ac1(table: Confusion) -> float:
    """Gwet's AC1 (2008, Br. J. Math. Stat. Psych. 61:29, eq. 5): chance is 2q(1-q) with q the mean positive rate.

    Unlike kappa it does not collapse where one verdict is rare.
    """
    return float(_ac1(table.counts))


def phi(table: Confusion) -> float:
    """The correlation of two binary ratings, Matthews' coefficient; 0 where a rating does not vary (Yule 1912)."""
    return float(_phi(table.counts))


def pearson(first: Sequence[float] | NDArray[Any], second: Sequence[float] | NDArray[Any]) -> float:
    """Pearson's correlation; 0 where either does not vary."""
    x, y = as_values(first), as_values(second)
    dx, dy = x - x.mean(), y - y.mean()
    norm = sqrt(float(dx @ dx) * float(dy @ dy))
    return float(dx @ dy) / norm if norm > 0 else 0.0


def auroc(scores: Sequence[float] | NDArray[Any], good: Sequence[bool] | NDArray[Any]) -> float:
    """The chance that a good case scores above a bad one, ties counting half (Mann and Whitney 1947; Hanley and
    McNeil 1982). 0.5 where there are no good or no bad cases."""
    values, labels = as_values(scores), np.asarray(good, dtype=bool)
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return 0.5
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[codes]
    return float((ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def krippendorff_alpha(ratings: Sequence[Sequence[float | None]], *, graded: bool = False) -> float:
    """Agreement of any number of raters with gaps: 1 - D_o/D_e (Krippendorff 2011, "Computing Krippendorff's
    Alpha-Reliability"), for names, or for numbers where `graded`. One row a unit; units with one rating do not count.

    NaN where nothing can be compared; 1 where nothing varies.
    """
    rows = [[float(v) for v in row if v is not None] for row in ratings]
    rows = [row for row in rows if len(row) > 1]
    if not rows:
        return float("nan")
    values = np.unique([value for row in rows for value in row])
    place = {float(value): i for i, value in enumerate(values)}
    coincidences = np.zeros((len(values), len(values)))
    for row in rows:
        counts = np.bincount([place[value] for value in row], minlength=len(values)).astype(np.float64)
        coincidences += (np.outer(counts, counts) - np.diag(counts)) / (len(row) - 1)
    distance = (values[:, None] - values[None, :]) ** 2 if graded else (values[:, None] != values[None, :])
    totals = coincidences.sum(axis=1)
    n = float(totals.sum())
    expected = float(((np.outer(totals, totals) - np.diag(totals)) * distance).sum()) / (n - 1)
    return 1.0 if expected == 0 else 1 - float((coincidences * distance).sum()) / expected


@dataclass(frozen=True, slots=True)
class Agreement:
    """The table, the share of agreement with the interval of a mean, and the coefficients with percentile intervals
    over cases or whole clusters. A coefficient that these ratings do not define is NaN, by the method "undefined"."""

    table: Confusion
    share: Interval
    kappa: Interval
    ac1: Interval
    phi: Interval


def agreement(
    judge: Sequence[bool] | NDArray[Any],
    human: Sequence[bool] | NDArray[Any],
    *,
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    alpha: float = 0.05,
    draws: int = 2_000,
    seed: int = 0,
) -> Agreement:
    """Everything this module can say of binary verdicts against labels.

    Under 100 cases or 30 clusters the coefficients have no limits. Where both agree throughout, resampling shows no
    spread: the coefficients then reach down to what they would be with as many errors as the share's lower limit
    allows, laid where they cost most.
    """
    cells = _cells(judge, human)
    if not len(cells):
        raise ValueError("there are no cases to agree on")
    codes = as_codes(clusters, len(cells))
    units = cells if codes is None else _summed(cells, codes)
    drawn = _drawn(units, draws=draws, seed=seed)
    totals = cells.sum(axis=0)
    share = mean_interval(cells[:, 0] + cells[:, 3], clusters=codes, alpha=alpha)

    def interval(statistic: Callable[[Floats], NDArray[Any]], *, defined: bool = True) -> Interval:
        value, n = float(statistic(totals)), len(units)
        if not defined:
            return undefined(n, alpha=alpha, reason="a rating does not vary")
        if n < (FEWEST_RESAMPLED if codes is None else FEWEST_CLUSTERS):
            return without_limits(value, n, alpha=alpha)
        if totals[1] + totals[2] == 0:
            low = min(float(statistic(table)) for table in _with_errors(totals, (1 - share.low) * len(cells)))
            return Interval(value, low, value, "implied by the agreement", n, alpha)
        return percentile_interval(value, statistic(drawn), n=n, alpha=alpha, clustered=codes is not None)

    varies = [totals[0] + totals[k] not in (0, len(cells)) for k in (1, 2)]
    table = Confusion(*(int(count) for count in totals))
    return Agreement(
        table, share, interval(_kappa, defined=any(varies)), interval(_ac1), interval(_phi, defined=all(varies))
    )


def undefined(n: int, *, alpha: float, reason: str) -> Interval:
    """A figure that `n` units do not define."""
    return Interval(nan, -inf, inf, "undefined", n, alpha, reason)


def without_limits(value: float, n: int, *, alpha: float) -> Interval:
    """A figure of too few units for limits."""
    reason = f"fewer than {FEWEST_RESAMPLED} cases or {FEWEST_CLUSTERS} clusters: resampled limits would be too narrow"
    return Interval(value, -inf, inf, "none", n, alpha, reason)


def _with_errors(totals: Floats, errors: float) -> list[Floats]:
    """The table without errors, with so many of them as false positives, as false negatives, and as half of each."""
    tables = []
    for wrong_good in (0.0, 0.5, 1.0):
        missed = min(errors * (1 - wrong_good), totals[0])
        false = min(errors * wrong_good, totals[3])
        tables.append(totals + np.array([-missed, false, missed, -false]))
    return tables


def independent_difference(hits: int, n: int, other_hits: int, other_n: int, *, alpha: float = 0.05) -> Interval:
    """The first rate minus the second, of different cases: Newcombe's method 10 (1998, Statistics in Medicine 17:873),
    two Wilson intervals joined. All of -1..1 where either has no cases."""
    if not n or not other_n:
        return Interval(0.0, -1.0, 1.0, "none", 0, alpha, "there is nothing to compare")
    z = z_two_sided(alpha)
    p, q = hits / n, other_hits / other_n
    low_p, high_p = wilson_limits(hits, n, z)
    low_q, high_q = wilson_limits(other_hits, other_n, z)
    down, up = sqrt((p - low_p) ** 2 + (high_q - q) ** 2), sqrt((high_p - p) ** 2 + (q - low_q) ** 2)
    return Interval(p - q, p - q - down, p - q + up, "newcombe", n + other_n, alpha)


def fisher_exact(hits: int, misses: int, other_hits: int, other_misses: int) -> float:
    """Fisher's two-sided p-value for two rates being one (1922, J. R. Stat. Soc. 85:87): the chance of every table with
    these margins that is no more likely than this one."""
    n, other_n, all_hits = hits + misses, other_hits + other_misses, hits + other_hits
    low, high = max(0, all_hits - other_n), min(n, all_hits)
    logs = [_log_choose(n, k) + _log_choose(other_n, all_hits - k) for k in range(low, high + 1)]
    whole = _log_choose(n + other_n, all_hits)
    chances = [exp(value - whole) for value in logs]
    seen = chances[hits - low]
    # Tables as likely as this one differ from it by rounding.
    return min(1.0, sum(chance for chance in chances if chance <= seen * (1 + 1e-7)))


def swapped_clusters(
    hit: Sequence[bool] | NDArray[Any],
    first: Sequence[bool] | NDArray[Any],
    clusters: Sequence[Hashable] | NDArray[Any],
    *,
    draws: int = 2_000,
    seed: int = 0,
) -> float:
    """The two-sided p-value for two arms having one rate where cases come in clusters; never 0.

    Arms are swapped in whole clusters at random and the differences of the rates compared (a permutation test; Good
    2005, chapter 3).
    """
    hits, arm = np.asarray(hit, dtype=np.float64), np.asarray(first, dtype=bool)
    codes = as_codes(clusters, len(hits))
    codes = np.arange(len(hits)) if codes is None else codes
    cells = np.stack([hits * arm, arm, hits * ~arm, ~arm], axis=1).astype(np.float64)
    units = _summed(cells, codes)
    total, change = units.sum(axis=0), units[:, [2, 3, 0, 1]] - units
    rng, rows = np.random.default_rng(seed), max(1, _CELLS // len(units))
    gaps = [
        np.abs(_gap(total + rng.integers(0, 2, (min(rows, draws - start), len(units))) @ change))
        for start in range(0, draws, rows)
    ]
    seen = abs(float(_gap(total)))
    return float((1 + np.sum(np.concatenate(gaps) >= seen - 1e-12)) / (draws + 1))


def holm(values: Sequence[float]) -> list[float]:
    """P-values adjusted for as many tests, in their order (Holm 1979, Scand. J. Stat. 6:65)."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[i]))
        adjusted[i] = highest
    return adjusted


def _cells(judge: Sequence[bool] | NDArray[Any], human: Sequence[bool] | NDArray[Any]) -> Floats:
    """One row a case with a 1 in its cell of TP, FP, FN, TN, shape (n, 4)."""
    said, true = np.asarray(judge, dtype=bool), np.asarray(human, dtype=bool)
    if said.shape != true.shape or said.ndim != 1:
        raise ValueError("verdicts and labels must be as many")
    return np.stack([said & true, said & ~true, ~said & true, ~said & ~true], axis=1).astype(np.float64)


def _summed(cells: Floats, codes: NDArray[np.intp]) -> Floats:
    return np.stack([np.bincount(codes, weights=column) for column in cells.T], axis=1)


def _drawn(units: Floats, *, draws: int, seed: int) -> Floats:
    """The four counts of every resample of the units, shape (draws, 4)."""
    count, rng = len(units), np.random.default_rng(seed)
    if (units.sum(axis=1) == 1).all():  # single cases: resampling them is drawing the four counts
        return rng.multinomial(count, units.mean(axis=0), size=draws).astype(np.float64)
    shares, rows = np.full(count, 1 / count), max(1, _CELLS // count)
    parts = [rng.multinomial(count, shares, size=min(rows, draws - start)) @ units for start in range(0, draws, rows)]
    return np.concatenate(parts)


def _share(c: Floats) -> NDArray[Any]:
    return np.asarray((c[..., 0] + c[..., 3]) / c.sum(axis=-1))


def _kappa(c: Floats) -> NDArray[Any]:
    n = c.sum(axis=-1)
    said, true = (c[..., 0] + c[..., 1]) / n, (c[..., 0] + c[..., 2]) / n
    chance = said * true + (1 - said) * (1 - true)
    return _ratio((c[..., 0] + c[..., 3]) / n - chance, 1 - chance)


def _ac1(c: Floats) -> NDArray[Any]:
    n = c.sum(axis=-1)
    q = (2 * c[..., 0] + c[..., 1] + c[..., 2]) / (2 * n)
    chance = 2 * q * (1 - q)
    return _ratio((c[..., 0] + c[..., 3]) / n - chance, 1 - chance)


def _phi(c: Floats) -> NDArray[Any]:
    tp, fp, fn, tn = c[..., 0], c[..., 1], c[..., 2], c[..., 3]
    margins = (tp + fp) * (fn + tn) * (tp + fn) * (fp + tn)
    return _ratio(tp * tn - fp * fn, np.sqrt(margins))


def _gap(sums: Floats) -> NDArray[Any]:
    return np.asarray(_ratio(sums[..., 0], sums[..., 1]) - _ratio(sums[..., 2], sums[..., 3]))


def _ratio(top: Any, bottom: Any) -> NDArray[Any]:
    """Quotients, 0 where the denominator is (within rounding)."""
    top, bottom = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    return np.asarray(np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 1e-12))


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
