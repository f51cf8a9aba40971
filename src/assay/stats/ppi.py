"""A judge on every case and people on a few: estimates that use both and are right whatever the judge is.

The judge's figure is corrected by how far it was off where people looked, so a flattering judge costs precision, never
truth. For a rate that is PPI++; for the difference of two systems it pays to label where the judge sees one.
Invariant: a judge that says nothing, or lies, leaves an interval about as wide as the labels alone give, still around
the truth. Proved by coverage and gains against simulated and recorded judges: `tests/oracles/test_ppi.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.stats.agreement import pearson
from assay.stats.clusters import Floats, as_values
from assay.stats.interval import Interval, t_two_sided
from assay.stats.mean import mean_interval

FEW_LABELS = 100
FEW_RARE = 10


@dataclass(frozen=True, slots=True)
class Calibrated(Interval):
    """An interval that people's labels stand behind; `n` counts those labels.

    `weight` is how far the judge is trusted, from 0 (not at all) to 1 (which strata always do); `effective` is how many
    labels would have given the same standard error without a judge.
    """

    weight: float = 0.0
    effective: float = 0.0


def ppi_rate(
    labelled: Sequence[float] | NDArray[Any],
    labelled_judge: Sequence[float] | NDArray[Any],
    unlabelled_judge: Sequence[float] | NDArray[Any],
    *,
    alpha: float = 0.05,
) -> Calibrated:
    """A mean in [0, 1] from people's labels Y, the judge's scores F of those cases, and F~ of cases only it saw.

    PPI++ (Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453, for a mean): theta = w·mean(F~) + mean(Y - wF) with
    w = Cov(Y, F)/((1 + n/N)·Var(F)) clipped to [0, 1]; Var = w²Var(F~)/N + Var(Y - wF)/n; Student's t with n - 1. Cases
    must be independent, and those labelled a random choice. Under 100 labels, or with under 10 that differ from the
    commonest, the normal approximation does not hold and the labels alone are used (Wilson, exact under 30): `reason`
    says so, and `weight` is 0. Raises `ValueError` for labels outside [0, 1] or for sequences of different lengths.
    """
    y, f, rest = as_values(labelled), as_values(labelled_judge), as_values(unlabelled_judge)
    if len(y) != len(f):
        raise ValueError(f"{len(y)} labels and {len(f)} judge's scores of them")
    n, cases = len(y), len(rest)
    alone = mean_interval(y, alpha=alpha)
    rare = n - int(np.unique(y, return_counts=True)[1].max()) if n else 0
    if n < FEW_LABELS:
        return _labels_only(alone, f"{n} labels, too few for the judge to help")
    if rare < FEW_RARE:
        return _labels_only(alone, f"{rare} of {n} labels differ from the commonest, too few for the judge to help")
    every = np.concatenate([f, rest])
    spread = float(every.var(ddof=1))
    if not cases or spread == 0:
        return _labels_only(alone, "the judge says nothing of other cases")
    weight = float(np.clip(float(np.cov(y, f)[0, 1]) / ((1 + n / cases) * spread), 0.0, 1.0))
    residual = y - weight * f
    value = weight * float(rest.mean()) + float(residual.mean())
    variance = weight**2 * float(rest.var(ddof=1) if cases > 1 else spread) / cases + float(residual.var(ddof=1)) / n
    half = t_two_sided(alpha, n - 1) * sqrt(variance)
    value = min(max(value, 0.0), 1.0)
    reason = f"{n} labels and {cases} cases the judge alone saw; correlation {pearson(y, f):.2f}"
    return Calibrated(
        value,
        max(0.0, value - half),
        min(1.0, value + half),
        "ppi++",
        n,
        alpha,
        reason,
        weight=weight,
        effective=float(y.var(ddof=1)) / variance if variance > 0 else float(n),
    )


def _labels_only(alone: Interval, why: str) -> Calibrated:
    reason = f"{why}: {alone.reason}"
    return Calibrated(
        alone.value, alone.low, alone.high, alone.method, alone.n, alone.alpha, reason, effective=float(alone.n)
    )


@dataclass(frozen=True, slots=True)
class Stratum:
    """Cases the judge scored alike: how many there are in all, and people's differences (in [-1, 1]) of some, which
    must be a random choice among them."""

    size: int
    labels: tuple[float, ...] = ()

    @property
    def spread(self) -> float:
        """The standard deviation of its labels as far as they tell, for the next `neyman`; 1 without any."""
        return sqrt(_spread(as_values(self.labels))) if self.labels else 1.0


def strata(judge: Sequence[float] | NDArray[Any], labels: Mapping[int, float]) -> tuple[Stratum, ...]:
    """Three strata by the sign of the judge's difference (candidate minus incumbent): worse, equal, better.

    `judge` holds it for every case; `labels` maps the place of a case to people's difference of it.
    """
    signs = np.sign(as_values(judge)).astype(int).tolist()
    if any(not 0 <= place < len(signs) for place in labels):
        raise ValueError(f"labels name cases outside 0..{len(signs) - 1}")
    return tuple(
        Stratum(signs.count(sign), tuple(label for place, label in labels.items() if signs[place] == sign))
        for sign in (-1, 0, 1)
    )


def neyman(
    weights: Sequence[float] | NDArray[Any],
    sds: Sequence[float] | NDArray[Any],
    total: int,
    floor: int = 8,
    *,
    sizes: Sequence[int] | None = None,
) -> tuple[int, ...]:
    """How many of `total` labels each stratum gets: in proportion to weight times standard deviation (Neyman 1934, J.
    R. Stat. Soc. 97:558), at least `floor` where the stratum has weight, at most its size where `sizes` says it.

    One label at a time goes where w·sd/sqrt(n(n+1)) is largest, which is the best allocation in whole numbers (Wright
    2012, The American Statistician 66:217). Sums to `total` unless the sizes are too small; a total below the floors is
    shared evenly. Before any labels, sds of .5, .25, .5 for worse, equal, better serve; after some,
    `Stratum.spread`.
    """
    w, sd = as_values(weights).tolist(), as_values(sds).tolist()
    if len(w) != len(sd) or not w or min(*w, *sd) < 0 or total < 0 or floor < 0:
        raise ValueError("an allocation needs weights and spreads, as many of each and none negative")
    places = range(len(w))
    room = [int(size) if weight > 0 else 0 for size, weight in zip(sizes or [total] * len(w), w, strict=True)]
    counts = [0] * len(w)

    def urgency(k: int) -> tuple[float, float, float]:
        short = float(counts[k] - floor if counts[k] < floor else 0)
        # Where no stratum varies, the labels go by weight.
        return -short, w[k] * sd[k] / sqrt(counts[k] * (counts[k] + 1) or 1e-12), w[k] / (counts[k] + 1)

    for _ in range(min(total, sum(room))):
        counts[max((k for k in places if counts[k] < room[k]), key=urgency)] += 1
    return tuple(counts)


def ppi_difference(strata: Sequence[Stratum], *, alpha: float = 0.05) -> Calibrated:
    """Candidate minus incumbent from people's labels in strata of the judge's difference.

    theta = sum of w_k·mean_k; Var = sum of w_k²s_k²/n_k + sum of w_k(mean_k - theta)²/N: the first part for labelling
    only some, the second for having only N questions of all there could be (stratified sampling: Cochran 1977, sections
    5.3 and 5.6; as PPI: Fisch et al. 2024, arXiv 2406.04291). Half a win and half a loss are added to each s_k;
    Student's t has Satterthwaite's degrees of freedom. There is no factor for a finite pool besides: the second part is
    that already. Without labels in a stratum there is no interval.
    """
    used = [stratum for stratum in strata if stratum.size > 0]
    labels = [as_values(stratum.labels) for stratum in used]
    count = sum(len(found) for found in labels)
    if any(len(found) and np.abs(found).max() > 1 for found in labels):
        raise ValueError("differences lie between -1 and 1")
    if any(len(stratum.labels) > stratum.size for stratum in strata):
        raise ValueError("a stratum has more labels than cases")
    if not used or any(len(found) == 0 for found in labels):
        lacking = sum(stratum.size for stratum in used if not stratum.labels)
        reason = f"{lacking:,} judged cases are in strata without a label" if used else "there are no cases"
        return Calibrated(0.0, -1.0, 1.0, "none", count, alpha, reason)
    sizes = np.array([stratum.size for stratum in used], dtype=np.float64)
    n = np.array([len(found) for found in labels], dtype=np.float64)
    w = sizes / sizes.sum()
    means = np.array([found.mean() for found in labels])
    value = float(w @ means)
    spreads = np.array([_spread(found) for found in labels])
    within, between = w**2 * spreads / n, float(w @ (means - value) ** 2) / float(sizes.sum())
    variance = float(within.sum()) + between
    degrees = variance**2 / float((within**2 / n).sum() + between**2 / max(float(sizes.sum()) - 1, 1))
    half = t_two_sided(alpha, degrees) * sqrt(variance)
    plain = float(w @ (spreads + (means - value) ** 2))
    return Calibrated(
        value,
        max(-1.0, value - half),
        min(1.0, value + half),
        "stratified-ppi",
        count,
        alpha,
        f"{count} labels in {len(used)} strata of {int(sizes.sum())} judged cases",
        weight=1.0,
        effective=plain / variance,
    )


def _spread(labels: Floats) -> float:
    """The variance of labels with half a win and half a loss added, so that ten ties in the stratum of ties do not say
    that it holds nothing else. Ours, by simulation; see `tests/oracles/test_ppi.py`."""
    n = len(labels) + 1
    mean = float(labels.sum()) / n
    return (float(labels @ labels) + 1 - n * mean**2) / (n - 1)
