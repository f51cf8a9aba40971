"""Recorded outcomes replayed through the rules of `assay try`: what would each decision have said, and how soon?

A matrix holds the score of every arm (a model, a setting) on every question. Any two arms are an incumbent and a
candidate whose difference over all questions is known, so wrong promotions and missed gains can be counted.

`replay` feeds one pair to the fold and the rule that a trial uses. `replay_many` gives the verdicts of thousands of
streams with array arithmetic. Invariant: both say the same, of the same questions.
Proved by `tests/unit/decisions/test_replay.py`.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import TextIOWrapper
from math import isfinite, log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.decisions.declare import declared
from assay.decisions.fold import CANDIDATE, INCUMBENT, fold_of
from assay.decisions.hypothesis import Hypothesis
from assay.decisions.order import Ordering, ordered
from assay.decisions.rules import read_verdict
from assay.decisions.settings import DecisionSettings
from assay.errors import BadInput
from assay.evals.case import Case
from assay.evals.lines import open_regular
from assay.evals.run_spec import RunSpec
from assay.stats.clusters import ClusterSums
from assay.stats.horizon import calibrate
from assay.stats.mean import adjusted_t_of
from assay.stats.paired import FEW_DIFFERENT
from assay.stats.shifted import gains
from assay.stats.signflip import EXACT_UNITS, sign_patterns
from assay.stats.verdict import Verdict
from assay.stats.wealth import log_growth, log_mixture, payoffs, reach

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_CELLS = 4_000_000  # numbers of an array that are worked on at once
_DRAWS = 10_000  # as `ClusterLooks` draws
_HAIR = 1e-9


@dataclass(frozen=True, slots=True)
class Matrix:
    """Scores in [0, 1] of shape (items, arms)."""

    items: tuple[str, ...]
    arms: tuple[str, ...]
    scores: Floats

    @property
    def is_binary(self) -> bool:
        """True where every score is 0 or 1."""
        return bool(np.isin(self.scores, (0.0, 1.0)).all())

    def ordered(self, seed: str) -> Ordering:
        """The items in the order a trial with this seed asks them."""
        return ordered([Case(item, item) for item in self.items], seed=seed)

    def places(self, ordering: Ordering) -> Ints:
        """The rows of `scores` in that order."""
        rows = {item: row for row, item in enumerate(self.items)}
        return np.array([rows[case.id] for case in ordering.cases])


@dataclass(frozen=True, slots=True)
class Replay:
    """The verdict of one decision and after how many questions it was over."""

    verdict: Verdict
    items: int


@dataclass(frozen=True, slots=True)
class Replays:
    """The same of many, arrays of shape (streams,): `verdicts` of text."""

    verdicts: NDArray[np.str_]
    items: Ints

    def share(self, verdict: Verdict) -> float:
        """The share of streams with that verdict."""
        return float((self.verdicts == verdict).mean())


def read_matrix(path: Path) -> Matrix:
    """A CSV file with a header: the item's name, then one score in [0, 1] for each arm.

    Raises NotFound, Unreadable, or BadInput naming the line.
    """
    with open_regular(path, what="a file of outcomes") as file:
        try:
            reader = csv.reader(TextIOWrapper(file, encoding="utf-8-sig", newline=""))
            rows = [(reader.line_num, row) for row in reader if row]
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadInput(f"{path} is not CSV: {error}.", hint="Save it as UTF-8 CSV with a header.") from error
    if len(rows) < 2 or len(rows[0][1]) < 3:
        raise BadInput(
            f"{path} holds no outcomes of two arms.", hint="Write a header (item, arm, arm, ...) and a line an item."
        )
    arms, items = tuple(rows[0][1][1:]), tuple(row[0] for _, row in rows[1:])
    for name, names in (("arm", arms), ("item", items)):
        twice = next((one for one, count in Counter(names).items() if count > 1), None)
        if twice is not None:
            raise BadInput(f"{path} names the {name} {twice!r} twice.", hint=f"Give every {name} a name of its own.")
    scores = np.array([_scores(path, line, row, len(arms)) for line, row in rows[1:]])
    return Matrix(items, arms, scores)


def hypothesis_of(
    matrix: Matrix,
    ordering: Ordering,
    *,
    incumbent: str = "incumbent",
    candidate: str = "candidate",
    alpha: float = 0.05,
    options: DecisionSettings | None = None,
) -> Hypothesis:
    """What `assay try` would declare for two arms, all items being confirm cases: the same rule, horizon, margins."""
    specs = [
        RunSpec(
            system=name,
            subject=name,
            kind="recorded",
            set_digest=ordering.digest,
            set_name="recorded",
            cases=len(matrix.items),
            replicas=1,
            scorers=(),
        )
        for name in (incumbent, candidate)
    ]
    return declared(
        options or DecisionSettings(),
        set_name="recorded",
        season=1,
        set_digest=ordering.digest,
        ordering=ordering,
        metric="exact_match" if matrix.is_binary else "recorded",
        specs=specs,
        alpha=alpha,
    )


def replay(hypothesis: Hypothesis, incumbent: Sequence[float], candidate: Sequence[float]) -> Replay:
    """One decision on the scores of two arms, in the order asked, by the fold and the rule of a trial.

    Where the hypothesis has clusters, each is of `items / clusters` neighbours.
    """
    per_unit = _per_unit(hypothesis)
    clusters = None if hypothesis.clusters is None else [str(place // per_unit) for place in range(hypothesis.items)]
    fold = fold_of(hypothesis, clusters)
    for ordinal, (before, after) in enumerate(zip(incumbent, candidate, strict=True)):
        fold.add(INCUMBENT, ordinal, float(before))
        fold.add(CANDIDATE, ordinal, float(after))
        if fold.is_over:
            break
    fold.finish()
    low, high = fold.rule.limits()
    return Replay(read_verdict(low, high, hypothesis.margins, hypothesis.objective), len(fold.folded))


def replay_many(hypothesis: Hypothesis, differences: NDArray[Any]) -> Replays:
    """Decisions on `differences` of shape (streams, items), candidate minus incumbent in the order asked.

    The objective must be "better". Clusters, where the hypothesis has them, are neighbours of one size.
    """
    if hypothesis.objective != "better" or differences.shape[1] != hypothesis.items:
        raise ValueError("streams are of all items of a hypothesis with the objective `better`")
    found = {"exact-horizon": _binary, "betting": _betting, "cluster-looks": _looks}[hypothesis.rule]
    if len(differences) == 0:
        return Replays(np.array([], dtype="<U11"), np.zeros(0, np.int64))
    width = _DRAWS * len(hypothesis.looks) if hypothesis.looks else 64 * hypothesis.items
    rows = max(1, _CELLS // width)
    parts = [found(hypothesis, differences[start : start + rows]) for start in range(0, len(differences), rows)]
    return Replays(np.concatenate([part.verdicts for part in parts]), np.concatenate([part.items for part in parts]))


def replay_set(differences: NDArray[Any], *, alpha: float = 0.05) -> Replays:
    """Who wins on this very set? `FiniteSetTest` at `alpha` on either side, on streams of shape (streams, items)."""
    size = differences.shape[1]
    target = log(reach(alpha))
    verdicts, items = np.full(len(differences), Verdict.NOT_BETTER, dtype="<U11"), np.full(len(differences), size)
    for row, stream in enumerate(np.asarray(differences, np.float64)):
        total = np.cumsum(stream)
        mean_left = -(total - stream) / np.arange(size, 0, -1)  # of what is still to come, were the mean of all 0
        up = log_mixture(np.cumsum(log_growth(payoffs(stream + 1, mean_left + 1)), axis=0)) >= target
        down = log_mixture(np.cumsum(log_growth(payoffs(1 - stream, 1 - mean_left)), axis=0)) >= target
        stop = up | down
        stop[-1] = True  # then everything is known
        at = int(stop.argmax())
        items[row] = at + 1
        better, worse = (bool(up[at]), bool(down[at])) if at < size - 1 else (total[-1] > _HAIR, total[-1] < -_HAIR)
        verdicts[row] = Verdict.PROMOTE if better else Verdict.WORSE if worse else Verdict.NOT_BETTER
    return Replays(verdicts, items)


def _scores(path: Path, line: int, row: Sequence[str], arms: int) -> list[float]:
    try:
        scores = [float(cell) for cell in row[1:]]
    except ValueError as error:
        raise BadInput(f"{path}, line {line}: {error}.", hint="Write scores as numbers; an error scores 0.") from error
    if len(scores) != arms:
        raise BadInput(f"{path}, line {line}: {len(scores)} scores for {arms} arms.", hint="Write one for each arm.")
    if not all(isfinite(score) and 0 <= score <= 1 for score in scores):
        raise BadInput(f"{path}, line {line}: a score lies outside 0 to 1.", hint="Rescale it; an error scores 0.")
    return scores


def _per_unit(hypothesis: Hypothesis) -> int:
    if hypothesis.clusters is None:
        return 1
    if hypothesis.items % hypothesis.clusters:
        raise ValueError("recorded clusters are of one size")
    return hypothesis.items // hypothesis.clusters


def _read(promote: Bools, worse: Bools, not_better: Bools, not_worse: Bools, items: Ints) -> Replays:
    """Claims made by the stop as verdicts, the strongest first: what `read_verdict` makes of the interval."""
    claims = [
        (promote, Verdict.PROMOTE),
        (worse, Verdict.WORSE),
        (not_better, Verdict.NOT_BETTER),
        (not_worse, Verdict.NOT_WORSE),
    ]
    names = [str(verdict) for _, verdict in claims]
    return Replays(np.select([claim for claim, _ in claims], names, str(Verdict.UNDECIDED)), items)


def _binary(hypothesis: Hypothesis, differences: NDArray[Any]) -> Replays:
    items, horizon, margins = hypothesis.items, hypothesis.horizon or 0, hypothesis.margins
    boundary = calibrate(horizon, hypothesis.alpha, 5.0)
    wins, losses = np.cumsum(differences > 0, axis=1), np.cumsum(differences < 0, axis=1)
    ties = np.arange(1, items + 1) - wins - losses
    # Past the horizon the test is over, so whatever stands there is not read.
    differ, wins, losses = np.minimum(wins + losses, horizon), np.minimum(wins, horizon), np.minimum(losses, horizon)
    enough = np.array(boundary.wins)[differ]
    enough[:, -1] = np.array(boundary.final)[differ[:, -1]]
    promote, worse = wins >= enough, losses >= enough
    not_better = ties >= _least_ties(horizon, items, margins.smallest, hypothesis.beta)[losses, wins]
    not_worse = ties >= _least_ties(horizon, items, margins.margin, hypothesis.alpha)[wins, losses]
    stop = promote | worse | not_better | (differ == horizon)
    stop[:, -1] = True
    at = stop.argmax(axis=1)
    here = np.arange(len(at)), at
    shown = not_worse & (np.arange(items) <= at[:, None])
    return _read(promote[here], worse[here], not_better[here], shown.any(axis=1), at + 1)


@lru_cache(maxsize=16)
def _least_ties(horizon: int, items: int, shift: float, level: float) -> Ints:
    """By [wins, losses] the ties from which the evidence for "above -shift" is enough: it rises with them."""
    wins, losses = np.meshgrid(np.arange(horizon + 1), np.arange(horizon + 1), indexing="ij")
    low, high = np.full(wins.shape, -1), np.full(wins.shape, items + 1)
    while (high - low > 1).any():
        ties = (low + high) // 2
        bets = gains(shift)
        evidence = np.full(wins.shape, -np.inf)
        for win, loss, tie in bets:
            evidence = np.logaddexp(evidence, wins * win + losses * loss + ties * tie)
        enough = evidence - log(len(bets)) >= log(1 / level)
        low, high = np.where(enough, low, ties), np.where(enough, ties, high)
    return high


def _betting(hypothesis: Hypothesis, differences: NDArray[Any]) -> Replays:
    unit, margins = _per_unit(hypothesis), hypothesis.margins
    means = np.asarray(differences, np.float64).reshape(len(differences), -1, unit).mean(axis=2)

    def reached(distances: Floats, null: float, level: float) -> Bools:
        ratios = payoffs(distances, np.full(means.shape, null))
        return np.asarray(log_mixture(np.cumsum(log_growth(ratios), axis=1)) >= log(reach(level)))

    promote = reached(means + 1, 1.0, hypothesis.alpha)
    not_worse = reached(means + 1, 1.0 - margins.margin, hypothesis.alpha)
    worse = reached(1 - means, 1.0, hypothesis.beta)
    not_better = reached(1 - means, 1.0 - margins.smallest, hypothesis.beta)
    stop = promote | worse | not_better
    stop[:, -1] = True
    at = stop.argmax(axis=1)
    here = np.arange(len(at)), at
    shown = not_worse & (np.arange(means.shape[1]) <= at[:, None])
    return _read(promote[here], worse[here], not_better[here], shown.any(axis=1), (at + 1) * unit)


def _looks(hypothesis: Hypothesis, differences: NDArray[Any]) -> Replays:
    """As `ClusterLooks` strikes patterns of signs out, for clusters of one size; claims, not intervals."""
    unit, clusters, looks = _per_unit(hypothesis), hypothesis.clusters or 0, hypothesis.looks
    streams = len(differences)
    sums = np.asarray(differences, np.float64).reshape(streams, clusters, unit).sum(axis=2)
    flips, signed = _patterns(clusters), []
    flipped, sizes = np.zeros((len(flips), streams)), np.zeros(len(flips))
    for start, end in zip((0, *looks[:-1]), looks, strict=True):
        flipped = flipped + flips[:, start:end] @ sums[:, start:end].T
        sizes = sizes + flips[:, start:end].sum(axis=1) * unit
        signed.append((flipped.T, sizes))
    margins, shares = hypothesis.margins, [look / clusters for look in looks]
    groups = [(sums[:, :look], np.full(look, float(unit))) for look in looks]

    def shown(mean: float, side: int, level: float) -> Bools:
        gone, found = np.zeros((streams, len(flips)), bool), np.zeros((streams, len(looks)), bool)
        for k, (totals, cases) in enumerate(signed):
            spare = np.floor(level * shares[k] * len(flips) + _HAIR).astype(int) - gone.sum(axis=1)
            values = np.where(gone, -np.inf, side * (totals - mean * cases))
            for row in np.flatnonzero((spare > 0) & (spare < len(flips))):
                place = -int(spare[row]) - 1
                bound = float(np.partition(values[row], place)[place]) + _HAIR * float(cases[0])
                gone[row] |= values[row] > bound
            found[:, k] = gone[:, 0]
            if mean:  # where few clusters differ, the adjusted t must agree, at the error of this look
                step = level * (shares[k] - (shares[k - 1] if k else 0.0))
                seen, sizes = groups[k]
                for row in np.flatnonzero(found[:, k] & (np.count_nonzero(seen, axis=1) < FEW_DIFFERENT)):
                    limits = adjusted_t_of(ClusterSums(seen[row], sizes), scale=1.0, alpha=min(2 * step, 0.999))
                    found[row, k] = side * ((limits.low if side > 0 else limits.high) - mean) > 0
        return np.asarray(np.logical_or.accumulate(found, axis=1))

    promote, worse = shown(0.0, 1, hypothesis.alpha), shown(0.0, -1, hypothesis.beta)
    not_better = shown(margins.smallest, -1, hypothesis.beta)
    not_worse = shown(-margins.margin, 1, hypothesis.alpha)
    stop = promote | worse | not_better
    stop[:, -1] = True
    at = stop.argmax(axis=1)
    here = np.arange(streams), at
    ended = np.array(looks)[at] * unit
    return _read(promote[here], worse[here], not_better[here], not_worse[here], ended)


@lru_cache(maxsize=2)
def _patterns(clusters: int) -> Floats:
    """Signs +1 or -1, shape (patterns, clusters): those `look_flips` uses, the observed one (no sign turned) first."""
    turned = np.concatenate(list(sign_patterns(clusters, draws=_DRAWS, seed=0)))
    signs: Floats = 1 - 2 * turned
    return signs if clusters <= EXACT_UNITS else np.concatenate([np.ones((1, clusters)), signs])
