"""What a comparison says: the verdict, the interval it was read from, and what lay beside it.

Invariant: BETTER exactly when the interval lies above 0, WORSE exactly when it lies below, UNDECIDED otherwise.
"""

from dataclasses import dataclass
from typing import Literal

from assay.decisions.pairs import Unpaired
from assay.stats.interval import Interval

Verdict = Literal["BETTER", "WORSE", "UNDECIDED"]


@dataclass(frozen=True, slots=True)
class Change:
    """A cost or a latency of both systems over `pairs` cases.

    `ratio` and `difference` say candidate against incumbent; None where the data are too few or the incumbent's is 0.
    """

    incumbent: float
    candidate: float
    pairs: int
    ratio: Interval | None
    difference: Interval | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two result lists say about the candidate.

    `difference` is the mean improvement in the unit of the score: candidate minus incumbent, or the reverse where
    lower is better, so above 0 is always good. `cost` holds totals in US dollars over the cases priced on both
    sides, `latency` the 95th percentiles in milliseconds. `detectable` is the smallest true improvement that such
    data show 4 times in 5, in the unit of the score, None if nothing can be seen. `clusters` is None where no line
    named one. `notes` are sentences a reader must see: what was unpaired, repeated, failed.
    """

    verdict: Verdict
    difference: Interval
    incumbent_mean: float
    candidate_mean: float
    wins: int
    losses: int
    ties: int
    n: int
    clusters: int | None
    cost: Change | None
    latency: Change | None
    detectable: float | None
    unpaired: Unpaired
    unit_scale: bool
    lower_is_better: bool
    notes: tuple[str, ...]


def verdict_of(difference: Interval) -> Verdict:
    """The verdict an interval of the improvement gives, and the only place where one is made."""
    if difference.low > 0:
        return "BETTER"
    return "WORSE" if difference.high < 0 else "UNDECIDED"
