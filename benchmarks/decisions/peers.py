"""The decision rules of others, written anew from what they publish, over many streams or grids at once.

Each says where its rule is published. Two kinds:

- of one change: `rule(differences)` with differences of shape (streams, items) in {-1, 0, 1} in the order asked, giving
  who is promoted and after how many items;
- of a grid: `rule(scores, rng)` with scores of shape (items, arms), arm 0 the incumbent, giving the arm that would
  serve afterwards (0: nothing is promoted).

Where a peer resamples, right-or-wrong differences are resampled by their counts: the same distribution, less work.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc
from scipy.stats import t as student

Streams = NDArray[Any]
Found = tuple[NDArray[np.bool_], NDArray[np.int64]]
OneChange = Callable[[Streams], Found]
Grid = Callable[[NDArray[Any], np.random.Generator], int]


@lru_cache(maxsize=16)
def enough_wins(most: int, alpha: float) -> NDArray[np.int64]:
    """By how many items differ, the fewest wins whose exact one-sided McNemar p-value is below `alpha`."""
    differ = np.arange(most + 1)
    wins = np.arange(most + 2)[:, None]
    with np.errstate(invalid="ignore"):
        tail = np.where(wins == 0, 1.0, bdtrc(np.minimum(wins - 1, differ), differ, 0.5))
    found = np.where(wins > differ, True, tail < alpha).argmax(axis=0)
    return np.where(found > differ, most + 2, found)


def fixed_mcnemar(differences: Streams, *, alpha: float = 0.05) -> Found:
    """McNemar's exact test (1947, Psychometrika 12:153), one-sided, once, after all items."""
    streams, items = differences.shape
    wins, losses = (differences > 0).sum(axis=1), (differences < 0).sum(axis=1)
    return wins >= enough_wins(items, alpha)[wins + losses], np.full(streams, items)


def peeking_mcnemar(differences: Streams, *, alpha: float = 0.05, every: int = 1, first: int = 1) -> Found:
    """The same test after every item (or every so many), promoted at the first p < alpha: what people do who watch."""
    items = differences.shape[1]
    wins, losses = np.cumsum(differences > 0, axis=1), np.cumsum(differences < 0, axis=1)
    return _first(wins >= enough_wins(items, alpha)[wins + losses], every=every, first=first)


def peeking_t(differences: Streams, *, alpha: float = 0.05, every: int = 1, first: int = 20) -> Found:
    """A one-sided paired t test after every item from the 20th on, promoted at the first p < alpha."""
    n = np.arange(1, differences.shape[1] + 1)
    mean, deviation = _running(differences)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(deviation > 0, mean * np.sqrt(n) / deviation, 0.0)
    critical = np.concatenate([[np.inf], student.isf(alpha, n[:-1])])
    return _first(statistic > critical, every=every, first=first)


def evalsig(differences: Streams, *, alpha: float = 0.05, rho: float = 1.0, first: int = 30) -> Found:
    """evalsig's `sequential_gate` (vtensor/evalsig, src/evalsig/inference/sequential.py, commit 504c35f).

    Promotes once mean - sd·sqrt(2(t + rho²)·ln(sqrt(t + rho²)/(alpha·rho)))/t > 0, sd that of the items so far, after
    each item from the 30th on.
    """
    n = np.arange(1, differences.shape[1] + 1)
    mean, deviation = _running(differences)
    wide = n + rho**2
    half = deviation * np.sqrt(2 * wide * np.log(np.sqrt(wide) / (alpha * rho))) / n
    return _first((deviation > 0) & (mean - half > 0), every=1, first=first)


def best_mean(scores: NDArray[Any], rng: np.random.Generator) -> int:
    """AutoRAG's `select_best_average` (Marker-Inc-Korea/AutoRAG, autorag/strategy.py): the largest mean serves, the
    first of equal ones; no test. Its default strategy."""
    return int(scores.mean(axis=0).argmax())


def best_if_p_below(scores: NDArray[Any], rng: np.random.Generator) -> int:
    """The best of the grid, if an uncorrected one-sided McNemar test against the incumbent has p < .05."""
    best = best_mean(scores, rng)
    return best if best and fixed_mcnemar((scores[:, best] - scores[:, 0])[None])[0][0] else 0


def context_grid(scores: NDArray[Any], rng: np.random.Generator) -> int:
    """context-grid's `compare` of the leader with the baseline (sushantgundla/context-grid,
    src/contextgrid/score/significance.py, commit b7f5a2c): distinguishable where the two-sided randomisation test
    (2,000 sign flips) has p < .05 and the paired bootstrap's 95% interval (2,000) excludes 0."""
    best = best_mean(scores, rng)
    return best if best and _distinguishable(scores[:, best] - scores[:, 0], rng) else 0


def context_grid_runner_up(scores: NDArray[Any], rng: np.random.Generator) -> int:
    """context-grid's `is_the_winner_real` (report/results.py): the same, of the leader against the runner-up."""
    order = np.argsort(-scores.mean(axis=0), kind="stable")
    best, second = int(order[0]), int(order[1])
    return best if best and _distinguishable(scores[:, best] - scores[:, second], rng) else 0


def rag_ci(scores: NDArray[Any], rng: np.random.Generator, *, ties_count: bool = True) -> int:
    """rag-ci's `successive_halving` (Nokimalos/rag-ci, src/ragci/sweep.py, commit 45b6b54; the bootstrap is stats.py).

    Rungs of 10, 30, 90, ... cases keep a third (at least two); the leader of the last, on all cases, must beat every
    other finalist by a one-sided paired bootstrap (10,000 resamples) after Holm. `ties_count`: an outcome is decisive
    only where no cut fell between equal scores, as it ships; False leaves that clause out. The incumbent is an arm.
    """
    items, arms = scores.shape
    left, arbitrary = rng.permutation(arms), False
    rungs = _rungs(arms, items)
    for place, cases in enumerate(rungs):
        means = scores[:cases, left].mean(axis=0)
        order = np.argsort(-means, kind="stable")
        keep = max(2, len(left) // 3) if place < len(rungs) - 1 else 1
        if keep < len(left):
            arbitrary |= bool(means[order[keep - 1]] == means[order[keep]])
        if place == len(rungs) - 1:
            others = left[order[1:]]
            winner = int(left[order[0]])
        left = left[order[:keep]]
    p = np.sort([float((_bootstrap(scores[:, arm] - scores[:, winner], 10_000, rng) >= 0).mean()) for arm in others])
    shown = bool((p <= 0.05 / np.arange(len(p), 0, -1)).all())
    return winner if shown and not (arbitrary and ties_count) else 0


def rag_ci_without_ties(scores: NDArray[Any], rng: np.random.Generator) -> int:
    """`rag_ci` by its Holm verdict alone (`winner_is_significant`)."""
    return rag_ci(scores, rng, ties_count=False)


def _rungs(arms: int, items: int, *, eta: int = 3, least: int = 10) -> list[int]:
    cases, sizes = least, [least]
    while arms > 2 and cases * eta <= items:
        arms, cases = max(2, arms // eta), cases * eta
        sizes.append(cases)
    return [*sizes[:-1], items]


def _distinguishable(difference: NDArray[Any], rng: np.random.Generator) -> bool:
    differ = int((difference != 0).sum())
    if differ == 0:
        return False
    flipped = np.abs(2 * rng.binomial(differ, 0.5, 2_000) - differ)
    p = (np.count_nonzero(flipped >= abs(difference.sum())) + 1) / 2_001
    low, high = np.quantile(_bootstrap(difference, 2_000, rng), [0.025, 0.975])
    return bool(p < 0.05 and (low > 0 or high < 0))


def _bootstrap(difference: NDArray[Any], draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
    n = len(difference)
    wins, losses = float((difference > 0).mean()), float((difference < 0).mean())
    drawn = rng.multinomial(n, [wins, losses, max(0.0, 1 - wins - losses)], draws)
    return (drawn[:, 0] - drawn[:, 1]) / n


def _running(differences: Streams) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation after each item."""
    n = np.arange(1, differences.shape[1] + 1)
    total = np.cumsum(differences, axis=1, dtype=np.float64)
    squares = np.cumsum(np.square(differences, dtype=np.float64), axis=1)
    variance = np.maximum(squares - total**2 / n, 0.0) / np.maximum(n - 1, 1)
    return total / n, np.sqrt(variance)


def _first(crossed: NDArray[np.bool_], *, every: int, first: int) -> Found:
    """The first look that crosses; looks after items `first`, `first` + `every`, ..."""
    items = crossed.shape[1]
    n = np.arange(1, items + 1)
    looked = crossed & (n >= first) & ((n - first) % every == 0)
    promoted = looked.any(axis=1)
    return promoted, np.where(promoted, looked.argmax(axis=1) + 1, items)
