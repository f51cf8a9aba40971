"""Whether two sets of cases rank configurations alike: rank correlations with intervals, and what a choice costs.

Each set gives every configuration a mean score. What varies is the cases, by whole clusters: a draw resamples the
clusters of both sets (those with the same name on both sides together) and ranks anew. Percentile limits.

Noise in either set can only blur a ranking, so the correlations are pulled towards zero, in the draws once more than in
the data: the interval leans low, and `ceiling` says what a set without any fault of its own could be expected to reach
at these numbers of cases. Proved by `tests/unit/stats/test_ranks.py` against SciPy and by simulation.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.stats.bootstrap import percentile_interval
from assay.stats.clusters import Codes, Floats, cluster_codes
from assay.stats.interval import Interval

_CEILING_DRAWS = 300

Labels = Sequence[Hashable] | NDArray[Any]


@dataclass(frozen=True, slots=True)
class RankAgreement:
    """How the first set ranks configurations against how the second does, which is taken as right.

    `kendall` and `spearman` correlate the two rankings. `same_best` is the share of draws in which both choose the same
    best configuration (ties shared out). `regret` is how much worse, by the second set, the first set's choice is than
    the best: 0 or more, in the unit of the scores. `ceiling` is the mean Kendall correlation of two fresh sets as large
    as these that both measure exactly what the second one does.
    """

    kendall: Interval
    spearman: Interval
    same_best: float
    regret: Interval
    ceiling: float


def kendall_tau(first: Sequence[float] | Floats, second: Sequence[float] | Floats) -> float:
    """Kendall's tau-b (Kendall 1945); 0 where all values of one side are equal, so nothing is ranked."""
    return float(_kendall(*_rows(first, second))[0])


def spearman_rho(first: Sequence[float] | Floats, second: Sequence[float] | Floats) -> float:
    """Spearman's rho with mean ranks for ties (Spearman 1904); 0 where all values of one side are equal."""
    return float(_spearman(*_rows(first, second))[0])


def rank_agreement(
    first: NDArray[Any],
    second: NDArray[Any],
    *,
    clusters_first: Labels,
    clusters_second: Labels,
    alpha: float = 0.05,
    draws: int = 2_000,
    seed: int = 0,
) -> RankAgreement:
    """Scores of shape (cases, configurations), the same configurations in both, at least three.

    Raises `ValueError` for other shapes, NaN, or fewer.
    """
    one, other = _scores(first), _scores(second)
    if one.shape[1] != other.shape[1] or one.shape[1] < 3:
        raise ValueError("rankings need the same three or more configurations on both sides")
    rng = np.random.default_rng(seed)
    codes_one, codes_other, groups = _joint(clusters_first, clusters_second, (len(one), len(other)))
    drawn = _draws(groups, draws, rng)
    means_one, means_other = _means(one, codes_one, drawn), _means(other, codes_other, drawn)
    # A draw may hold no case of a set where the sets have no clusters in common: it says nothing.
    whole = np.isfinite(means_one[:, 0]) & np.isfinite(means_other[:, 0])
    means_one, means_other = means_one[whole], means_other[whole]
    observed_one, observed_other = one.mean(axis=0)[None], other.mean(axis=0)[None]

    def interval(value: Floats, values: Floats) -> Interval:
        units = int(min(len(np.unique(codes_one)), len(np.unique(codes_other))))
        return percentile_interval(float(value[0]), values, n=units, alpha=alpha, clustered=True)

    return RankAgreement(
        kendall=interval(_kendall(observed_one, observed_other), _kendall(means_one, means_other)),
        spearman=interval(_spearman(observed_one, observed_other), _spearman(means_one, means_other)),
        same_best=float(_same_best(means_one, means_other).mean()),
        regret=interval(_regret(observed_one, observed_other), _regret(means_one, means_other)),
        ceiling=_ceiling(
            other,
            clusters_second,
            sizes=[(len(np.unique(codes)), len(codes)) for codes in (codes_one, codes_other)],
            rng=rng,
        ),
    )


def _ceiling(scores: Floats, clusters: Labels, *, sizes: Sequence[tuple[int, int]], rng: np.random.Generator) -> float:
    """Mean tau of two sets of `sizes` (clusters, cases) drawn from the clusters of one."""
    codes = cluster_codes(clusters)
    members = [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]
    means = np.empty((2, _CEILING_DRAWS, scores.shape[1]))
    for side, (groups, cases) in enumerate(sizes):
        each = np.bincount(np.arange(cases) % groups)  # as many cases in every cluster as the set has on average
        for draw in range(_CEILING_DRAWS):
            chosen = rng.integers(0, len(members), groups)
            rows = np.concatenate([rng.choice(members[c], n) for c, n in zip(chosen, each, strict=True)])
            means[side, draw] = scores[rows].mean(axis=0)
    return float(_kendall(means[0], means[1]).mean())


def _joint(first: Labels, second: Labels, lengths: tuple[int, int]) -> tuple[Codes, Codes, list[NDArray[np.intp]]]:
    """Cluster codes of both sets, numbered together, and the groups of clusters that are drawn among themselves."""
    if (len(first), len(second)) != lengths:
        raise ValueError("every case needs a cluster")
    codes = cluster_codes([*first, *second])
    one, other = codes[: len(first)], codes[len(first) :]
    here, there = np.unique(one), np.unique(other)
    return one, other, [np.union1d(here, there)] if len(np.intersect1d(here, there)) else [here, there]


def _draws(groups: Sequence[NDArray[np.intp]], draws: int, rng: np.random.Generator) -> Floats:
    """How often each cluster is drawn, shape (draws, clusters)."""
    total = max(int(group.max()) for group in groups) + 1
    counts = np.zeros((draws, total))
    for group in groups:
        picks = group[rng.integers(0, len(group), (draws, len(group)))]
        places = picks + np.arange(draws)[:, None] * total
        counts += np.bincount(places.ravel(), minlength=draws * total).reshape(draws, total)
    return counts


def _means(scores: Floats, codes: Codes, drawn: Floats) -> Floats:
    """Mean of every configuration in every draw, shape (draws, configurations); NaN in a draw without cases."""
    total = drawn.shape[1]
    sums = np.zeros((total, scores.shape[1]))
    np.add.at(sums, codes, scores)
    cases = drawn @ np.bincount(codes, minlength=total)
    means = np.full((len(drawn), scores.shape[1]), np.nan)
    np.divide(drawn @ sums, cases[:, None], out=means, where=cases[:, None] > 0)
    return means


def _kendall(first: Floats, second: Floats) -> Floats:
    """tau-b row by row."""
    left, right = np.triu_indices(first.shape[1], k=1)
    signs = [np.sign(_rounded(some)[:, left] - _rounded(some)[:, right]) for some in (first, second)]
    agree = (signs[0] * signs[1]).sum(axis=1)
    scale = np.sqrt((signs[0] ** 2).sum(axis=1) * (signs[1] ** 2).sum(axis=1))
    return _divided(agree, scale)


def _spearman(first: Floats, second: Floats) -> Floats:
    """rho row by row: the correlation of the ranks."""
    ranks = [_ranks(_rounded(some)) for some in (first, second)]
    centred = [some - some.mean(axis=1, keepdims=True) for some in ranks]
    scale = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    return _divided((centred[0] * centred[1]).sum(axis=1), scale)


def _divided(top: Floats, bottom: Floats) -> Floats:
    """The quotient; 0 where nothing is ranked."""
    found = np.zeros(len(top))
    np.divide(top, bottom, out=found, where=bottom > 0)
    return found


def _ranks(values: Floats) -> Floats:
    """Ranks from 1 within each row, equal values sharing the mean of theirs."""
    below = (values[:, None, :] < values[:, :, None]).sum(axis=2)
    equal = (values[:, None, :] == values[:, :, None]).sum(axis=2)
    return np.asarray(below + (equal + 1) / 2, dtype=np.float64)


def _same_best(first: Floats, second: Floats) -> Floats:
    """The chance that both choose the same configuration where each chooses among its best at random."""
    best = [_rounded(some) == _rounded(some).max(axis=1, keepdims=True) for some in (first, second)]
    shared = (best[0] & best[1]).sum(axis=1)
    return np.asarray(shared / (best[0].sum(axis=1) * best[1].sum(axis=1)), dtype=np.float64)


def _regret(first: Floats, second: Floats) -> Floats:
    """What the first set's choice (its mean where it is a tie) loses by the second set."""
    best = _rounded(first) == _rounded(first).max(axis=1, keepdims=True)
    chosen = (second * best).sum(axis=1) / best.sum(axis=1)
    return np.asarray(np.maximum(second.max(axis=1) - chosen, 0.0), dtype=np.float64)


def _rounded(values: Floats) -> Floats:
    """So that means that are equal in exact arithmetic are equal."""
    return np.round(values, 12)


def _rows(first: Sequence[float] | Floats, second: Sequence[float] | Floats) -> tuple[Floats, Floats]:
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.ndim != 1 or one.shape != other.shape or len(one) < 2:
        raise ValueError("a rank correlation needs two rows of the same length, two or more values long")
    return one[None], other[None]


def _scores(values: NDArray[Any]) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or len(array) == 0 or not np.isfinite(array).all():
        raise ValueError("scores must be finite numbers of shape (cases, configurations)")
    return array
