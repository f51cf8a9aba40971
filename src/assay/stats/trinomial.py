"""The exact law of a sequential test on wins, losses and ties: where it stops, with what chance, at any truth.

Every rule of the test is a function of three counts: questions n, those that differ m, and the lead s = wins - losses.
So a dynamic program over (m, s), one step per question, moves all chance at once and takes out what stops. Nothing is
simulated: power, expected questions and the unbiased estimate are exact to rounding.

Invariant: what has stopped and what has not sum to 1. Proved against enumeration of all streams, against simulation of
`SequentialBinary` itself, and against the closed form of `assay.stats.stagewise` where there is one:
`tests/oracles/test_trinomial.py`.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.stats.horizon import Boundary, Floats, calibrate
from assay.stats.rule import BinaryRule
from assay.stats.shifted import gains
from assay.stats.verdict import Verdict

Bools = NDArray[np.bool_]
Counts = NDArray[np.int32]
_NEVER = 2**30
_REACH = 8.5  # standard deviations: beyond lies less than 1e-16


@dataclass(frozen=True, slots=True, eq=False)
class Stops:
    """Where a rule stops, by [m, s + width]: at once (`promote`, `worse`), or from so many questions n on."""

    width: int
    promote: Bools
    worse: Bools
    not_worse: Counts
    not_better: Counts
    last_promote: Bools
    last_worse: Bools
    any_from: Counts


@dataclass(frozen=True, slots=True, eq=False)
class StopLaw:
    """The chance of each verdict at each question: `chance[verdict][n]`, UNDECIDED where questions or horizon end."""

    chance: dict[Verdict, Floats]


def stop_law(rule: BinaryRule, *, difference: float, disagreement: float, items: int) -> StopLaw:
    """The law at a true `difference` when the share `disagreement` of questions differs, with `items` questions.

    Verdicts after which the rule goes on are not counted. Raises `ValueError` where |difference| > disagreement.
    """
    if not abs(difference) <= disagreement <= 1:
        raise ValueError(f"{disagreement} of questions differ, so the difference cannot be {difference}")
    win, loss = (disagreement + difference) / 2, (disagreement - difference) / 2
    stops = stops_of(rule, items)
    chance = {verdict: np.zeros(items + 1) for verdict in Verdict}
    alive = _start(stops)
    for n in range(1, items + 1):
        rows = _rows(n, disagreement, rule.horizon)
        _step(alive, rows, win, loss)
        block = alive[rows, 1:-1]
        if n == rule.items:
            for verdict, where in ((Verdict.PROMOTE, stops.last_promote), (Verdict.WORSE, stops.last_worse)):
                chance[verdict][n] += block[where[rows]].sum()
                block[where[rows]] = 0.0
        stopped = np.nonzero(stops.any_from[rows] <= n)
        mass, place = block[stopped], (stopped[0] + rows.start, stopped[1])
        block[stopped] = 0.0
        for verdict, fires in _fired(stops, place, n):
            chance[verdict][n] += mass[fires].sum()
            mass[fires] = 0.0
        chance[Verdict.UNDECIDED][n] += mass.sum() + (block.sum() if n == items else 0.0)
    return StopLaw(chance)


@lru_cache(maxsize=4096)
def mean_first(rule: BinaryRule, n: int, wins: int, losses: int) -> float:
    """The mean result of the first question over all orders of these results that the rule did not stop before `n`.

    That is the unbiased estimate of the difference (score units) at a stop here, whatever the rule.
    """
    differ, lead = wins + losses, wins - losses
    if differ == 0:
        return 0.0
    stops = stops_of(rule, n)
    share = differ / n
    win, loss = share * (wins + 1) / (differ + 2), share * (losses + 1) / (differ + 2)
    every, signed = _start(stops), _start(stops)
    for k in range(1, n + 1):
        rows = _bridge(k, n, differ)
        _step(every, rows, win, loss)
        if k == 1:
            signed[:] = 0.0
            signed[1, stops.width + 2], signed[1, stops.width] = win, -loss
        else:
            _step(signed, rows, win, loss)
        if k < n:
            stopped = np.nonzero(stops.any_from[rows] <= k)
            every[rows, 1:-1][stopped] = 0.0
            signed[rows, 1:-1][stopped] = 0.0
    if abs(lead) > stops.width:
        return lead / n  # counts that no test can have, nor the ones below
    cell = differ, lead + stops.width + 1
    return float(signed[cell] / every[cell]) if every[cell] > 0 else lead / n


def _start(stops: Stops) -> Floats:
    """All chance at no questions; a column of padding on either side."""
    alive = np.zeros((stops.promote.shape[0], 2 * stops.width + 3))
    alive[0, stops.width + 1] = 1.0
    return alive


def _step(alive: Floats, rows: slice, win: float, loss: float) -> None:
    """One question, in place, for the rows that can be reached; rows above and below hold nothing that matters."""
    first = max(rows.start, 1)
    before = alive[first - 1 : rows.stop - 1]
    arrived = win * before[:, :-2] + loss * before[:, 2:]
    alive[rows] *= 1 - win - loss
    alive[first : rows.stop, 1:-1] += arrived


def _rows(n: int, share: float, horizon: int) -> slice:
    """The numbers of questions that differ which n questions can have brought."""
    reach = _REACH * sqrt(n * share * (1 - share)) + _REACH**2
    return slice(max(0, int(n * share - reach)), min(horizon, n, ceil(n * share + reach)) + 1)


def _bridge(k: int, n: int, differ: int) -> slice:
    """As `_rows`, knowing that `n` questions will have brought `differ`."""
    share = differ / n
    reach = _REACH * sqrt(k * share * (1 - share) * (1 - k / n)) + _REACH**2
    return slice(max(0, int(k * share - reach)), min(differ, k, ceil(k * share + reach)) + 1)


def _fired(stops: Stops, place: tuple[Any, Any], n: int) -> list[tuple[Verdict, Bools]]:
    """Who stops at question n and says what; the first that claims a place has it, as in the test itself."""
    return [
        (Verdict.PROMOTE, stops.promote[place]),
        (Verdict.WORSE, stops.worse[place]),
        (Verdict.NOT_WORSE, stops.not_worse[place] <= n),
        (Verdict.NOT_BETTER, stops.not_better[place] <= n),
    ]


@lru_cache(maxsize=16)
def stops_of(rule: BinaryRule, items: int) -> Stops:
    """Where `rule` stops within `items` questions."""
    boundary = calibrate(rule.horizon, rule.alpha, rule.a)
    width = _width(boundary)
    differ, lead = np.arange(rule.horizon + 1)[:, None], np.arange(-width, width + 1)[None, :]
    wins, losses = (differ + lead) // 2, (differ - lead) // 2
    real = (abs(lead) <= differ) & ((differ + lead) % 2 == 0)
    enough, last = np.array(boundary.wins)[:, None], np.array(boundary.final)[:, None]
    promote, worse = real & (wins >= enough), real & (losses >= enough)
    not_worse = not_better = np.full(real.shape, _NEVER, np.int32)
    if rule.margin is not None and Verdict.NOT_WORSE not in rule.go_on_after:
        not_worse = _from(wins, losses, real, shift=rule.margin, level=rule.alpha, items=items)
    if rule.smallest is not None and Verdict.NOT_BETTER not in rule.go_on_after:
        not_better = _from(losses, wins, real, shift=rule.smallest, level=rule.beta, items=items)
    at_once = promote | worse | (differ == rule.horizon)
    return Stops(
        width=width,
        promote=promote,
        worse=worse,
        not_worse=not_worse,
        not_better=not_better,
        last_promote=real & (wins >= last),
        last_worse=real & (losses >= last),
        any_from=np.where(at_once, 0, np.minimum(not_worse, not_better)),
    )


def _width(boundary: Boundary) -> int:
    """The largest lead a test can be at: where it promotes, or every question won while it cannot."""
    leads = [min(2 * wins - m, m) for m, wins in enumerate(boundary.wins)]
    return max(leads)


def _from(wins: Counts, losses: Counts, real: Bools, *, shift: float, level: float, items: int) -> Counts:
    """The questions from which the shifted evidence is enough, by bisection over ties (it rises with them)."""
    w, b = wins[real], losses[real]
    low, high = np.full(len(w), -1), np.maximum(items - w - b, 0) + 1
    terms = np.array(gains(shift))
    fixed = np.outer(terms[:, 0], w) + np.outer(terms[:, 1], b)
    while (high - low > 1).any():
        ties = (low + high) // 2
        sums = fixed + np.outer(terms[:, 2], ties)
        top = sums.max(axis=0)
        enough = top + np.log(np.exp(sums - top).mean(axis=0)) >= log(1 / level)
        low, high = np.where(enough, low, ties), np.where(enough, ties, high)
    found = np.full(real.shape, _NEVER, np.int32)
    found[real] = np.where(w + b + high <= items, w + b + high, _NEVER)
    return found
