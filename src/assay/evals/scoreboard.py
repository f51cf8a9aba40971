"""What a run shows: every metric with its error bar, what failed, what it cost and how long it took.

Invariants: a metric's denominator is every case it applies to. `value` counts what a judge failed to score as 0, like
what the system failed to answer; `low` is the lower limit with those scores at 0 and `high` the upper limit with them
at 1, so judge failures widen the bar and never improve the score. Cases of one cluster count as what they are.
Proved by `tests/unit/evals/test_scoreboard.py` and, for the intervals, `tests/oracles/test_rate_coverage.py`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

import numpy as np

from assay.evals.columns import CaseScores, Columns, Floats, Indexes, ResultRow, Row, as_indexes
from assay.evals.explore import CORRECTNESS
from assay.evals.slices import Slices, slice_by_tag
from assay.stats.bootstrap import bootstrap_mean, bootstrap_quantile, quantile
from assay.stats.interval import Interval
from assay.stats.mean import mean_interval
from assay.stats.risk_coverage import RiskCoverage, risk_coverage, risk_coverage_interval

__all__ = ["Cost", "Latency", "Metric", "Row", "Scoreboard", "headline", "measure_scores", "scoreboard"]

FEWEST_BOOTSTRAPPED = 100
"""Percentile limits from fewer cases are too narrow to show."""

_PREFERRED_CUTS = {"ndcg": ("10",), "evidence_recall": ("5", "2000t")}
_CUT = re.compile(r"^(.+)@(\d+)t?$")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric over the cases it applies to.

    `value`, `low`, `high`: see the module. `n` cases in `clusters` clusters (equal where none share one). `failed`
    cases are those in which the system (`errors`) or the scorer (`unscored`) failed at least once. `worst` and `best`
    are the means with unscored ones at 0 and at 1; `judged` is the mean of what was scored, which says nothing of the
    rest. Where lower is better (aurc) the two trade places.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    failed: int
    method: str
    reason: str
    worst: float
    best: float
    judged: float | None
    errors: int
    unscored: int
    clusters: int
    alpha: float = 0.05
    lower_is_better: bool = False

    def as_json(self) -> dict[str, Any]:
        """The documented keys first."""
        first = ("value", "low", "high", "n", "failed", "method", "reason")
        rest = ("worst", "best", "judged", "errors", "unscored", "clusters", "alpha", "lower_is_better")
        return {key: getattr(self, key) for key in (*first, *rest)}


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars of the system's answers. `mean` is over the `priced` answers; `unpriced` ones are not counted as 0."""

    total: float
    mean: Interval | None
    priced: int
    unpriced: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of the `n` answers that came; failures are not timed. Limits are infinite under 100 cases."""

    p50: Interval
    p95: Interval
    n: int


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """Everything a run's results show. `rows` answers to `cases` questions, `failed` of them system failures."""

    metrics: Mapping[str, Metric]
    cases: int
    rows: int
    failed: int
    cost: Cost
    latency: Latency | None
    slices: Slices
    risk: RiskCoverage | None = None
    alpha: float = 0.05
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """The object of `assay eval --json` but for the run's own figures; null for an infinite limit."""
        return {
            "metrics": {name: metric.as_json() for name, metric in self.metrics.items()},
            "cases": self.cases,
            "rows": self.rows,
            "failed": self.failed,
            "answer_cost": {
                "total_usd": self.cost.total,
                "mean_usd": interval_json(self.cost.mean),
                "priced": self.cost.priced,
                "unpriced": self.cost.unpriced,
            },
            "latency_ms": self.latency
            and {"p50": interval_json(self.latency.p50), "p95": interval_json(self.latency.p95), "n": self.latency.n},
            "slices": self.slices.as_json(),
            "alpha": self.alpha,
            "notes": list(self.notes),
        }


def scoreboard(
    rows: Iterable[ResultRow] | Columns,
    *,
    alpha: float = 0.05,
    fewest_in_slice: int = 20,
    correctness: Sequence[str] = CORRECTNESS,
    metrics: Sequence[str] | None = None,
) -> Scoreboard:
    """The scoreboard of a run's results, in one pass over `rows`.

    `metrics` chooses and orders what is shown (default: all, as they come); one that applies to nothing is a note.
    Slices are by tag, of `fewest_in_slice` cases or more. Raises `ValueError` for an alpha outside 0 to 1.
    """
    columns = rows if isinstance(rows, Columns) else Columns(rows)
    clusters = columns.clusters
    names = [name for name in metrics if name in columns.metrics] if metrics is not None else columns.metrics
    scores = {name: columns.scores(name) for name in names}
    measured = {name: measure_scores(name, column, clusters, alpha=alpha) for name, column in scores.items()}
    risk, area = _risk(columns, correctness, clusters, alpha=alpha)
    if area is not None:
        measured[area.name] = area
    if metrics is not None:
        measured = {name: measured[name] for name in dict.fromkeys(metrics) if name in measured}
    return Scoreboard(
        metrics=measured,
        cases=columns.count,
        rows=columns.rows,
        failed=columns.failed_rows,
        cost=_cost(columns, clusters, alpha=alpha),
        latency=_latency(columns, clusters, alpha=alpha),
        slices=slice_by_tag(scores, columns.tags, clusters, fewest=fewest_in_slice, alpha=alpha),
        risk=risk,
        alpha=alpha,
        notes=(*_notes(columns, measured), *_missing(metrics or (), measured, columns)),
    )


def headline(metrics: Iterable[str]) -> list[str]:
    """The metrics to show first: of those at several cuts (`@k`, `@tokens`) one, at 5 (nDCG: 10) or the deepest k."""
    names = list(metrics)
    cuts: dict[str, list[str]] = {}
    for name in names:
        if match := _CUT.match(name):
            cuts.setdefault(match[1], []).append(name.rpartition("@")[2])
    shown = {}
    for family, found in cuts.items():
        wanted = [cut for cut in _PREFERRED_CUTS.get(family, ("5",)) if cut in found]
        shown[family] = wanted or [max(found, key=lambda cut: (not cut.endswith("t"), int(cut.rstrip("t"))))]
    return [name for name in names if not (match := _CUT.match(name)) or name.rpartition("@")[2] in shown[match[1]]]


def measure_scores(name: str, scores: CaseScores, clusters: Indexes, *, alpha: float = 0.05) -> Metric:
    """One metric with its interval; `clusters` are those of all cases of the run."""
    codes = clusters[scores.cases]
    low = mean_interval(scores.worst, clusters=codes, alpha=alpha)
    unscored = int(scores.unscored.sum())
    high = mean_interval(scores.best, clusters=codes, alpha=alpha) if unscored else low
    reason = low.reason
    if unscored:
        reason += f"; {unscored:,} not scored by the judge count as 0 in the lower limit and as 1 in the upper"
    there = scores.judged[~np.isnan(scores.judged)]
    return Metric(
        name=name,
        value=low.value,
        low=low.low,
        high=high.high,
        n=len(scores.cases),
        failed=int((scores.errors | scores.unscored).sum()),
        method=low.method,
        reason=reason,
        worst=low.value,
        best=high.value,
        judged=float(there.mean()) if len(there) else None,
        errors=int(scores.errors.sum()),
        unscored=unscored,
        clusters=len(np.unique(codes)),
        alpha=alpha,
    )


def interval_json(interval: Interval | None) -> dict[str, Any] | None:
    """An interval as plain numbers, null where a limit is infinite."""
    if interval is None:
        return None
    return {
        "value": interval.value,
        "low": interval.low if isfinite(interval.low) else None,
        "high": interval.high if isfinite(interval.high) else None,
        "method": interval.method,
    }


def _cost(columns: Columns, clusters: Indexes, *, alpha: float) -> Cost:
    costs = np.frombuffer(columns.costs_usd, dtype=np.float64) if len(columns.costs_usd) else np.zeros(0)
    mean = None
    if len(costs):
        value, units = float(costs.mean()), clusters[as_indexes(columns.cost_cases)]
        if len(np.unique(units)) >= FEWEST_BOOTSTRAPPED and value > 0:
            mean = bootstrap_mean(costs, clusters=units, alpha=alpha)
        else:
            mean = _no_interval(value, len(costs), alpha=alpha)
    return Cost(float(costs.sum()), mean, len(costs), columns.unpriced)


def _latency(columns: Columns, clusters: Indexes, *, alpha: float) -> Latency | None:
    if not len(columns.latencies_ms):
        return None
    times = np.frombuffer(columns.latencies_ms, dtype=np.float64)
    units = clusters[as_indexes(columns.latency_cases)]
    if len(np.unique(units)) >= FEWEST_BOOTSTRAPPED:
        p50, p95 = (bootstrap_quantile(times, q=q, units=units, alpha=alpha) for q in (0.5, 0.95))
    else:
        p50, p95 = (_no_interval(quantile(times, q), len(times), alpha=alpha) for q in (0.5, 0.95))
    return Latency(p50, p95, len(times))


def _no_interval(value: float, n: int, *, alpha: float) -> Interval:
    reason = f"fewer than {FEWEST_BOOTSTRAPPED} independent cases: a bootstrap interval would be too narrow"
    return Interval(value, -float("inf"), float("inf"), "none", n, alpha, reason)


def _risk(
    columns: Columns, correctness: Sequence[str], clusters: Indexes, *, alpha: float
) -> tuple[RiskCoverage | None, Metric | None]:
    """The risk-coverage curve and its area over all cases with a known correctness; nothing without confidences."""
    confidence = columns.confidence
    if not np.isfinite(confidence).any():
        return None, None
    worst, best = _correct(columns, correctness)
    cases = np.flatnonzero(~np.isnan(worst))
    if not len(cases):
        return None, None
    # A case that failed or gave no confidence is answered last of all: nothing supports it.
    surest = np.where(np.isnan(confidence), -1.0, confidence)[cases]
    losses = 1 - worst[cases], 1 - best[cases]
    curve = risk_coverage(surest, losses[0])
    codes = clusters[cases]
    unsure, unscored = int((surest < 0).sum()), int((losses[0] != losses[1]).sum())
    metric = _area(surest, losses, codes, curve, alpha=alpha)
    return curve, replace(
        metric, failed=int(((surest < 0) | (losses[0] != losses[1])).sum()), errors=unsure, unscored=unscored
    )


def _area(
    surest: Floats, losses: tuple[Floats, Floats], codes: Indexes, curve: RiskCoverage, *, alpha: float
) -> Metric:
    n, units = len(surest), len(np.unique(codes))
    low, high, method = 0.0, 1.0, "none"
    reason = f"fewer than {FEWEST_BOOTSTRAPPED} independent cases: a bootstrap interval would be too narrow"
    floor = risk_coverage(surest, losses[1]).area
    if units >= FEWEST_BOOTSTRAPPED:
        draws = max(200, min(1_000, 10_000_000 // n))
        upper = risk_coverage_interval(surest, losses[0], clusters=codes, alpha=alpha, draws=draws)
        lower = upper
        if floor < curve.area:
            lower = risk_coverage_interval(surest, losses[1], clusters=codes, alpha=alpha, draws=draws)
        low, high, method = max(0.0, lower.low), min(1.0, upper.high), upper.method
        reason = "an area under a curve is no mean of cases, so whole cases or clusters are resampled"
    return Metric(
        "aurc", curve.area, low, high, n, 0, method, reason, curve.area, floor, None, 0, 0, units, alpha,
        lower_is_better=True,
    )  # fmt: skip


def _correct(columns: Columns, correctness: Sequence[str]) -> tuple[Floats, Floats]:
    """Each case's two bounds on its correctness, NaN where no metric says."""
    worst, best = np.full(columns.count, np.nan), np.full(columns.count, np.nan)
    for name in correctness:
        if name not in columns.metrics:
            continue
        scores = columns.scores(name)
        new = np.isnan(worst[scores.cases])
        worst[scores.cases[new]] = scores.worst[new]
        best[scores.cases[new]] = scores.best[new]
    return worst, best


def _notes(columns: Columns, measured: Mapping[str, Metric]) -> list[str]:
    notes = []
    if columns.failed_rows:
        notes.append(f"The system failed on {columns.failed_rows:,} of {columns.rows:,} questions: they score 0.")
    unscored = {name: metric.unscored for name, metric in measured.items() if metric.unscored}
    if unscored:
        listed = ", ".join(f"{name} {count:,}" for name, count in unscored.items())
        notes.append(f"Not scored because the judge failed: {listed}. They stay in the denominator as bounds.")
    for name in columns.pairs.keys() & measured.keys():
        notes.append(_pairs_note(measured[name], columns))
    if columns.rows > columns.count:
        notes.append(f"{columns.rows:,} answers to {columns.count:,} questions: averaged within each question first.")
    if columns.unpriced:
        failed = ", and neither is what the failed ones cost" if columns.failed_rows else ""
        answers = "1 answer has" if columns.unpriced == 1 else f"{columns.unpriced:,} answers have"
        notes.append(f"{answers} no known price and no part in the cost{failed}.")
    return notes


def _missing(asked: Sequence[str], measured: Mapping[str, Metric], columns: Columns) -> list[str]:
    """What was asked for and is not there must be said: a metric that is silently absent reads as one that is fine."""
    missing = [name for name in dict.fromkeys(asked) if name not in measured] if columns.rows else []
    notes = []
    if "aurc" in missing:
        missing.remove("aurc")
        without = "confidence" if not np.isfinite(columns.confidence).any() else "correctness"
        notes.append(f"No aurc: the answers have no {without}.")
    if missing:
        notes.append(f"No {', '.join(missing)}: no case or no answer has what it is computed from.")
    return notes


def _pairs_note(metric: Metric, columns: Columns) -> str:
    """Whom a metric compares with, the cases that are not there, and how far the judge follows the order."""
    pairs = columns.pairs[metric.name]
    note = f"{metric.name} is against {pairs.against}; 0.5 is a tie."
    if missing := columns.count - metric.n:
        note += f" It does not apply to {missing:,} of {columns.count:,} cases, which have no answer there."
    if not pairs.judged:
        return note if metric.unscored else f"{note} No pair needed a judge."
    return (
        f"{note} Pairs judged in both orders: {pairs.judged:,}; the verdict changed with the order in "
        f"{pairs.disagreed:,}, which are ties."
    )
