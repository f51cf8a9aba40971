"""The exact-horizon sequential McNemar test: how many wins are enough after m questions on which the two differ.

Under "not better", a question on which the systems differ is won with probability at most 1/2 whatever came before. So
the wins among the first m such questions are at most binomial, and a dynamic program gives the exact chance that they
ever reach a boundary b[m] within a declared horizon. Ties carry no information and cost nothing.

Invariant: P(wins reach the boundary within the horizon) <= alpha at a win share of 1/2, whoever looks and whenever.
The statistic is a martingale to 1e-9, and the chances equal enumeration of all paths: `tests/oracles/test_horizon.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import inf, lgamma, log
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_NEVER = 2**31  # more wins than there are questions


def log_e(wins: ArrayLike, losses: ArrayLike, *, a: float = 5.0) -> Any:
    """ln of the evidence for "better" after `wins` and `losses`: a Beta(a, a) mixture over win shares above 1/2.

    ln E = (W+L) ln 2 + ln B(a+W, a+L) - ln B(a, a) + ln P[Beta(a+W, a+L) > 1/2] + ln 2. At a win share of 1/2 the mean
    of E is 1 after any number of questions. Takes numbers or arrays; -inf where E underflows.
    """
    from scipy.special import betainc, betaln

    first, second = np.asarray(wins, np.float64), np.asarray(losses, np.float64)
    with np.errstate(divide="ignore"):
        above = np.log(betainc(a + second, a + first, 0.5))
    return (first + second + 1) * log(2) + betaln(a + first, a + second) - betaln(a, a) + above


def log_e_now(wins: int, losses: int, a: float) -> float:
    """`log_e` of one pair of counts, in two microseconds rather than ten."""
    from scipy.special import betainc

    log_beta = lgamma(a + wins) + lgamma(a + losses) - lgamma(2 * a + wins + losses)
    above = float(betainc(a + losses, a + wins, 0.5))
    if above == 0:
        return -inf
    return (wins + losses + 1) * log(2) + log_beta - 2 * lgamma(a) + lgamma(2 * a) + log(above)


@dataclass(frozen=True, slots=True)
class Boundary:
    """Stop and promote once wins >= `wins[m]` after m questions that differ, m = 0..horizon; `wins[m]` > m is never.

    `threshold` is the evidence E at which the boundary lies, `size` the exact chance to reach it at a win share of 1/2,
    and `final[m]` the wins that are enough if the questions end after m that differ: a last look at the rest of alpha.
    """

    horizon: int
    alpha: float
    a: float
    threshold: float
    size: float
    wins: tuple[int, ...]
    final: tuple[int, ...]


@lru_cache(maxsize=256)
def calibrate(horizon: int, alpha: float, a: float) -> Boundary:
    """The lowest boundary of constant evidence whose chance to be reached within `horizon` is at most `alpha`."""
    low, high = 0.0, log(1 / alpha)
    for _ in range(40):
        middle = (low + high) / 2
        if reached(first_passages(_boundary(middle, horizon, a))) <= alpha:
            high = middle
        else:
            low = middle
    wins = _boundary(high, horizon, a)
    return Boundary(
        horizon=horizon,
        alpha=alpha,
        a=a,
        threshold=float(np.exp(high)),
        size=reached(first_passages(wins)),
        wins=tuple(int(w) for w in wins),
        final=_final_look(wins, alpha),
    )


def p_value(peak: float, horizon: int, a: float) -> float:
    """One-sided p-value that stays valid however often it is looked at: the chance, at a win share of 1/2, that the
    evidence reaches `peak` (its highest ln E so far) within the horizon; 1.0 while there is none.
    """
    # A hair for rounding: counts that differ are further apart than that.
    return min(1.0, reached(first_passages(_boundary(peak - 1e-9, horizon, a)))) if peak > 0 else 1.0


def reached(hits: Floats) -> float:
    """The chance to reach the boundary at all, from the chances per question."""
    return float(hits.sum())


def _boundary(log_threshold: float, horizon: int, a: float) -> Ints:
    """The fewest wins with ln E >= `log_threshold` after m = 0..horizon questions (E rises with wins): bisection."""
    asked = np.arange(horizon + 1)
    low, high = (asked - 1) // 2, asked + 1  # at most half the questions won is never evidence; m + 1 stands for never
    while (high - low > 1).any():
        middle = (low + high) // 2
        enough = log_e(middle, asked - middle, a=a) >= log_threshold
        open_ = high - low > 1
        high, low = np.where(open_ & enough, middle, high), np.where(open_ & ~enough, middle, low)
    return np.where(high > asked, _NEVER, high)


def first_passages(wins: Ints) -> Floats:
    """The chance to reach the boundary exactly at m = 0..horizon, at a win share of 1/2."""
    return np.array([hit for hit, _ in steps(wins)])


def _final_look(wins: Ints, alpha: float) -> tuple[int, ...]:
    """The fewest wins at the end after m = 0..horizon such that boundary and end together have a chance <= alpha.

    How many questions differ says nothing about who wins them, so this may be done given m: any m has its own end.
    """
    spent, enough = 0.0, []
    for m, (hit, alive) in enumerate(steps(wins)):
        spent += hit
        tail = np.cumsum(alive[m::-1])  # the chance of m, m - 1, ... wins or more without having reached the boundary
        enough.append(m + 1 - int(np.searchsorted(tail, alpha - spent, side="right")))
    return tuple(enough)


def steps(wins: Ints) -> Iterator[tuple[float, Floats]]:
    """For m = 0..horizon: the chance to reach the boundary now, and the chances of 0..m wins without having done so."""
    horizon = len(wins) - 1
    alive = np.zeros(horizon + 2)
    alive[0] = 1.0
    yield 0.0, alive
    for m in range(1, horizon + 1):
        alive[1 : m + 1] = (alive[1 : m + 1] + alive[:m]) / 2
        alive[0] /= 2
        hit, b = 0.0, int(wins[m])
        if b <= m:
            hit = float(alive[b : m + 1].sum())
            alive[b : m + 1] = 0.0
        yield hit, alive
