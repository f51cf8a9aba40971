"""Result lists become lists of paired cases, the incumbent's first; whatever is left over or odd is counted and named.

Invariant: every case that all sides measured is one pair, with repeats averaged first and failures scored, never
dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from assay.decisions.results import LARGEST_SCORE, Scored
from assay.errors import BadInput
from assay.stats.clusters import Codes, Floats, cluster_codes

NAMED = 5  # how many cases a message names


@dataclass(frozen=True, slots=True)
class Unpaired:
    """Cases of a side that are in no pair: how many, and the first few by name."""

    incumbent: int
    candidate: int
    named: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arm:
    """One side over the n paired cases: mean score and mean cost per case (NaN: unknown), each request's latency.

    `latency_ms` and `latency_pairs` have one entry per request that has a latency: the time and the pair's number.
    `repeats` counts cases measured more than once, `failures` results without a score.
    """

    scores: Floats
    cost_usd: Floats
    latency_ms: Floats
    latency_pairs: Codes
    repeats: int
    failures: int


@dataclass(frozen=True, slots=True)
class Pairs:
    """The n paired cases. `clusters` numbers each pair's cluster, or is None where no line named one.

    `alone` counts the cases that name no cluster while others do: each is a cluster of its own. `unit_scale`: every
    score of every side lies in 0 to 1.
    """

    n: int
    incumbent: Arm
    candidate: Arm
    clusters: Codes | None
    alone: int
    unpaired: Unpaired
    unit_scale: bool

    @property
    def cluster_count(self) -> int | None:
        """G, or None where no line named a cluster."""
        return None if self.clusters is None else int(self.clusters.max()) + 1


class _Columns:
    """One result list column by column."""

    def __init__(self, name: str, rows: Sequence[Scored]) -> None:
        cases, scores, clusters, costs, latencies = zip(*rows, strict=True) if rows else ((), (), (), (), ())
        self.name = name
        self.cases: tuple[str, ...] = cases
        self.clusters: tuple[str | None, ...] = clusters
        self.known = dict.fromkeys(self.cases)
        # Missing numbers become NaN.
        self.scores = np.array(scores, dtype=np.float64)
        self.costs = np.array(costs, dtype=np.float64)
        self.latencies = np.array(latencies, dtype=np.float64)
        self.scores[~np.isfinite(self.scores)] = np.nan
        self.failed = np.isnan(self.scores)
        if bool((np.abs(self.scores) > LARGEST_SCORE).any()):
            raise BadInput(f"A score in {name} lies beyond 1e100.", hint="Use a smaller unit.")


def pair(incumbent: Sequence[Scored], candidate: Sequence[Scored], *, lower_is_better: bool = False) -> Pairs:
    """Pair by case. Raises BadInput where nothing pairs, a cluster disagrees, or a failure has no known worst score.

    A failed case scores the worst of the scale 0 to 1: 0, or 1 where lower is better.
    """
    return pair_all([("A", incumbent), ("B", candidate)], lower_is_better=lower_is_better)[0]


def pair_all(sides: Sequence[tuple[str, Sequence[Scored]]], *, lower_is_better: bool = False) -> list[Pairs]:
    """Pair each later side with the first, all over the same cases: those that every one of the named sides has.

    Raises BadInput as `pair` does.
    """
    columns = [_Columns(name, rows) for name, rows in sides]
    # In one order, whatever the files': resampling goes by position, and the same results must get the same limits.
    cases = sorted(_common(columns))
    unit_scale = _unit_scale(columns)
    for side in columns:
        _score_failures(side, unit_scale=unit_scale, lower_is_better=lower_is_better)
    numbers = {case: number for number, case in enumerate(cases)}
    clusters, alone = _clusters(numbers, columns)
    first, *others = columns
    incumbent = _arm(first, numbers)
    return [
        Pairs(
            n=len(cases),
            incumbent=incumbent,
            candidate=_arm(side, numbers),
            clusters=clusters,
            alone=alone,
            unpaired=_unpaired(numbers, first.known, side.known),
            unit_scale=unit_scale,
        )
        for side in others
    ]


def _common(columns: list[_Columns]) -> list[str]:
    first, *others = columns
    cases = list(first.known)
    for number, side in enumerate(others):
        left = [case for case in cases if case in side.known]
        if not left:
            among = " that the files before it share" if number else ""
            begins = f"{first.name} begins with {_quoted(first.known)}, {side.name} with {_quoted(side.known)}"
            where = "both files." if len(others) == 1 else f"all files, or leave {side.name} out."
            raise BadInput(
                f"No case of {first.name}{among} is in {side.name} ({begins}).",
                hint=f'Use the same "case" for the same question in {where}',
            )
        cases = left
    return cases


def _unpaired(paired: dict[str, int], first: dict[str, None], second: dict[str, None]) -> Unpaired:
    only_first = [case for case in first if case not in paired]
    only_second = [case for case in second if case not in paired]
    named = (only_first[: NAMED - min(len(only_second), 2)] + only_second)[:NAMED]
    return Unpaired(len(only_first), len(only_second), tuple(named))


def _unit_scale(sides: list[_Columns]) -> bool:
    finite = np.concatenate([side.scores[~side.failed] for side in sides])
    if finite.size == 0:
        raise BadInput(
            f"No score in {'either' if len(sides) == 2 else 'any'} file is a number.",
            hint="Check that the run that wrote them worked.",
        )
    return bool(finite.min() >= 0 and finite.max() <= 1)


def _score_failures(side: _Columns, *, unit_scale: bool, lower_is_better: bool) -> None:
    failed = np.flatnonzero(side.failed)
    if failed.size and not unit_scale:
        raise BadInput(
            f"Case {side.cases[int(failed[0])]!r} in {side.name} has no score (null, NaN or infinite), and on a scale "
            "that is not 0 to 1 the worst score is unknown.",
            hint="Write the score that a failed case deserves on your scale.",
        )
    side.scores[failed] = 1.0 if lower_is_better else 0.0


def _arm(side: _Columns, numbers: dict[str, int]) -> Arm:
    n = len(numbers)
    codes = np.array([numbers.get(case, -1) for case in side.cases], dtype=np.intp)
    paired = codes >= 0
    counts = np.bincount(codes[paired], minlength=n)
    means = np.bincount(codes[paired], weights=side.scores[paired], minlength=n) / counts
    timed, priced = paired & np.isfinite(side.latencies), paired & np.isfinite(side.costs)
    prices = np.bincount(codes[priced], minlength=n)
    with np.errstate(invalid="ignore"):
        cost_usd = np.bincount(codes[priced], weights=side.costs[priced], minlength=n) / prices
    return Arm(
        scores=means,
        cost_usd=cost_usd,
        latency_ms=side.latencies[timed],
        latency_pairs=codes[timed],
        repeats=int((counts > 1).sum()),
        failures=int((side.failed & paired).sum()),
    )


def _clusters(numbers: dict[str, int], sides: list[_Columns]) -> tuple[Codes | None, int]:
    found: dict[str, str] = {}
    for side in sides:
        for case, cluster in zip(side.cases, side.clusters, strict=True):
            if cluster is not None and found.setdefault(case, cluster) != cluster:
                raise BadInput(
                    f"Case {case!r} is in cluster {found[case]!r} and in cluster {cluster!r}.",
                    hint="Give a case the same cluster on every line and in every file.",
                )
    labels = [found.get(case) for case in numbers]
    alone = labels.count(None)
    if alone == len(labels):
        return None, 0
    # A case without a cluster is numbered by itself: no label of a file can collide with a pair's number.
    return cluster_codes([number if label is None else label for number, label in enumerate(labels)]), alone


def _quoted(cases: dict[str, None]) -> str:
    return ", ".join(repr(case) for case in islice(cases, 2)) or "nothing"
