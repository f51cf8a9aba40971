"""The stopping rule of a decision, one interface over the tests of `assay.stats`: units in, verdict and interval out.

For the objective "not worse" a candidate a little below the incumbent can be shown to be good enough: bets are moved by
the margin, looks end at the margin's own limit, at the same error rates. Invariant: the verdict is read from the
interval (`read_verdict`) and from nothing else. Proved by `tests/unit/decisions/test_outcome.py`, `test_replay.py` and
the suites of `assay.stats`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from assay.decisions.hypothesis import Hypothesis, Margins, Objective
from assay.stats.betting import BettingTest
from assay.stats.estimate import Evidence
from assay.stats.looks import ClusterLooks
from assay.stats.sequential import SequentialBinary
from assay.stats.verdict import Verdict

MOST_CLUSTERS_FOR_LOOKS = 2_000
"""Beyond, sign-flips of all clusters take too long, and bets on that many means have power enough."""


class Rule(Protocol):
    """A test that is fed whole units (one question, or all questions of a cluster) in the fixed order."""

    is_over: bool
    """True where no further unit can change the verdict, or none is wanted."""

    goal: float
    """Above which the lower limit must lie for the candidate to have won: 0, or minus the margin."""

    def fold(self, differences: Sequence[float]) -> None:
        """Take the next unit: candidate minus incumbent of each of its questions, in [-1, 1]."""
        ...

    def finish(self) -> None:
        """There are no more units."""
        ...

    def evidence(self) -> Evidence:
        """What has been found, in the unit of the score. Costs milliseconds to a second: not for every unit."""
        ...

    def limits(self) -> tuple[float, float]:
        """The interval alone, quickly."""
        ...


def rule_for(hypothesis: Hypothesis) -> Rule:
    """The rule a hypothesis names, before its first unit."""
    if hypothesis.rule == "exact-horizon":
        return _Binary(hypothesis)
    if hypothesis.rule == "betting":
        return _Betting(hypothesis)
    return _Looks(hypothesis)


def read_verdict(low: float, high: float, margins: Margins, objective: Objective) -> Verdict:
    """The verdict of an interval: the only place where a decision's verdict is made."""
    if low > 0:
        return Verdict.PROMOTE
    if objective == "not_worse" and low > -margins.margin:
        return Verdict.NOT_WORSE
    if high < 0:
        return Verdict.WORSE
    if high < margins.smallest:
        return Verdict.NOT_BETTER
    return Verdict.NOT_WORSE if low > -margins.margin else Verdict.UNDECIDED


class _Test(Protocol):
    """What the tests of `assay.stats` have in common."""

    over: bool

    def evidence(self) -> Evidence: ...

    def limits(self) -> tuple[float, float]: ...


class _Over:
    """What the rules share: a test, and the shift by which its differences were moved."""

    def __init__(self, hypothesis: Hypothesis, test: _Test, *, shift: float = 0.0) -> None:
        self._hypothesis, self._test, self._shift = hypothesis, test, shift
        self.goal = -hypothesis.margins.margin if hypothesis.objective == "not_worse" else 0.0
        self.is_over = False

    def finish(self) -> None:
        self.is_over = True

    def evidence(self) -> Evidence:
        """The test's evidence, moved back, its verdict read again."""
        found, (low, high) = self._test.evidence(), self.limits()
        verdict = read_verdict(low, high, self._hypothesis.margins, self._hypothesis.objective)
        return replace(
            found, low=low, high=high, verdict=verdict, value=found.value - self._shift, raw=found.raw - self._shift
        )

    def limits(self) -> tuple[float, float]:
        low, high = self._test.limits()
        return low - self._shift, high - self._shift


class _Binary(_Over):
    """Right or wrong, questions that stand alone, a horizon declared: the exact-horizon sequential McNemar test."""

    def __init__(self, hypothesis: Hypothesis) -> None:
        if hypothesis.objective != "better" or hypothesis.horizon is None:
            raise ValueError("the exact horizon is for `better` with a horizon")
        self.test = SequentialBinary(
            hypothesis.alpha,
            hypothesis.horizon,
            items=hypothesis.items,
            smallest=hypothesis.margins.smallest,
            beta=hypothesis.beta,
            margin=hypothesis.margins.margin,
            go_on_after=(Verdict.NOT_WORSE,),
        )
        super().__init__(hypothesis, self.test)

    def fold(self, differences: Sequence[float]) -> None:
        (difference,) = differences
        self.test.update(int(difference))
        self.is_over = self.test.over


class _Betting(_Over):
    """Graded scores, or means of thousands of clusters: the betting test. "Not worse" shifts it by the margin."""

    def __init__(self, hypothesis: Hypothesis) -> None:
        margins, is_better = hypothesis.margins, hypothesis.objective == "better"
        shift = 0.0 if is_better else margins.margin
        self.test = BettingTest(
            hypothesis.alpha,
            smallest=margins.smallest if is_better else None,
            beta=hypothesis.beta,
            margin=margins.margin if is_better else None,
            low=shift - 1.0,
            high=shift + 1.0,
            go_on_after=(Verdict.NOT_WORSE,) if is_better else (),
        )
        super().__init__(hypothesis, self.test, shift=shift)

    def fold(self, differences: Sequence[float]) -> None:
        self.test.update(self._shift + sum(differences) / len(differences))
        self.is_over = self.test.over


class _Looks(_Over):
    """Clusters: sign-flips of whole ones at looks that were declared beforehand.

    "Not worse" ends at the margin's own limit and shifts nothing: sums of ties would all be the margin, and sign-flips
    of equal sums refute anything.
    """

    def __init__(self, hypothesis: Hypothesis) -> None:
        margins, is_better = hypothesis.margins, hypothesis.objective == "better"
        self.test = ClusterLooks(
            hypothesis.alpha,
            clusters=hypothesis.clusters or 0,
            looks=hypothesis.looks,
            smallest=margins.smallest if is_better else None,
            beta=hypothesis.beta,
            margin=margins.margin,
            go_on_after=(Verdict.NOT_WORSE,) if is_better else (),
        )
        super().__init__(hypothesis, self.test)

    def fold(self, differences: Sequence[float]) -> None:
        self.test.update(sum(differences), len(differences))
        self.is_over = self.test.over
