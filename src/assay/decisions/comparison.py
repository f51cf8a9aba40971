"""What a comparison says: the verdict, the interval it was read from, and what lay beside it; of one or of many.

Invariant: BETTER exactly when the interval lies above 0, WORSE exactly when it lies below, UNDECIDED otherwise.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from assay.decisions.pairs import Unpaired
from assay.stats.interval import Interval

Verdict = Literal["BETTER", "WORSE", "UNDECIDED"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


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
    `margin`, in the unit of the score, is how much worse still counts as not worse; None: not asked. `needed` counts
    the further cases like these that would show the difference seen 4 times in 5: 0 where it is shown, None where
    unknown. `family` is the number of candidates whose intervals hold together with that of this one, itself included.
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
    needed: int | None
    margin: float | None = None
    family: int = 1

    @property
    def not_worse(self) -> bool | None:
        """Whether the candidate is shown not to be worse by more than the margin; None where none was given."""
        return None if self.margin is None else self.difference.low > -self.margin


@dataclass(frozen=True, slots=True)
class ComparedArm:
    """One of many candidates: its comparison with the incumbent, and its p-value adjusted for all of them."""

    name: str
    comparison: Comparison
    p_adjusted: float


@dataclass(frozen=True, slots=True)
class Family:
    """Many candidates against one incumbent over the n cases that all have; `arms` in the order they were given.

    `notes` are those of all arms, each said once.
    """

    incumbent: str
    arms: tuple[ComparedArm, ...]
    alpha: float
    notes: tuple[str, ...]

    @property
    def top(self) -> ComparedArm:
        """The arm with the largest improvement; of equal ones the surer, then by name: not by place."""
        return min(self.arms, key=lambda arm: (*_place(arm.comparison), arm.name))

    @property
    def best(self) -> ComparedArm | None:
        """`top`, or None where it improves nothing."""
        return self.top if self.top.comparison.difference.value > 0 else None


def _place(comparison: Comparison) -> tuple[float, float]:
    return -comparison.difference.value, -comparison.difference.low


def verdict_of(difference: Interval) -> Verdict:
    """The verdict an interval of the improvement gives, and the only place where one is made."""
    if difference.low > 0:
        return "BETTER"
    return "WORSE" if difference.high < 0 else "UNDECIDED"
