"""What a stop of the exact-horizon test says about the difference: its lower limit and an unbiased estimate.

Every path of wins and losses that ends in the same place is equally likely, so counting paths once gives the law of the
stop for every win share p and every share D of questions that differ: a path count times p^W (1-p)^L, times a binomial
chance for when the questions that differ come up.

Limit (stage-wise ordering, Tsiatis, Rosner and Mehta 1984): an earlier promotion is stronger evidence. The limit is the
smallest difference under which a promotion this early has a chance above alpha. D is unknown, so the worst D below its
upper confidence limit at level alpha/50 counts, and that level is paid for (Berger and Boos 1994). The boundary itself
needs no D: at a difference of 0 the limit is the test, so it is above 0 exactly when the test promotes.

Estimate (Girshick, Mosteller and Savage 1946): the first question's result is unbiased and useless; its mean over all
orders of the same results that stop in the same place is unbiased and good. Unlike the plain mean it is not flattered
by stopping at a high point, whatever the truth.

Proved by enumeration of all paths, by coverage and by bias in `tests/oracles/test_sequential_estimates.py`.
"""

from functools import lru_cache
from math import log

import numpy as np
from numpy.typing import NDArray

from assay.stats.horizon import Boundary, Floats, first_passages, steps

_SHARES = 48  # values of D tried; the chance varies by a factor of two over ten of them
_HALVINGS = 40
_JUST_ABOVE = 1e-12  # the limit of a promotion at the last moment: above 0, and by nothing one could show
_PAID = 50  # the nuisance costs alpha/50


def promoted_low(boundary: Boundary, n: int, wins: int, losses: int) -> float:
    """The lower `1 - alpha` limit of the difference after a promotion at question `n`, above 0 (score units).

    Where the counts lie under the boundary, the promotion came from the last look, which ranks after all others.
    """
    from scipy.special import betaincinv

    differ = wins + losses
    early = wins >= boundary.wins[differ]
    paid = boundary.alpha / _PAID
    most = float(betaincinv(differ + (not early), n - differ, 1 - paid)) if n > differ else 1.0
    # Below `most`/50 fewer than differ/10 questions that differ are expected: no promotion this early.
    shares = np.geomspace(most / 50, most, _SHARES)
    asked, won, log_paths, chance = _as_extreme(boundary, n, wins, losses, shares)
    low, high = np.zeros(_SHARES), np.ones(_SHARES)  # bounds of 2p - 1
    for _ in range(_HALVINGS):
        edge = (low + high) / 2
        log_likelihood = won * np.log1p(edge)[:, None] + (asked - won) * np.log1p(-edge)[:, None]
        rejected = (np.exp(log_paths + log_likelihood) * chance).sum(axis=1) < boundary.alpha - paid
        low, high = np.where(rejected, edge, low), np.where(rejected, high, edge)
    # Where no win share makes it likely enough, that D has no difference to keep.
    kept = np.where(high < 1, low * shares, np.inf)
    return max(float(kept.min()), _JUST_ABOVE)


def _as_extreme(
    boundary: Boundary, n: int, wins: int, losses: int, shares: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """All outcomes at least as extreme: questions that differ, wins, ln of the chance of their paths at p = 1/2, and
    for each of `shares` (rows) the chance that so many questions differ in time."""
    from scipy.special import betainc, betaln, xlog1py, xlogy

    hits = _first_passages(boundary)
    asked = np.flatnonzero(hits[: n + 1])
    won = np.array([boundary.wins[m] for m in asked], np.int64)
    log_paths: Floats = np.log(hits[asked])
    chance = np.asarray(betainc(asked, n - asked + 1, shares[:, None]), np.float64)
    differ = wins + losses
    if wins < boundary.wins[differ]:
        last, last_won, last_log_paths = _last_looks(boundary, differ, wins)
        inside = last <= n
        last, last_won, last_log_paths = last[inside], last_won[inside], last_log_paths[inside]
        log_choose = -betaln(last + 1, n - last + 1) - log(n + 1)
        pmf = np.exp(log_choose + xlogy(last, shares[:, None]) + xlog1py(n - last, -shares[:, None]))
        asked, won = np.concatenate([asked, last]), np.concatenate([won, last_won])
        log_paths, chance = np.concatenate([log_paths, last_log_paths]), np.concatenate([chance, pmf], axis=1)
    return asked.astype(np.float64), won.astype(np.float64), log_paths, chance


@lru_cache(maxsize=64)
def _first_passages(boundary: Boundary) -> Floats:
    return first_passages(np.array(boundary.wins))


def last_look_p(boundary: Boundary, wins: int, losses: int) -> float:
    """The one-sided p-value of the last look, given how many questions differ: promoted before, or ended this high."""
    return float(_ends(boundary)[wins + losses][0][wins])


@lru_cache(maxsize=64)
def _last_looks(boundary: Boundary, differ: int, wins: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """The ends under the boundary whose p-value given the questions that differ is at most that of the one seen."""
    seen = _ends(boundary)[differ][0][wins] * (1 + 1e-12)
    asked, won, log_paths = [], [], []
    for m, (p, alive) in enumerate(_ends(boundary)):
        inside = np.flatnonzero((p <= seen) & (alive > 0))
        asked.append(np.full(len(inside), m))
        won.append(inside)
        log_paths.append(np.log(alive[inside]))
    return np.concatenate(asked), np.concatenate(won), np.concatenate(log_paths)


@lru_cache(maxsize=8)
def _ends(boundary: Boundary) -> list[tuple[Floats, Floats]]:
    """Per number of questions that differ, by wins: the p-value of ending there, and the chance to at p = 1/2."""
    spent, ends = 0.0, []
    for m, (hit, alive) in enumerate(steps(np.array(boundary.wins))):
        spent += hit
        ends.append((spent + np.cumsum(alive[m::-1])[::-1], alive[: m + 1].copy()))
    return ends


def unbiased(boundary: Boundary, n: int, wins: int, losses: int, *, ended: bool) -> float:
    """The unbiased estimate of the difference (score units) after `n` questions, where only the boundaries stop a test.

    `ended`: the questions ended here; otherwise the test stopped here, on a question that differed.
    """
    differ = wins + losses
    if differ == 0:
        return 0.0
    edge = _first_edge(boundary, differ, wins)
    if ended:
        return edge * differ / n
    return edge * (differ - 1) / (n - 1) if n > 1 else edge


@lru_cache(maxsize=4096)
def _first_edge(boundary: Boundary, differ: int, wins: int) -> float:
    """The share of paths to this place that start with a win, minus the share that start with a loss."""
    width = differ + 1
    every, signed = np.zeros(width + 1), np.zeros(width + 1)  # by wins: paths, and paths by sign of their first step
    every[:2] = 0.5
    signed[:2] = -0.5, 0.5
    for m in range(2, differ + 1):
        before = boundary.wins[m - 1]
        if before < m:  # those that promoted or dropped a question ago have stopped
            for paths in (every, signed):
                paths[before:] = 0.0
                paths[: max(m - before, 0)] = 0.0
        for paths in (every, signed):
            paths[1:] = (paths[1:] + paths[:-1]) / 2
            paths[0] /= 2
    return float(signed[wins] / every[wins]) if every[wins] > 0 else (2 * wins - differ) / differ  # no test is here
