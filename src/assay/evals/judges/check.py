"""A judge against people: how far it agrees, where it errs, what it costs, and so what it may be used for.

Statistics of `assay.stats.agreement`; intervals resample whole clusters. A case on which the judge failed stays in
`n` and shows as bounds on the agreement. Of pairs judged in both orders a verdict that changed with the order is a tie;
ties have no cell in the table and are counted beside it. Words are made of the figures in `judges.verdict`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadInput
from assay.evals.judges.labels import Label
from assay.evals.judges.report import ArmRates, ErrorGap, HumanAgreement, LengthBand, LengthBias, PositionBias, Report
from assay.evals.judges.verdict import verdict
from assay.stats.agreement import (
    FEWEST_CLUSTERS,
    FEWEST_RESAMPLED,
    agreement,
    auroc,
    cohen_kappa,
    confusion,
    fisher_exact,
    holm,
    independent_difference,
    krippendorff_alpha,
    pearson,
    swapped_clusters,
    undefined,
    without_limits,
)
from assay.stats.bootstrap import bootstrap
from assay.stats.interval import Interval
from assay.stats.mean import clustered_t, mean_interval

_DRAWS = 1_000
_FEWEST_PER_BAND = 10

Floats = NDArray[np.float64]
Strings = NDArray[np.str_]


def check(
    labels: Sequence[Label],
    *,
    key: str = "recorded",
    threshold: float = 0.5,
    label_threshold: float = 0.5,
    alpha: float = 0.05,
) -> Report:
    """The report on a judge whose scores stand in `labels` (see `judges.labels.judged`).

    A score from `threshold` on is a verdict of good, a label from `label_threshold` on says good. Raises `BadInput`
    where there is nothing to compare.
    """
    found = [label for label in labels if label.score is not None]
    if not found:
        raise BadInput("The judge gave no usable verdict on any label.", hint="Look at the errors of its scores.")
    rows = _Rows.of(found, threshold=threshold, label_threshold=label_threshold)
    sided = rows.only(rows.sided)
    if not len(sided.score):
        raise BadInput("Every verdict or label is a tie.", hint="Add labels on which people take a side.")
    table = agreement(sided.good, sided.truth, clusters=sided.clusters, alpha=alpha, draws=2 * _DRAWS)
    failed, right = len(labels) - len(found), table.share.value * len(sided.score)
    gaps = _gaps(sided, alpha=alpha)
    phi, saves = table.phi, table.phi.value**2
    position, length, human = _position(found, rows, alpha), _length(rows, alpha), _human(labels, label_threshold)
    base_rate = mean_interval(sided.truth.astype(float), clusters=sided.clusters, alpha=alpha)
    uses, words = verdict(
        table=table.table,
        phi=phi,
        kappa=table.kappa,
        base_rate=base_rate.value,
        arms=len(set(sided.arm)),
        unequal=[f"{gap.rate} on {gap.arm}" for gap in gaps if gap.differs],
        widest_gap=max((max(abs(gap.gap.low), abs(gap.gap.high)) for gap in gaps), default=None),
        consistent=position.consistent if position else None,
        lean=position.lean if position else None,
        slope=length.slope if length else None,
        human_kappa=human.kappa if human else None,
        failed=failed,
        n=len(labels),
    )
    costs = [label.cost_usd for label in labels]
    return Report(
        key=key,
        n=len(labels),
        failed=failed,
        ties=len(found) - len(sided.score),
        clusters=len(set(rows.cluster)),
        threshold=threshold,
        base_rate=base_rate,
        table=table.table,
        share=table.share,
        agreement_bounds=(right / (len(sided.score) + failed), (right + failed) / (len(sided.score) + failed)),
        kappa=table.kappa,
        ac1=table.ac1,
        phi=phi,
        rho=_resampled(pearson, rows, rows.label, rows.score, alpha=alpha),
        auroc=_resampled(auroc, sided, sided.truth, sided.score, alpha=alpha),
        saves=saves,
        arms=_arms(sided, alpha),
        gaps=gaps,
        position=position,
        length=length,
        human=human,
        calls=sum(label.calls for label in labels),
        cost_usd=None if any(cost is None for cost in costs) else sum(cost or 0.0 for cost in costs),
        uses=uses,
        verdict=words,
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """Labels as columns. `sided` are the cases on which neither the judge nor people left the question open."""

    score: Floats
    label: Floats
    good: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    sided: NDArray[np.bool_]
    arm: Strings
    cluster: Strings
    length: Floats

    @classmethod
    def of(cls, labels: Sequence[Label], *, threshold: float, label_threshold: float) -> "_Rows":
        score = np.array([_merged(label) for label in labels])
        human = np.array([label.label for label in labels])
        pairs = any(label.swapped is not None for label in labels)
        open_ = (score == 0.5) | (human == 0.5) if pairs else np.zeros(len(score), dtype=bool)
        return cls(
            score=score,
            label=human,
            good=score >= threshold,
            truth=human >= label_threshold,
            sided=~open_,
            arm=np.array([label.arm for label in labels], dtype=np.str_),
            cluster=np.array([label.cluster or label.case for label in labels], dtype=np.str_),
            length=np.array([np.nan if label.length is None else label.length for label in labels]),
        )

    def only(self, rows: NDArray[Any]) -> "_Rows":
        return _Rows(*(getattr(self, name)[rows] for name in self.__slots__))

    @property
    def clusters(self) -> Strings | None:
        """Names to resample by; None where every case is its own."""
        return self.cluster if len(set(self.cluster)) < len(self.cluster) else None


def _merged(label: Label) -> float:
    assert label.score is not None
    return label.score if label.swapped is None or label.swapped == label.score else 0.5


def _resampled(
    statistic: Callable[..., float], rows: _Rows, truth: NDArray[Any], score: Floats, *, alpha: float
) -> Interval:
    """A statistic of scores and truth; undefined where either does not vary, without limits where those would be too
    narrow, as they are where no resample differs from another."""
    units = len(set(rows.cluster))
    if (truth == truth[0]).all() or (statistic is pearson and (score == score[0]).all()):
        return undefined(units, alpha=alpha, reason="the labels or the scores do not vary")
    value = statistic(score, truth)
    if units < (FEWEST_RESAMPLED if rows.clusters is None else FEWEST_CLUSTERS):
        return without_limits(value, units, alpha=alpha)
    found = bootstrap(statistic, score, truth, clusters=rows.clusters, alpha=alpha, draws=_DRAWS)
    return found if found.low < found.high else without_limits(value, units, alpha=alpha)


def _arms(rows: _Rows, alpha: float) -> tuple[ArmRates, ...]:
    def rate(where: NDArray[np.bool_], right: NDArray[np.bool_]) -> Interval:
        clusters = rows.cluster[where]
        if not where.any():
            return undefined(0, alpha=alpha, reason="there is no such case")
        return mean_interval(right[where].astype(float), clusters=clusters, alpha=alpha)

    return tuple(
        ArmRates(
            str(arm) or "all",
            int((rows.arm == arm).sum()),
            rate((rows.arm == arm) & rows.truth, rows.good),
            rate((rows.arm == arm) & ~rows.truth, ~rows.good),
        )
        for arm in sorted(set(rows.arm))
    )


def _gaps(rows: _Rows, *, alpha: float) -> tuple[ErrorGap, ...]:
    """Each arm against the rest, in both rates; of two arms one comparison says it all."""
    arms = sorted(set(rows.arm))
    if len(arms) < 2:
        return ()
    found: list[tuple[str, str, Interval, float]] = []
    for arm in arms[:1] if len(arms) == 2 else arms:
        for name, right in (("sensitivity", rows.truth), ("specificity", ~rows.truth)):
            here, hit = (rows.arm == arm)[right], (rows.good == rows.truth)[right]
            counts = [int((hit & here).sum()), int(here.sum()), int((hit & ~here).sum()), int((~here).sum())]
            gap = independent_difference(*counts, alpha=alpha)
            if rows.clusters is None:
                p = fisher_exact(counts[0], counts[1] - counts[0], counts[2], counts[3] - counts[2])
            else:
                p = swapped_clusters(hit, here, rows.cluster[right]) if len(hit) else 1.0
            found.append((name, str(arm), gap, p))
    adjusted = holm([p for *_, p in found])
    return tuple(
        ErrorGap(name, arm, gap, p, p <= alpha) for (name, arm, gap, _), p in zip(found, adjusted, strict=True)
    )


def _position(labels: Sequence[Label], rows: _Rows, alpha: float) -> PositionBias | None:
    both = np.array([label.swapped is not None for label in labels])
    if not both.any():
        return None
    pairs = [label for label in labels if label.swapped is not None]
    consistent = [float(label.score == label.swapped) for label in pairs]
    lean = [((label.score or 0.0) - (label.swapped or 0.0) + 1) / 2 for label in pairs]
    clusters = rows.cluster[both]
    return PositionBias(
        len(pairs),
        mean_interval(consistent, clusters=clusters, alpha=alpha),
        mean_interval(lean, clusters=clusters, alpha=alpha),
    )


def _length(rows: _Rows, alpha: float) -> LengthBias | None:
    rows = rows.only(np.isfinite(rows.length))
    if len(rows.score) < 3 * _FEWEST_PER_BAND or rows.length.min() == rows.length.max():
        return None
    cuts = np.quantile(rows.length, [1 / 3, 2 / 3])
    band = np.searchsorted(cuts, rows.length, side="left")
    excess = rows.score - rows.label
    if min(np.bincount(band, minlength=3)) < _FEWEST_PER_BAND:
        return None
    bands = []
    for place in range(3):
        here = band == place
        bands.append(
            LengthBand(
                float(rows.length[here].min()),
                float(rows.length[here].max()),
                int(here.sum()),
                float(rows.score[here].mean()),
                float(rows.label[here].mean()),
                clustered_t(excess[here], rows.cluster[here], alpha=alpha),
            )
        )

    def slope(values: Floats, places: NDArray[Any]) -> float:
        top, bottom = values[places == 2], values[places == 0]
        return float(top.mean() - bottom.mean()) if len(top) and len(bottom) else 0.0

    return LengthBias(tuple(bands), bootstrap(slope, excess, band, clusters=rows.clusters, alpha=alpha, draws=_DRAWS))


def _human(labels: Sequence[Label], threshold: float) -> HumanAgreement | None:
    rated = [label.labels for label in labels if len(label.labels) > 1]
    if not rated:
        return None
    people = max(len(row) for row in rated)
    kappas = []
    for first in range(people):
        for second in range(first + 1, people):
            both = [(row[first], row[second]) for row in rated if len(row) > second]
            a, b = (np.array(column) >= threshold for column in zip(*both, strict=True))
            if len({*a, *b}) > 1:  # one verdict throughout defines none
                kappas.append(cohen_kappa(confusion(a, b)))
    graded = any(value not in (0.0, 1.0) for row in rated for value in row)
    mean = float(np.mean(kappas)) if kappas else float("nan")
    return HumanAgreement(len(rated), people, mean, krippendorff_alpha(rated, graded=graded))
