"""One line of a run: what a system gave for one case and replica, and how it scored; and its form in the ledger."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.evals.output import Output
from assay.evals.scorer import Score


@dataclass(frozen=True, slots=True)
class Result:
    """`ordinal` is the case's place in its set. `output` is None where the system failed; then `error` is
    `code: message` and every metric that applies scores 0. `cost_usd` is of the output, cached or not (None:
    unpriced); `judge_...` are of the scorers: calls with the cached ones, and of those executed count and cost.
    """

    ordinal: int
    replica: int
    case_id: str
    output: Output | None
    scores: Mapping[str, Score]
    error: str = ""
    cost_usd: float | None = 0.0
    latency_ms: float = 0.0
    judge_calls: int = 0
    judge_paid_calls: int = 0
    judge_cost_usd: float | None = 0.0
    judge_ms: float = 0.0

    @property
    def retry(self) -> bool:
        """True where the system or a scorer failed: it stands as it is, and is tried again when the run is resumed."""
        return bool(self.error) or any(score.value is None for score in self.scores.values())


@dataclass(slots=True)
class Standing:
    """How a run stands: results, how many of them are to be tried again, and sums of all scores by metric.

    Kept beside the run, so that a resumed one shows running means without reading what it has. What failed is in the
    sums as the scoreboard counts it, at 0, or a mean would be of what was easy to answer. `attempts` are
    the processes that began and did not say that they ended (one at work now, and those that were killed), with how
    many results each has written.
    """

    results: int = 0
    failed: int = 0
    sums: dict[str, tuple[float, int]] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)

    def add(self, scores: Mapping[str, Score], *, failed: bool) -> None:
        """Count one result."""
        self._count(scores, 1, failed=failed)

    def take_back(self, scores: Mapping[str, Score]) -> None:
        """Forget a failed result that was counted with these scores: it has been tried again."""
        self._count(scores, -1, failed=True)

    def means(self) -> dict[str, float]:
        """The mean of each metric over the results it applies to, what failed at 0."""
        return {metric: total / count for metric, (total, count) in self.sums.items() if count > 0}

    def _count(self, scores: Mapping[str, Score], sign: int, *, failed: bool) -> None:
        self.results += sign
        self.failed += sign * failed
        for metric, score in scores.items():
            total, count = self.sums.get(metric, (0.0, 0))
            self.sums[metric] = (total + sign * (score.value or 0.0), count + sign)

    def as_json(self) -> str:
        """As kept with the run; `standing_from` reads it back."""
        return json.dumps(
            {"results": self.results, "failed": self.failed, "sums": self.sums, "attempts": self.attempts}
        )


def standing_from(text: str | None) -> Standing:
    """The standing `as_json` wrote; a new one for None."""
    if not text:
        return Standing()
    shape = json.loads(text)
    sums = {name: (total, n) for name, (total, n) in shape["sums"].items()}
    return Standing(shape["results"], shape["failed"], sums, shape["attempts"])


def scores_json(scores: Mapping[str, Score]) -> str:
    """A metric's value alone where that is all there is, else `[value, error, reasoning, details]`.

    Raises ValueError or TypeError for a value that is not finite and details that are not JSON.
    """
    shape = {
        metric: [score.value, score.error, score.reasoning, dict(score.details)]
        if score.value is None or score.error or score.reasoning or score.details
        else score.value
        for metric, score in scores.items()
    }
    return json.dumps(shape, separators=(",", ":"), allow_nan=False)


def scores_from(text: str) -> dict[str, Score]:
    """The scores `scores_json` wrote."""
    shape: dict[str, Any] = json.loads(text)
    return {metric: Score(*kept) if isinstance(kept, list) else Score(kept) for metric, kept in shape.items()}
