"""The stopping rule of a decision, one interface over the tests of `assay.stats`: units in, verdict and interval out.

For the objective "not worse" the differences are shifted by the margin first: what `stats` calls better than zero
is then "not worse by more than the margin", with the same error rates, and a candidate a little below the incumbent
can be shown to be good enough. Invariant: the verdict is read from the interval (`read_verdict`) and from nothing else.
Proved by `tests/unit/decisions/test_rules.py` and the suites of `assay.stats`.
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


class _Shifted:
    """What the rules share: the shift of the objective, and evidence moved back by it."""

    def __init__(self, hypothesis: Hypothesis) -> None:
        self.hypothesis = hypothesis
        self.shift = hypothesis.margins.margin if hypothesis.objective == "not_worse" else 0.0
        self.goal = -self.shift
        self.is_over = False

    def back(self, evidence: Evidence) -> Evidence:
        """Evidence about shifted differences as evidence about differences, its verdict read again."""
        low, high = evidence.low - self.shift, evidence.high - self.shift
        verdict = read_verdict(low, high, self.hypothesis.margins, self.hypothesis.objective)
        moved = replace(evidence, low=low, high=high, verdict=verdict)
        return replace(moved, value=evidence.value - self.shift, raw=evidence.raw - self.shift)

    def wanted(self) -> tuple[float | None, float | None]:
        """(smallest, margin) as the test needs them: none where the objective is "not worse"."""
        margins = self.hypothesis.margins
        return (None, None) if self.shift else (margins.smallest, margins.margin)


class _Binary(_Shifted):
    """Right or wrong, questions that stand alone, a horizon declared: the exact-horizon sequential McNemar test."""

    def __init__(self, hypothesis: Hypothesis) -> None:
        super().__init__(hypothesis)
        if hypothesis.objective != "better" or hypothesis.horizon is None:
            raise ValueError("the exact horizon is for `better` with a horizon")
        smallest, margin = self.wanted()
        self.test = SequentialBinary(
            hypothesis.alpha,
            hypothesis.horizon,
            items=hypothesis.items,
            smallest=smallest,
            beta=hypothesis.beta,
            margin=margin,
            go_on_after=() if margin is None else (Verdict.NOT_WORSE,),
        )

    def fold(self, differences: Sequence[float]) -> None:
        (difference,) = differences
        self.test.update(int(difference))
        self.is_over = self.test.over

    def finish(self) -> None:
        self.is_over = True

    def evidence(self) -> Evidence:
        return self.back(self.test.evidence())

    def limits(self) -> tuple[float, float]:
        return self.test.limits()


class _Betting(_Shifted):
    """Graded scores, or means of thousands of clusters: the betting test."""

    def __init__(self, hypothesis: Hypothesis) -> None:
        super().__init__(hypothesis)
        smallest, margin = self.wanted()
        self.test = BettingTest(
            hypothesis.alpha,
            smallest=smallest,
            beta=hypothesis.beta,
            margin=margin,
            low=self.shift - 1.0,
            high=self.shift + 1.0,
            go_on_after=() if margin is None else (Verdict.NOT_WORSE,),
        )

    def fold(self, differences: Sequence[float]) -> None:
        self.test.update(self.shift + sum(differences) / len(differences))
        self.is_over = self.test.over

    def finish(self) -> None:
        self.is_over = True

    def evidence(self) -> Evidence:
        return self.back(self.test.evidence())

    def limits(self) -> tuple[float, float]:
        low, high = self.test.limits()
        return low - self.shift, high - self.shift


class _Looks(_Shifted):
    """Clusters: sign-flips of whole ones at looks that were declared beforehand."""

    def __init__(self, hypothesis: Hypothesis) -> None:
        super().__init__(hypothesis)
        smallest, margin = self.wanted()
        stops_at_margin = hypothesis.objective == "not_worse"
        if stops_at_margin:
            # Not shifted: sums of ties would all be the margin, and sign-flips of equal sums refute anything.
            self.shift, margin = 0.0, hypothesis.margins.margin
        self.test = ClusterLooks(
            hypothesis.alpha,
            clusters=hypothesis.clusters or 0,
            looks=hypothesis.looks,
            smallest=smallest,
            beta=hypothesis.beta,
            margin=margin,
            go_on_after=() if stops_at_margin else (Verdict.NOT_WORSE,),
        )

    def fold(self, differences: Sequence[float]) -> None:
        self.test.update(sum(differences), len(differences))
        self.is_over = self.test.over

    def finish(self) -> None:
        self.is_over = True

    def evidence(self) -> Evidence:
        return self.back(self.test.evidence())

    def limits(self) -> tuple[float, float]:
        low, high = self.test.limits()
        return low - self.shift, high - self.shift
