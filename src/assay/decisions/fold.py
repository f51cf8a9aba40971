"""Scores of both systems, in whatever order they finish, folded in the order fixed before the first of them.

What finishes early is held back: how long an answer takes goes together with whether it is right, so folding in the
order of arrival would bend the evidence. Invariant: the sequence of units the rule sees is a function of the order and
of the scores, never of time. Proved by `tests/unit/decisions/test_fold.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Final, Literal

from assay.decisions.hypothesis import Hypothesis
from assay.decisions.joint import fewest_for_ratios
from assay.decisions.rules import Rule, rule_for
from assay.errors import BadInput

INCUMBENT: Final = 0
CANDIDATE: Final = 1
Side = Literal[0, 1]
AHEAD = 16
_STEPS = 80


@dataclass(frozen=True, slots=True)
class Item:
    """One question answered and scored by both systems. `counted` is False where the metric says nothing about it."""

    ordinal: int
    incumbent: float
    candidate: float
    failures: int
    counted: bool = True

    @property
    def difference(self) -> float:
        """Candidate minus incumbent."""
        return self.candidate - self.incumbent


@dataclass(frozen=True, slots=True)
class Step:
    """The evidence after `items` questions (`units` independent ones): counts, plain mean and interval."""

    items: int
    units: int
    wins: int
    losses: int
    raw: float
    low: float
    high: float


@dataclass(slots=True)
class _Place:
    """What is known of one question so far: per side the scores of its replicas, None where the metric is silent."""

    scores: tuple[list[float | None], list[float | None]] = field(default_factory=lambda: ([], []))
    failures: int = 0


def fold_of(hypothesis: Hypothesis, clusters: Sequence[str] | None) -> "Fold":
    """The fold a hypothesis declares, before its first score; `clusters` of its questions in their order."""
    return Fold(
        rule_for(hypothesis),
        items=hypothesis.items,
        clusters=clusters,
        replicas=hypothesis.replicas,
        looks=hypothesis.looks,
        least=fewest_for_ratios(hypothesis),
    )


class Fold:
    """The evidence of a trial as it comes in. `clusters` names each question's cluster, None where all stand alone.

    Questions of a cluster are adjacent in the order. `replicas` is how often each question is asked. With `least`,
    a verdict in the candidate's favour waits for so many questions, because cost and latency are to be judged too:
    those beyond the rule's end count for them and for nothing else.
    """

    def __init__(
        self,
        rule: Rule,
        *,
        items: int,
        clusters: Sequence[str] | None = None,
        replicas: int = 1,
        looks: Sequence[int] = (),
        ahead: int = AHEAD,
        least: int = 0,
    ) -> None:
        self.rule = rule
        self.items = items
        self.folded: list[Item] = []
        self.steps: list[Step] = []
        self.units = 0
        self.is_ended = False
        self._clusters, self._replicas, self._ahead = clusters, replicas, ahead
        self._ends = _unit_ends(items, clusters)
        self._is_end = frozenset(self._ends)
        # Looks are paid for one by one: what lies behind the next is not asked.
        self._fences = [self._ends[count - 1] for count in looks if 0 < count <= len(self._ends)]
        self._places: dict[int, _Place] = {}
        self._unit: list[float] = []
        self._least, self._beside = least, 0
        self._is_won, self._goal = False, rule.goal
        self._total, self.wins, self.losses, self.uncounted, self.failures = 0.0, 0, 0, 0, 0

    @property
    def is_over(self) -> bool:
        """True where no further question is wanted: decided, ended, or none is left."""
        if self.is_ended or len(self.folded) == self.items:
            return True
        return self.rule.is_over and (len(self.folded) >= self._least or not self._is_won)

    @property
    def counted(self) -> int:
        """Questions that say something."""
        return len(self.folded) - self.uncounted - self._beside

    @property
    def raw(self) -> float:
        """The plain mean difference so far."""
        return self._total / self.counted if self.counted else 0.0

    @property
    def wanted(self) -> int:
        """Questions below this ordinal may be asked now."""
        if self.is_over:
            return 0
        if self.rule.is_over:
            return min(self.items, self._least)
        for fence in self._fences:
            if len(self.folded) < fence:
                return fence
        return min(self.items, len(self.folded) + self._ahead)

    def add(self, side: Side, ordinal: int, score: float | None, *, failed: bool = False) -> None:
        """Take the score of one system on one question (one replica); None where the metric does not apply to it.

        Raises BadInput for a score outside 0 to 1. What is not a number counts as 0, as an error does.
        """
        if ordinal < len(self.folded) or self.is_over:
            return
        if score is not None and not isfinite(score):
            score, failed = 0.0, True
        if score is not None and not 0 <= score <= 1:
            raise BadInput(
                f"Question {ordinal + 1} scored {score:g}; a decision needs scores between 0 and 1.",
                hint="Choose a metric on that scale, or rescale it.",
            )
        place = self._places.setdefault(ordinal, _Place())
        place.scores[side].append(score)
        place.failures += failed
        self._fold_ready()

    def finish(self) -> None:
        """No more will come: the rule's last look."""
        self.is_ended = True
        self.rule.finish()
        self._record()

    def _fold_ready(self) -> None:
        while not self.is_over:
            ordinal = len(self.folded)
            place = self._places.get(ordinal)
            if place is None or min(map(len, place.scores)) < self._replicas:
                return
            self._take(ordinal, self._places.pop(ordinal))

    def _take(self, ordinal: int, place: _Place) -> None:
        means = [_mean(scores) for scores in place.scores]
        incumbent, candidate = means
        counted = incumbent is not None and candidate is not None
        item = Item(ordinal, incumbent or 0.0, candidate or 0.0, place.failures, counted)
        self.folded.append(item)
        was_over = self.rule.is_over
        if was_over:
            self._beside += 1
            return
        self.failures += place.failures
        if counted:
            # Repeats averaged in another order differ in the last digit: that is a tie.
            difference = 0.0 if abs(item.difference) < 1e-12 else item.difference
            self._total += difference
            self.wins += difference > 0
            self.losses += difference < 0
            self._unit.append(difference)
        else:
            self.uncounted += 1
        if len(self.folded) in self._is_end:
            if self._unit:
                self.rule.fold(self._unit)
                self.units += 1
            self._unit = []
            self._is_won = self.rule.is_over and self.rule.limits()[0] > self._goal
            if self.rule.is_over or self.units % max(1, len(self._ends) // _STEPS) == 0:
                self._record()

    def _record(self) -> None:
        low, high = self.rule.limits()
        step = Step(len(self.folded), self.units, self.wins, self.losses, self.raw, low, high)
        if not self.steps or self.steps[-1] != step:
            self.steps.append(step)


def _unit_ends(items: int, clusters: Sequence[str] | None) -> list[int]:
    """After how many questions each unit is whole. Raises ValueError where a cluster is torn apart."""
    if clusters is None:
        return list(range(1, items + 1))
    if len(clusters) != items:
        raise ValueError(f"{len(clusters)} clusters for {items} questions")
    ends = [place for place in range(1, items + 1) if place == items or clusters[place] != clusters[place - 1]]
    if len(ends) != len(set(clusters)):
        raise ValueError("questions of a cluster are not adjacent in the order")
    return ends


def _mean(scores: Sequence[float | None]) -> float | None:
    """The mean over replicas; None where the metric was silent in any of them."""
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if len(known) == len(scores) else None
