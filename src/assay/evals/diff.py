"""Two runs side by side: what changed case by case, and whether a metric's mean moved by more than chance.

Invariants: only cases of both runs are compared, and the others are counted and named; swapping the runs mirrors
everything. A score the judge failed to give counts as no change in `value`, against B in `low` and for B in `high`.
Proved by `tests/unit/evals/test_diff.py`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from assay.evals.columns import CaseScores, Columns, Floats, Indexes, Mask, ResultRow
from assay.evals.scoreboard import interval_json
from assay.stats.interval import Interval
from assay.stats.paired import paired_interval

Kind = Literal["newly failing", "lost", "mixed", "unscored", "gained", "no longer failing", "same"]
KINDS: tuple[Kind, ...] = ("newly failing", "lost", "mixed", "unscored", "gained", "no longer failing", "same")

NAMED = 20
"""Cases named where only one run has them."""

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class MetricDiff:
    """One metric in both runs: B minus A with its interval over `n` paired cases, and how many cases moved.

    `only_a` and `only_b` cases of both runs have this metric in one of them alone and are not compared.
    """

    name: str
    first: float
    second: float
    difference: Interval
    n: int
    gained: int
    lost: int
    same: int
    unscored: int
    only_a: int
    only_b: int

    @property
    def verdict(self) -> Literal["higher", "lower", "undecided"]:
        """Read from the interval and nothing else."""
        return "higher" if self.difference.low > 0 else "lower" if self.difference.high < 0 else "undecided"


@dataclass(frozen=True, slots=True)
class CaseDiff:
    """One case in both runs. `scores` are A's and B's by metric, None where the judge failed; `change` is the largest
    in size, signed. `ordinals` are the case's places in A and in B."""

    case_id: str
    kind: Kind
    change: float
    scores: Mapping[str, tuple[float | None, float | None]]
    ordinals: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Diff:
    """Two runs compared. `cases` are those that changed most, the largest change first; `counts` has every kind."""

    metrics: Mapping[str, MetricDiff]
    cases: tuple[CaseDiff, ...]
    counts: Mapping[Kind, int]
    paired: int
    only_a: int
    only_b: int
    named: tuple[str, ...]
    alpha: float
    notes: tuple[str, ...]

    @property
    def changed(self) -> int:
        """How many cases changed, listed or not."""
        return self.paired - self.counts["same"]

    def as_json(self) -> dict[str, Any]:
        """The object of `assay runs diff --json`."""
        return {
            "metrics": {
                name: {
                    "a": one.first,
                    "b": one.second,
                    "difference": interval_json(one.difference),
                    "verdict": one.verdict,
                    "reason": one.difference.reason,
                    **{key: getattr(one, key) for key in ("n", "gained", "lost", "same", "unscored")},
                    "unpaired": {"a": one.only_a, "b": one.only_b},
                }
                for name, one in self.metrics.items()
            },
            "counts": dict(self.counts),
            "changed": self.changed,
            "cases": [
                {
                    "case": case.case_id,
                    "kind": case.kind,
                    "change": case.change,
                    "scores": {name: list(pair) for name, pair in case.scores.items()},
                }
                for case in self.cases
            ],
            "paired": self.paired,
            "unpaired": {"a": self.only_a, "b": self.only_b, "named": list(self.named)},
            "alpha": self.alpha,
            "notes": list(self.notes),
        }


def hiding(found: Diff, hidden: Collection[str]) -> Diff:
    """The diff without the cases of these ids, which are kept for decisions: their wins and losses are not to be read.

    The counts stay: what is known of all cases together tells of none of them.
    """
    shown = tuple(case for case in found.cases if case.case_id not in hidden)
    kept = len(found.cases) - len(shown)
    if not kept:
        return found
    return replace(found, cases=shown, notes=(*found.notes, kept_words(kept, "changed case")))


def kept_words(count: int, what: str = "case") -> str:
    """That so many cases are not listed, and how to see one."""
    return (
        f"Not listed: {count:,} {what}{'' if count == 1 else 's'} that decisions are made on. "
        "assay cases open SET CASE shows one and moves its cluster to dev, at a price."
    )


def diff(
    first: Iterable[ResultRow] | Columns,
    second: Iterable[ResultRow] | Columns,
    *,
    alpha: float = 0.05,
    metrics: Sequence[str] | None = None,
    most_cases: int = 1_000,
) -> Diff:
    """What changed from run A (`first`) to run B (`second`), cases paired by their id.

    `metrics` chooses and orders what is compared (default: all that both have). At most `most_cases` cases
    are listed. Clusters are those of A.
    """
    runs = tuple(rows if isinstance(rows, Columns) else Columns(rows) for rows in (first, second))
    places = {case_id: place for place, case_id in enumerate(runs[1].case_ids)}
    pairs = [(here, places[case]) for here, case in enumerate(runs[0].case_ids) if case in places]
    paired = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    apart = _apart(*runs)
    shared = [name for name in runs[0].metrics if name in runs[1].metrics and name not in apart]
    names = shared if metrics is None else [name for name in metrics if name in shared]
    clusters = runs[0].clusters[paired[:, 0]]
    columns = {name: _Pair.of(runs, name, paired) for name in names}
    compared = {name: _metric(name, pair, clusters, alpha=alpha) for name, pair in columns.items() if pair.any}
    cases, counts = _cases(runs, paired, columns, most=most_cases)
    known = {runs[0].case_ids[here] for here, _ in pairs}
    only = tuple([case for case in run.case_ids if case not in known] for run in runs)
    return Diff(
        metrics=compared,
        cases=tuple(cases),
        counts=counts,
        paired=len(pairs),
        only_a=len(only[0]),
        only_b=len(only[1]),
        named=tuple((only[0] + only[1])[:NAMED]),
        alpha=alpha,
        notes=tuple(_notes(runs, only, len(pairs), compared, alpha=alpha)),
    )


def _apart(first: Columns, second: Columns) -> list[str]:
    """Metrics that compare with one opponent in A and with another in B: their difference says nothing."""
    both = [name for name in first.pairs if name in second.pairs]
    return [name for name in both if first.pairs[name].against != second.pairs[name].against]


@dataclass(frozen=True, slots=True)
class _Pair:
    """One metric of both runs over the paired cases: worst, best, and masks of having it and of not being scored."""

    worst: tuple[Floats, Floats]
    best: tuple[Floats, Floats]
    has: tuple[Mask, Mask]
    unscored: tuple[Mask, Mask]
    errors: tuple[Mask, Mask]

    @classmethod
    def of(cls, runs: tuple[Columns, ...], name: str, paired: Indexes) -> "_Pair":
        sides = [_spread(run.scores(name), run.count, paired[:, side]) for side, run in enumerate(runs)]
        worst, best, has, unscored, errors = zip(*sides, strict=True)
        return cls(worst, best, has, unscored, errors)

    @property
    def both(self) -> Mask:
        keep: Mask = self.has[0] & self.has[1]
        return keep

    @property
    def any(self) -> bool:
        return bool(self.both.any())

    @property
    def lost_score(self) -> Mask:
        """Pairs in which either side lacks a score."""
        lost: Mask = self.unscored[0] | self.unscored[1]
        return lost

    @property
    def change(self) -> Floats:
        """B minus A per case; 0 where either was not scored or lacks the metric, and within rounding of 0."""
        moved = np.where(self.both & ~self.lost_score, self.worst[1] - self.worst[0], 0.0)
        return np.where(np.abs(moved) <= _ROUNDING, 0.0, moved)


def _spread(scores: CaseScores, count: int, places: Indexes) -> tuple[Floats, Floats, Mask, Mask, Mask]:
    """A metric's columns over the cases at `places`; cases it does not apply to are not in the `has` mask."""
    at = np.full(count, -1, dtype=np.int64)
    at[scores.cases] = np.arange(len(scores.cases))
    found = at[places]
    has = found >= 0
    if not len(scores.cases):
        return np.zeros(len(places)), np.zeros(len(places)), has, has, has
    return scores.worst[found], scores.best[found], has, scores.unscored[found] & has, scores.errors[found] & has


def _metric(name: str, pair: _Pair, clusters: Indexes, *, alpha: float) -> MetricDiff:
    both = pair.both
    codes, change, lost_score = clusters[both], pair.change[both], pair.lost_score[both]
    worst, best = (tuple(side[both] for side in sides) for sides in (pair.worst, pair.best))
    middle = paired_interval(
        np.where(lost_score, 0.5, worst[0]), np.where(lost_score, 0.5, worst[1]), clusters=codes, alpha=alpha
    )
    if lost_score.any():
        against = paired_interval(best[0], worst[1], clusters=codes, alpha=alpha)
        favour = paired_interval(worst[0], best[1], clusters=codes, alpha=alpha)
        value = float(change.mean())
        reason = f"{middle.reason}; {int(lost_score.sum()):,} not scored count against B in the lower limit, for B in "
        middle = Interval(
            value, min(against.low, value), max(favour.high, value), middle.method, middle.n, alpha,
            f"{reason}the upper",
        )  # fmt: skip
    gained, lost = int((change > 0).sum()), int((change < 0).sum())
    unscored = int(lost_score.sum())
    return MetricDiff(
        name=name,
        first=float(worst[0].mean()),
        second=float(worst[1].mean()),
        difference=middle,
        n=int(both.sum()),
        gained=gained,
        lost=lost,
        same=int(both.sum()) - gained - lost - unscored,
        unscored=unscored,
        only_a=int((pair.has[0] & ~pair.has[1]).sum()),
        only_b=int((pair.has[1] & ~pair.has[0]).sum()),
    )


def _cases(
    runs: tuple[Columns, ...], paired: Indexes, columns: Mapping[str, _Pair], *, most: int
) -> tuple[list[CaseDiff], dict[Kind, int]]:
    """The cases that changed, largest change first, and the number of every kind."""
    count = len(paired)
    failing = [np.isin(paired[:, side], run.failed_cases) for side, run in enumerate(runs)]
    changes = np.stack([pair.change for pair in columns.values()]) if columns else np.zeros((1, count))
    lost_score = np.zeros(count, dtype=bool)
    for pair in columns.values():
        lost_score |= pair.unscored[0] != pair.unscored[1]
    up, down = (changes > 0).any(axis=0), (changes < 0).any(axis=0)
    conditions = [failing[1] & ~failing[0], failing[0] & ~failing[1], up & down, down, up, lost_score]
    choices: list[Kind] = ["newly failing", "no longer failing", "mixed", "lost", "gained", "unscored"]
    kinds = np.select(conditions, np.arange(len(choices))[:, None].repeat(count, axis=1), default=len(choices))
    largest = np.abs(changes).argmax(axis=0)
    change = changes[largest, np.arange(count)]
    total = np.abs(changes).sum(axis=0)
    moved = np.flatnonzero(kinds < len(choices))
    # Newly failing cases first among equals; then by size, then by everything that moved.
    order = moved[np.lexsort((moved, -total[moved], kinds[moved] != 0, -np.abs(change[moved])))]
    found = [
        CaseDiff(
            runs[0].case_ids[paired[at, 0]],
            choices[kinds[at]],
            float(change[at]),
            {name: _scores(pair, int(at)) for name, pair in columns.items() if pair.both[at]},
            (runs[0].ordinals[paired[at, 0]], runs[1].ordinals[paired[at, 1]]),
        )
        for at in order[:most]
    ]
    numbers = {kind: int((kinds == number).sum()) for number, kind in enumerate([*choices, "same"])}
    return found, {kind: numbers[kind] for kind in KINDS}


def _scores(pair: _Pair, at: int) -> tuple[float | None, float | None]:
    first, second = (None if pair.unscored[side][at] else float(pair.worst[side][at]) for side in (0, 1))
    return first, second


def _notes(
    runs: tuple[Columns, ...],
    only: tuple[list[str], ...],
    paired: int,
    compared: Mapping[str, MetricDiff],
    *,
    alpha: float,
) -> list[str]:
    notes = []
    if only[0] or only[1]:
        notes.append(
            f"The runs are on different cases: {len(only[0]):,} only in A, {len(only[1]):,} only in B. "
            f"Everything below is about the {paired:,} in both."
        )
    for side, other, letter in ((0, 1, "A"), (1, 0, "B")):
        lone = [name for name in runs[side].metrics if name not in runs[other].metrics]
        if lone:
            notes.append(f"Only {letter} has {', '.join(lone)}: not compared.")
    for name in _apart(*runs):
        a, b = (run.pairs[name].against for run in runs)
        notes.append(f"{name} is against {a} in A and against {b} in B: not compared.")
    for name, one in compared.items():
        if one.only_a or one.only_b:
            notes.append(f"{name}: {one.only_a + one.only_b:,} cases have it in one run alone and are not compared.")
    if len(compared) > 1:
        notes.append(
            f"{len(compared)} metrics are compared, each at {100 * (1 - alpha):g}%: where nothing changed, one in "
            f"{round(1 / alpha)} still looks changed."
        )
    return notes
