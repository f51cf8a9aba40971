"""Results of a run as columns: one row at a time in, one number per case and metric out.

Invariants: nothing is dropped. The same question asked K times is averaged within its case first; where the system
failed it scores 0 on every metric that applies to the case; where the scorer failed the case stays, as two bounds: its
score if the missing one were 0, and if it were 1. Memory is 16 bytes a score, so 100,000 cases are tens of MB.
Proved by `tests/unit/evals/test_scoreboard.py`.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assay.evals.case import Case
from assay.evals.result import Result
from assay.evals.scorer import AGAINST, ORDERS_AGREE, Score

Floats = NDArray[np.float64]
Indexes = NDArray[np.intp]
Mask = NDArray[np.bool_]


class ResultRow(Protocol):
    """One answer of a run with its scores. `ordinal` is the case's place in its set, the same for all replicas.

    With an `error` (the system failed) the values in `scores` count as 0 and its keys say which metrics apply to the
    case. Where it has none: those another replica of the case has; else those that cases of the same `kind` (what is
    known about the answer) have; else every metric of the run. `confidence` is the system's own, or None.
    """

    @property
    def ordinal(self) -> int: ...
    @property
    def replica(self) -> int: ...
    @property
    def case_id(self) -> str: ...
    @property
    def cluster(self) -> str: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def kind(self) -> str: ...
    @property
    def error(self) -> str: ...
    @property
    def scores(self) -> "Mapping[str, Score | float | None]": ...
    @property
    def cost_usd(self) -> float | None: ...
    @property
    def latency_ms(self) -> float: ...
    @property
    def confidence(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Row:
    """A `ResultRow` as a value, for scores that come from elsewhere."""

    ordinal: int
    case_id: str
    scores: "Mapping[str, Score | float | None]" = field(default_factory=dict)
    replica: int = 0
    cluster: str = ""
    tags: tuple[str, ...] = ()
    kind: str = ""
    error: str = ""
    cost_usd: float | None = None
    latency_ms: float = nan
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class CaseScores:
    """One metric over the cases it applies to: per case its index, its two bounds, and what failed.

    `worst` and `best` are equal where every score is there; `judged` is the mean of what is there, NaN for nothing.
    `errors` marks cases in which the system failed, `unscored` those in which the scorer did.
    """

    cases: Indexes
    worst: Floats
    best: Floats
    judged: Floats
    errors: Mask
    unscored: Mask

    def only(self, keep: Mask) -> "CaseScores":
        """The same for the cases that `keep` marks."""
        bounds = self.worst[keep], self.best[keep], self.judged[keep]
        return CaseScores(self.cases[keep], *bounds, self.errors[keep], self.unscored[keep])


@dataclass(slots=True)
class Pairs:
    """What a metric's scores compare with, and of the pairs a judge saw in both orders, how often they disagreed."""

    against: str
    judged: int = 0
    disagreed: int = 0


class Columns:
    """Rows of one run, added one by one. `pairs` are of the metrics that compare two answers."""

    def __init__(self, rows: Iterable[ResultRow] = ()) -> None:
        self.case_ids: list[str] = []
        self.ordinals = array("q")
        self.rows = 0
        self.latencies_ms = array("d")
        self.latency_cases = array("q")
        self.costs_usd = array("d")
        self.cost_cases = array("q")
        self.unpriced = 0
        self.pairs: dict[str, Pairs] = {}
        self._failed = array("q")
        self._known: dict[int, int] = {}
        self._clusters = array("q")
        self._cluster_codes: dict[str, int] = {}
        self._kinds = array("q")
        self._kind_codes: dict[str, int] = {}
        self._tags: dict[str, array[int]] = {}
        self._metrics: dict[str, _Metric] = {}
        self._blank = array("q")
        self._confidence: dict[int, list[float]] = {}
        for row in rows:
            self.add(row)

    def add(self, row: ResultRow) -> None:
        """Take in one result."""
        case = self._case(row)
        self.rows += 1
        failed = bool(row.error)
        for name, score in row.scores.items():
            self._metric(name).add(case, 0.0 if failed else value_of(score), error=failed)
            if isinstance(score, Score) and AGAINST in score.details:
                self._compare(name, score)
        if failed:
            self._failed.append(case)
            if not row.scores:
                self._blank.append(case)
            return
        if isfinite(row.latency_ms):
            self.latencies_ms.append(row.latency_ms)
            self.latency_cases.append(case)
        if row.cost_usd is None:
            self.unpriced += 1
        else:
            self.costs_usd.append(row.cost_usd)
            self.cost_cases.append(case)
        if row.confidence is not None and isfinite(row.confidence):
            self._confidence.setdefault(case, []).append(row.confidence)

    @property
    def count(self) -> int:
        """The number of cases."""
        return len(self.case_ids)

    @property
    def failed_rows(self) -> int:
        """How many rows have an error."""
        return len(self._failed)

    @property
    def failed_cases(self) -> Indexes:
        """The cases of those rows, each once, rising."""
        return np.unique(as_indexes(self._failed))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, in the order they appeared."""
        return tuple(self._metrics)

    @property
    def tags(self) -> dict[str, Indexes]:
        """The cases of each tag."""
        return {tag: as_indexes(cases) for tag, cases in self._tags.items()}

    @property
    def clusters(self) -> Indexes:
        """Each case's cluster as a number; a case without one has its own."""
        codes = as_indexes(self._clusters).copy()
        alone = codes < 0
        codes[alone] = len(self._cluster_codes) + np.flatnonzero(alone)
        return codes

    @property
    def confidence(self) -> Floats:
        """Each case's mean confidence; NaN where the system gave none."""
        values = np.full(self.count, nan)
        for case, given in self._confidence.items():
            values[case] = sum(given) / len(given)
        return values

    def scores(self, metric: str) -> CaseScores:
        """The metric's scores per case; raises `KeyError` for a metric no row has."""
        return self._metrics[metric].per_case(self.count, self._blank_of(metric))

    def _case(self, row: ResultRow) -> int:
        case = self._known.get(row.ordinal)
        if case is None:
            case = self._known[row.ordinal] = len(self.case_ids)
            self.case_ids.append(row.case_id)
            self.ordinals.append(row.ordinal)
            codes = self._cluster_codes
            self._clusters.append(codes.setdefault(row.cluster, len(codes)) if row.cluster else -1)
            self._kinds.append(self._kind_codes.setdefault(row.kind, len(self._kind_codes)))
            for tag in dict.fromkeys(row.tags):
                self._tags.setdefault(tag, array("q")).append(case)
        return case

    def _compare(self, name: str, score: Score) -> None:
        pairs = self.pairs.setdefault(name, Pairs(str(score.details[AGAINST])))
        if ORDERS_AGREE in score.details:
            pairs.judged += 1
            pairs.disagreed += not score.details[ORDERS_AGREE]

    def _metric(self, name: str) -> "_Metric":
        found = self._metrics.get(name)
        if found is None:
            found = self._metrics[name] = _Metric()
        return found

    def _blank_of(self, metric: str) -> Indexes:
        """Cases of failed rows that name no metric, and to which `metric` must be taken to apply."""
        blank = as_indexes(self._blank)
        if not len(blank):
            return blank
        kinds = as_indexes(self._kinds)
        scored, scored_kinds = (np.zeros(size, dtype=bool) for size in (self.count, len(self._kind_codes)))
        for column in self._metrics.values():
            scored[as_indexes(column.cases)] = True
            scored_kinds[kinds[as_indexes(column.cases)]] = True
        own, own_kinds = np.zeros_like(scored), np.zeros_like(scored_kinds)
        own[as_indexes(self._metrics[metric].cases)] = True
        own_kinds[kinds[as_indexes(self._metrics[metric].cases)]] = True
        by_kind = own_kinds[kinds[blank]] | ~scored_kinds[kinds[blank]]
        return blank[np.where(scored[blank], own[blank], by_kind)]


class _Metric:
    """All scores of one metric: their cases and values, NaN where the scorer failed."""

    def __init__(self) -> None:
        self.cases = array("q")
        self.values = array("d")
        self.error_cases = array("q")

    def add(self, case: int, value: float, *, error: bool) -> None:
        self.cases.append(case)
        self.values.append(value)
        if error:
            self.error_cases.append(case)

    def per_case(self, count: int, blank: Indexes) -> CaseScores:
        cases = np.concatenate([as_indexes(self.cases), blank])
        values = np.concatenate([np.frombuffer(self.values, dtype=np.float64), np.zeros(len(blank))])
        missing = np.isnan(values)
        asked = np.bincount(cases, minlength=count)
        lost = np.bincount(cases, weights=missing, minlength=count)
        total = np.bincount(cases, weights=np.where(missing, 0.0, values), minlength=count)
        errors = np.zeros(count, dtype=bool)
        errors[np.concatenate([as_indexes(self.error_cases), blank])] = True
        there = np.flatnonzero(asked)
        asked, lost, total, errors = asked[there], lost[there], total[there], errors[there]
        judged = np.divide(total, asked - lost, out=np.full(len(there), nan), where=asked > lost)
        # A mean of repeats that are all 1 must be 1, not a hair beside it.
        worst, best = np.minimum(total / asked, 1.0), np.minimum((total + lost) / asked, 1.0)
        return CaseScores(there, worst, best, judged, errors, lost > 0)


def rows_of(results: Iterable[Result], cases: Sequence[Case]) -> Iterator[Row]:
    """A run's results with what their cases say; raises `IndexError` for a result of no case in the set."""
    kinds = [f"{case.answerable} {bool(case.answers)} {bool(case.evidence)}" for case in cases]
    for result in results:
        case, output = cases[result.ordinal], result.output
        yield Row(
            ordinal=result.ordinal,
            case_id=result.case_id,
            scores=result.scores,
            replica=result.replica,
            cluster=case.cluster,
            tags=case.tags,
            kind=kinds[result.ordinal],
            error=result.error,
            cost_usd=result.cost_usd,
            latency_ms=result.latency_ms,
            confidence=None if output is None else output.confidence,
        )


def as_indexes(cases: "array[int]") -> Indexes:
    """The numbers of an `array('q')`, without a copy."""
    return np.frombuffer(cases, dtype=np.int64) if len(cases) else np.zeros(0, dtype=np.int64)


def value_of(score: Score | float | None) -> float:
    """The number of a score; NaN where there is none, or none between 0 and 1: such a score is a failed one."""
    value = score.value if isinstance(score, Score) else score
    return float(value) if value is not None and 0 <= value <= 1 else nan
