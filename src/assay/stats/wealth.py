"""The arithmetic of betting against a mean: one wealth, read at any null.

A gambler who doubts "the mean is at most m" stakes a share theta of the wealth on every difference d of [a, b]. A fair
game multiplies it by (1 - theta) + theta·(d - a)/(m - a), whose expectation is at most 1 while the mean is at most m:
the wealth is a nonnegative supermartingale, and by Ville's inequality (1939) reaches 1/alpha with probability at most
alpha, ever. With lambda = theta/(m - a) this is the capital process of Waudby-Smith and Ramdas (2024, JRSS B 86:1,
arXiv 2010.09686), here averaged over a fixed grid of theta. The mirror bets on b - d.

Invariant: the wealth falls as m rises, at every step, so the set of nulls it refutes is an interval and bisection finds
its end. Proved by the expectation of the wealth over all paths in `tests/oracles/test_betting.py`.
"""

from math import inf, log

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_GRID = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.95)
THETAS: Floats = np.array(_GRID)
_HALVINGS = 34  # leave 1e-10 of a range of 2
_CEILING = 700.0  # exp of more overflows
HAIR = 1e-9  # of the range: a mean closer than this to an end of it is at that end


def payoffs(distances: Floats, nulls: Floats) -> Floats:
    """What one unit staked becomes: distance from the end of the range over the distance expected, where both are >= 0.

    A `null` expectation below zero says the hypothesis is already impossible: the payoff is infinite. At zero only a
    distance of zero is possible; within rounding of it a payoff is large but finite.
    """
    ratios: Floats = np.where(nulls < -HAIR, np.inf, distances / np.maximum(nulls, HAIR))
    return ratios


def log_growth(ratios: Floats) -> Floats:
    """ln((1 - theta) + theta·ratio) for every theta of the grid, on a new last axis."""
    return np.log1p((ratios[..., None] - 1.0) * THETAS)


def log_mixture(logs: Floats) -> Floats:
    """The log of the mean wealth over the last axis, the grid of theta."""
    top = np.minimum(logs.max(axis=-1), _CEILING)
    # A wealth already infinite stays at the ceiling; the difference of infinities would be NaN.
    mixed: Floats = top + np.log(np.exp(np.minimum(logs, _CEILING) - top[..., None]).mean(axis=-1))
    return mixed


def ever_reaches(ratios: Floats, wealth: float) -> bool:
    """Whether the mixture wealth is at least `wealth` (above 1) after some step of a path of payoffs of shape (n,)."""
    if np.isinf(ratios).any():
        return True
    with np.errstate(over="ignore", under="ignore"):
        # Infinite is enough, and what underflows to 0 has lost: plain products serve, at a third of the time of logs.
        paths = np.cumprod(1.0 + THETAS[:, None] * (ratios - 1.0), axis=1)
        return bool((paths.sum(axis=0) >= wealth * len(_GRID)).any())


def supremum(ratios: Floats) -> float:
    """The log of the largest mixture wealth along a path of payoffs of shape (n,); at least 0, the start's."""
    if len(ratios) == 0:
        return 0.0
    return max(0.0, float(log_mixture(np.cumsum(log_growth(ratios), axis=0)).max()))


_Parts = tuple[float, float, float, float, float, float, float, float]


class Wealth:
    """The running mixture wealth of several bets at once, in plain floats: eight numbers are too few for an array.

    A component that overflows stays infinite, one that underflows stays 0: it has lost, and only that can be held
    against the candidate.
    """

    __slots__ = ("_bets",)

    def __init__(self, bets: int) -> None:
        share = 1 / len(_GRID)
        self._bets: list[_Parts] = [(share, share, share, share, share, share, share, share)] * bets

    def after(self, ratios: list[float]) -> list[float]:
        """The wealth of each bet once it has been paid its ratio."""
        self._bets = [_paid(parts, ratio - 1.0) for parts, ratio in zip(self._bets, ratios, strict=True)]
        # What is impossible has lost even where 0 times infinity leaves no number.
        return [inf if ratio == inf else sum(parts) for parts, ratio in zip(self._bets, ratios, strict=True)]


def _paid(parts: _Parts, gain: float) -> _Parts:
    # Written out, for it is most of the time of an update: a loop takes two to three times as long.
    a, b, c, d, e, f, g, h = parts
    p, q, r, s, t, u, v, w = _GRID
    return (
        a * (1.0 + p * gain),
        b * (1.0 + q * gain),
        c * (1.0 + r * gain),
        d * (1.0 + s * gain),
        e * (1.0 + t * gain),
        f * (1.0 + u * gain),
        g * (1.0 + v * gain),
        h * (1.0 + w * gain),
    )


def reach(level: float) -> float:
    """The wealth that refutes at `level`: 1/level; raises `ValueError` unless 0 < level < 1."""
    if not 0 < level < 1:
        raise ValueError(f"a level is a probability between 0 and 1, not {level}")
    return 1 / level


def furthest_refuted(distances: Floats, level: float, *, width: float, size: int | None = None) -> float:
    """How far from the end of the range, in [0, width], every mean has been refuted at `level` at some step.

    `distances` of shape (n,) are d - a for a lower limit and b - d for an upper one. With `size` the mean is that of
    a finite set of so many differences drawn without replacement, else of the source they come from.
    """
    target = reach(level)
    before, left = _drawn(distances, size)
    refuted, kept = 0.0, width
    for _ in range(_HALVINGS):
        middle = (refuted + kept) / 2
        nulls = np.full(len(distances), middle) if size is None else (size * middle - before) / left
        if ever_reaches(payoffs(distances, nulls), target):
            refuted = middle
        else:
            kept = middle
    return refuted


def steps_to(ratios: Floats, level: float) -> float:
    """After how many payoffs like these, over and over, the wealth refutes at `level`; infinite if it never grows."""
    growth = log_growth(ratios).mean(axis=0)
    if growth.max() <= 0:
        return inf
    target = log(reach(level))
    # The best component alone needs this many: the mixture at least that less its weight of an eighth.
    most = (target + log(len(_GRID))) / float(growth.max())
    least = 0.0
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        if log_mixture(growth * middle) >= target:
            most = middle
        else:
            least = middle
    return most


def _drawn(distances: Floats, size: int | None) -> tuple[Floats, Floats]:
    n = len(distances)
    before = np.concatenate([[0.0], np.cumsum(distances)[:-1]]) if n else np.zeros(0)
    return before, np.arange(size or n, (size or n) - n, -1, dtype=np.float64)
