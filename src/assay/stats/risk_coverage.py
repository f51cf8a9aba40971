"""Does a system know when it is wrong? The error among the answers it is surest of, for every share answered.

At coverage c only the share c of cases with the highest confidence is answered; the risk is their mean loss. The area
under that curve is its mean over all coverages k/n (Geifman and El-Yaniv 2017, arXiv 1705.08500; as an average, 2019,
arXiv 1805.08206). Equal confidences have no order, so the area is its expectation over all orders of them. Lower is
better; a system whose confidence says nothing has an area of about its mean loss.
Invariant: the area does not depend on the order of the cases. Proved by `tests/unit/stats/test_risk_coverage.py`.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.stats.bootstrap import draw_weights, percentile_interval
from assay.stats.clusters import Codes, Floats, as_codes, as_values
from assay.stats.interval import Interval


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The curve at the ends of equal confidences: `coverage` rising to 1, and the mean loss up to there."""

    coverage: Floats
    risk: Floats
    area: float


def risk_coverage(confidence: Sequence[float] | NDArray[Any], loss: Sequence[float] | NDArray[Any]) -> RiskCoverage:
    """The curve of `loss` (0 right to 1 wrong) by falling `confidence`; raises `ValueError` for no cases."""
    values, codes = _ranked(confidence, loss)
    levels = int(codes.max()) + 1
    weights = np.bincount(codes, minlength=levels).astype(np.float64)
    losses = np.bincount(codes, weights=values, minlength=levels)
    n = len(values)
    area = _area(weights, losses)
    return RiskCoverage(np.cumsum(weights) / n, np.cumsum(losses) / np.cumsum(weights), area)


def risk_coverage_interval(
    confidence: Sequence[float] | NDArray[Any],
    loss: Sequence[float] | NDArray[Any],
    *,
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    alpha: float = 0.05,
    draws: int = 1_000,
    seed: int = 0,
) -> Interval:
    """The area with its percentile bootstrap interval over cases or whole clusters; trust it from 100 units on."""
    values, codes = _ranked(confidence, loss)
    shared = as_codes(clusters, len(values))
    units = np.arange(len(values)) if shared is None else shared
    levels = int(codes.max()) + 1
    areas = np.empty(draws)
    for draw, weights in enumerate(draw_weights(units, draws=draws, seed=seed)):
        counts = np.bincount(codes, weights=weights, minlength=levels)
        areas[draw] = _area(counts, np.bincount(codes, weights=weights * values, minlength=levels))
    area = risk_coverage(confidence, loss).area
    return percentile_interval(area, areas, n=int(units.max()) + 1, alpha=alpha, clustered=shared is not None)


def _ranked(confidence: Sequence[float] | NDArray[Any], loss: Sequence[float] | NDArray[Any]) -> tuple[Floats, Codes]:
    surest, values = as_values(confidence), as_values(loss)
    if len(surest) != len(values) or len(values) == 0:
        raise ValueError(f"{len(surest)} confidences and {len(values)} losses make no curve")
    codes = np.unique(-surest, return_inverse=True)[1].astype(np.intp)
    return values, codes


def _area(weights: NDArray[Any], losses: NDArray[Any]) -> float:
    """The area from the number of cases and their summed loss per level of confidence, surest first.

    Within a level of w cases with mean loss e, after W cases with total loss E, the expected risk at the j-th is
    (E + j·e)/(W + j); summed over j it is e·w + (E - e·W)·(H(W+w) - H(W)) with harmonic numbers H.
    """
    ends = np.rint(np.cumsum(weights)).astype(np.intp)
    starts = ends - np.rint(weights).astype(np.intp)
    before = np.cumsum(losses) - losses
    mean = np.divide(losses, weights, out=np.zeros_like(losses), where=weights > 0)
    n = int(ends[-1])
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n + 1))])
    risks = losses + (before - mean * starts) * (harmonic[ends] - harmonic[starts])
    return float(risks.sum() / n)
