"""Successive halving over shared questions: which arms are asked what next, and who goes on. No I/O, no clock, no luck.

All arms of a round get the same new questions; the worse half drops out. They are ranked by a mixed model where their
settings form factors (`stats.blup`: arms that share a level lend each other evidence), as their means do where they
are a list. Nothing here claims that an arm is better: the claim is the confirmation's.

Failures count as the score they are given, but an arm that failed every time ranks last and lends no evidence. An
unknown score (a judge that failed) is left out of the mean and widens the arm's bounds.
Invariant: the course is a function of the arguments and the scores, whatever order they arrive in; calls and questions
never exceed what was given. Proved by `tests/unit/decisions/race/test_halving.py`.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from math import hypot

import numpy as np
from numpy.typing import NDArray

from assay.decisions.race.factors import Factors
from assay.decisions.race.rounds import PlannedRound, planned_rounds
from assay.stats.blup import ArmScores, Cells, blup, estimated_spread, pooled_noise
from assay.stats.interval import z_two_sided
from assay.stats.rate import wilson_limits

_TIE = 1e-12

Worth = Callable[[int, float], float]
"""What is ranked, the more the better, of an arm's number and score: quality, less what it costs."""


@dataclass(frozen=True, slots=True)
class Round:
    """The questions `first` to `last` (exclusive) for each of `arms`; `number` counts from 1."""

    number: int
    arms: tuple[int, ...]
    first: int
    last: int

    @property
    def items(self) -> range:
        """Which questions."""
        return range(self.first, self.last)

    @property
    def calls(self) -> int:
        """Evaluations it takes."""
        return len(self.arms) * len(self.items)


@dataclass(frozen=True, slots=True)
class Closed:
    """How a round ended: who goes on, and who does not with the reason in words."""

    number: int
    kept: tuple[int, ...]
    dropped: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """An arm as it stands. Scores in [0, 1].

    `n` known scores with their `mean` (None: none) and bounds: the 95% interval of the mean with every unknown score
    taken as 0 below and as 1 above. `score` is what it is ranked by, the mean it would have on the questions of all
    rounds, with its 95% interval. `out_round` is None while it is in, `why` the reason it is out.
    """

    arm: int
    is_in: bool
    out_round: int | None
    why: str
    n: int
    mean: float | None
    low: float
    high: float
    score: float | None
    score_low: float
    score_high: float
    unknown: int
    failed: int


@dataclass(frozen=True, slots=True)
class Effect:
    """A level of a factor against the mean of its factor's levels, in score units, with a 95% interval."""

    factor: str
    level: Hashable
    effect: float
    low: float
    high: float
    arms: int


@dataclass(slots=True)
class _Seen:
    """The scores of a round, shape (arms of the round, questions): NaN where unknown or not asked yet."""

    round: Round
    rows: Mapping[int, int]
    scores: NDArray[np.float64]
    asked: NDArray[np.bool_]
    failed: NDArray[np.bool_]

    @classmethod
    def of(cls, round_: Round) -> "_Seen":
        shape = len(round_.arms), len(round_.items)
        rows = {arm: row for row, arm in enumerate(round_.arms)}
        return cls(round_, rows, np.full(shape, np.nan), np.zeros(shape, bool), np.zeros(shape, bool))


@dataclass(slots=True)
class _Arm:
    """Totals of an arm over all rounds."""

    asked: int = 0
    known: int = 0
    total: float = 0.0
    failed: int = 0
    out_round: int | None = None
    why: str = ""

    @property
    def always_fails(self) -> bool:
        return self.asked > 0 and self.failed == self.asked


@dataclass(slots=True)
class _Cache:
    """The scores of all arms, until another is added."""

    scores: ArmScores | None = None
    is_current: bool = field(default=False)


class Halving:
    """A race of `arms`, of which arm k has the levels `levels[k]` (None: they have nothing in common).

    `items` questions are there in a fixed order, `calls` evaluations at most. `first` names a factor to settle first
    (the model: arXiv 2505.03452): arms of a level that is shown to be worse than the best one go before any other does.
    Halving its levels outright, whatever the evidence, cost .2 to .8 points in simulations (LOG.md). `worth`
    turns an arm's score into what is ranked. Raises BadInput where the calls are too few for one round.
    """

    def __init__(
        self,
        levels: Sequence[Mapping[str, Hashable]] | None,
        arms: int,
        *,
        items: int,
        calls: int,
        first: str | None = None,
        worth: Worth | None = None,
    ) -> None:
        if levels is not None and len(levels) != arms:
            raise ValueError(f"levels of {len(levels)} arms for {arms}")
        self.planned: tuple[PlannedRound, ...] = planned_rounds(arms, items=items, calls=calls)
        self.calls = 0
        self._items, self._most = items, calls
        self._factors = Factors.of(levels) if levels is not None else Factors(codes=((),) * arms)
        self._first = self._factors.names.index(first) if first in self._factors.names else None
        self._worth: Worth = worth or (lambda _arm, score: score)
        self._arms = [_Arm() for _ in range(arms)]
        self._in = tuple(range(arms))
        self._ahead = list(self.planned)
        self._rounds: list[_Seen] = []
        self._open: _Seen | None = None
        self._cache = _Cache()

    @property
    def survivors(self) -> tuple[int, ...]:
        """Arms that are in."""
        return self._in

    @property
    def is_over(self) -> bool:
        """True where no round is open and none is to come."""
        return self._open is None and not self._ahead

    @property
    def winner(self) -> int | None:
        """The arm that is left; None while the race goes on, and where every arm failed on everything."""
        return self._in[0] if self.is_over and self._in else None

    @property
    def is_factorial(self) -> bool:
        """Whether arms are ranked through factors; else as their plain means rank them."""
        return bool(self._factors.names)

    def next(self) -> Round | None:
        """The round to be asked: the open one, or the next; None where the race is over."""
        if self._open is None and self._ahead:
            planned = self._ahead.pop(0)
            start = self._rounds[-1].round.last if self._rounds else 0
            self._open = _Seen.of(Round(len(self._rounds) + 1, self._in, start, start + planned.items))
            self._rounds.append(self._open)
        return self._open.round if self._open else None

    def add(self, arm: int, item: int, score: float | None, *, failed: bool = False) -> None:
        """Take the score in [0, 1] of an arm of the open round on one of its questions; None: not known.

        Raises ValueError for another arm or question, a second score, or one out of bounds.
        """
        seen = self._open
        if seen is None or arm not in seen.rows or item not in seen.round.items:
            raise ValueError(f"arm {arm} is not asked question {item} in this round")
        if score is not None and not 0 <= score <= 1:
            raise ValueError(f"a score lies between 0 and 1, not {score}")
        place = seen.rows[arm], item - seen.round.first
        if seen.asked[place]:
            raise ValueError(f"arm {arm} has a score on question {item} already")
        seen.asked[place], seen.failed[place] = True, failed
        one = self._arms[arm]
        one.asked += 1
        one.failed += failed
        if score is not None:
            seen.scores[place] = score
            one.known += 1
            one.total += score
        self.calls += 1
        self._cache.is_current = False

    def missing(self) -> list[tuple[int, int]]:
        """What the open round still lacks, as (arm, question), by question."""
        if self._open is None:
            return []
        round_ = self._open.round
        columns, rows = np.nonzero(~self._open.asked.T)
        return [(round_.arms[row], round_.first + int(column)) for column, row in zip(columns, rows, strict=True)]

    def close(self) -> Closed:
        """End the open round: the better ones go on. Raises ValueError while scores of it are missing."""
        seen = self._open
        if seen is None or not seen.asked.all():
            raise ValueError("the round is not complete")
        target = self._ahead[0].arms if self._ahead else 1
        ranked = self._ranked(seen.round.arms)
        kept = ranked[:target]
        healthy = [arm for arm in kept if not self._arms[arm].always_fails]
        kept = healthy or ([] if target == 1 or not self._ahead else kept)
        dropped = self._drop(ranked, kept, seen.round)
        self._in, self._open = tuple(sorted(kept)), None
        if len(kept) < target:
            left = self._items - seen.round.last, self._most - self.calls
            self._ahead = list(planned_rounds(len(kept), items=left[0], calls=left[1])) if kept else []
        return Closed(seen.round.number, self._in, dropped)

    def score(self, arm: int) -> float | None:
        """What an arm is ranked by, in [0, 1]; None where nothing is known of it."""
        scores = self._scores()
        return min(max(float(scores.values[arm]), 0.0), 1.0) if scores else None

    def standings(self) -> list[Standing]:
        """Every arm by its number."""
        return [self._standing(arm) for arm in range(len(self._arms))]

    def effects(self) -> list[Effect]:
        """Every level of every factor, in the order they were given; none for a list of arms."""
        scores = self._scores()
        names, levels = self._factors.names, self._factors.levels
        return [
            Effect(names[one.factor], levels[one.factor][one.level], one.value, one.low, one.high, one.arms)
            for one in (scores.effects if scores else ())
        ]

    def _standing(self, arm: int) -> Standing:
        one, scores = self._arms[arm], self._scores()
        unknown = one.asked - one.known
        low, high = 0.0, 1.0
        if one.asked:
            z = z_two_sided(0.05)
            low = wilson_limits(one.total, one.asked, z)[0]
            high = wilson_limits(min(one.total + unknown, one.asked), one.asked, z)[1]
        score, score_low, score_high = self.score(arm), 0.0, 1.0
        if scores is not None and score is not None:
            score_low = min(max(float(scores.low[arm]), 0.0), score)
            score_high = max(min(float(scores.high[arm]), 1.0), score)
        return Standing(
            arm=arm,
            is_in=one.out_round is None,
            out_round=one.out_round,
            why=one.why,
            n=one.known,
            mean=one.total / one.known if one.known else None,
            low=low,
            high=high,
            score=score,
            score_low=score_low,
            score_high=score_high,
            unknown=unknown,
            failed=one.failed,
        )

    def _scores(self) -> ArmScores | None:
        """All arms, those that are out too: what they showed of a level still counts."""
        if not self._cache.is_current:
            cells, blocks = self._cells()
            self._cache.is_current, self._cache.scores = True, None
            if len(cells.means):
                spread = estimated_spread(cells, self._factors.codes, noise=pooled_noise(blocks))
                self._cache.scores = blup(cells, self._factors.codes, spread=spread)
        return self._cache.scores

    def _cells(self) -> tuple[Cells, list[NDArray[np.float64]]]:
        parts, blocks = [], []
        for number, seen in enumerate(self._rounds):
            arms = np.array(seen.round.arms, dtype=np.int64)
            works = np.array([not self._arms[arm].always_fails for arm in seen.round.arms])
            known = ~np.isnan(seen.scores)
            counts = known.sum(axis=1) * works
            means = np.where(known, seen.scores, 0.0).sum(axis=1) / np.maximum(counts, 1)
            some = counts > 0
            parts.append((arms[some], np.full(int(some.sum()), number), counts[some].astype(float), means[some]))
            blocks.append(seen.scores[some & known.all(axis=1)])
        if not parts:
            nothing = np.zeros(0, np.int64)
            return Cells(nothing, nothing, np.zeros(0), np.zeros(0)), []
        arms, rounds, counts, means = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Cells(arms, rounds, counts, means), blocks

    def _value(self, arm: int) -> float:
        scores = self._scores()
        return self._worth(arm, float(scores.values[arm])) if scores else 0.0

    def _ranked(self, arms: Sequence[int]) -> list[int]:
        """The best first: failing arms last, before them those of which nothing is known; ties by number."""
        values = {arm: self._value(arm) for arm in arms}
        out = self._levels_out(values)

        def key(arm: int) -> tuple[bool, bool, bool, float, int]:
            one = self._arms[arm]
            level_is_out = self._first is not None and self._factors.codes[arm][self._first] in out
            return one.always_fails, one.known == 0, level_is_out, -round(values[arm], 12), arm

        return sorted(arms, key=key)

    def _levels_out(self, values: Mapping[int, float]) -> set[int]:
        """Levels of the factor to settle first whose arms are worth less on average than those of the best level, by
        more than both intervals together leave open."""
        scores = self._scores()
        if self._first is None or scores is None:
            return set()
        by_level: dict[int, list[float]] = {}
        for arm, value in values.items():
            if not self._arms[arm].always_fails:
                by_level.setdefault(self._factors.codes[arm][self._first], []).append(value)
        means = {level: sum(found) / len(found) for level, found in by_level.items()}
        half = {one.level: (one.high - one.low) / 2 for one in scores.effects if one.factor == self._first}
        best = max(means, key=lambda level: (means[level], -level), default=0)
        return {level for level in means if means[level] + hypot(half[level], half[best]) < means[best]}

    def _drop(self, ranked: Sequence[int], kept: Sequence[int], round_: Round) -> dict[int, str]:
        values = {arm: self._value(arm) for arm in ranked}
        out = self._levels_out(values)
        dropped = {}
        for place, arm in enumerate(ranked):
            if arm not in kept:
                one = self._arms[arm]
                one.out_round = round_.number
                one.why = self._why(arm, place + 1, len(ranked), values, kept, out)
                dropped[arm] = one.why
        return dropped

    def _why(
        self, arm: int, rank: int, of: int, values: Mapping[int, float], kept: Sequence[int], out: set[int]
    ) -> str:
        one = self._arms[arm]
        after = f"{one.asked:,} question" + ("s" if one.asked != 1 else "")
        if one.always_fails:
            return f"failed on all of {after}"
        if one.known == 0:
            return f"none of its answers to {after} could be scored"
        ranked = f"ranked {rank} of {of} after {after}"
        if self._first is not None and self._factors.codes[arm][self._first] in out:
            level = self._factors.levels[self._first][self._factors.codes[arm][self._first]]
            return f"{ranked}: {self._factors.names[self._first]} is settled first, and {level} is shown to be worse"
        cut = min((values[other] for other in kept), default=float("nan"))
        value = values[arm]
        if abs(value - cut) <= _TIE:
            return f"{ranked}: equal at {_short(value)} to one that goes on, which has the lower number"
        return f"{ranked}: score {_short(value)}, the cut was at {_short(cut)}"


def _short(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)
