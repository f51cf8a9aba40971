"""How often, and after how many questions, a declared rule promotes: at no gain, at what matters, and at twice that.

Computed from the rule itself: exactly for the exact horizon, from simulated streams for betting, from simulated
Brownian motion at the declared looks for clusters. What has to be assumed of the two systems is in `assumptions`.
Proved by `tests/unit/decisions/test_declare.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np

from assay.decisions.hypothesis import Hypothesis
from assay.stats.betting import BettingTest
from assay.stats.clusters import Floats
from assay.stats.sequential import SequentialBinary

DISAGREEMENT = 0.16  # of real pairs of systems this is the middle: LOG.md
SPREAD = 0.4  # of a difference, as where right-or-wrong answers differ on 16%
GRADED_SPREAD = 0.25
SHARED = 0.05  # of the variance of a difference within a cluster
_PATHS = 20_000


@dataclass(frozen=True, slots=True)
class Chance:
    """If the true gain is `gain` (units of score): the chance to PROMOTE and the questions asked on average."""

    gain: float
    promote: float
    expected_items: float

    def sentence(self) -> str:
        """In words."""
        gain = f"a gain of {100 * self.gain:g} points" if self.gain else "no gain"
        return f"{gain}: promoted {100 * self.promote:.0f}% of the time, about {self.expected_items:,.0f} questions"


def chances(hypothesis: Hypothesis) -> tuple[Chance, ...]:
    """The chances of the rule of a hypothesis, at its alpha, where the true gain is 0, what matters, and twice that.

    For the objective `not_worse` the chance is that of being shown not worse, at a true difference of 0 and beside it.
    """
    smallest = hypothesis.margins.smallest
    of: Callable[[Hypothesis, float], tuple[float, float]] = {
        "exact-horizon": _horizon,
        "betting": _betting,
        "cluster-looks": _looks,
    }[hypothesis.rule]
    return tuple(Chance(gain, *of(hypothesis, gain)) for gain in (0.0, smallest, 2 * smallest))


def assumptions(hypothesis: Hypothesis) -> str:
    """What the chances assume of the two systems, in words."""
    if hypothesis.rule == "exact-horizon":
        return f"the two differ on {100 * DISAGREEMENT:g}% of questions"
    if hypothesis.rule == "betting":
        what = "means of clusters" if hypothesis.clusters is not None else "differences"
        return f"{what} spread by {_betting_spread(hypothesis):.2g}"
    return f"differences spread by {SPREAD:g}, {100 * SHARED:g}% of their variance shared within a cluster"


def _horizon(hypothesis: Hypothesis, gain: float) -> tuple[float, float]:
    margins = hypothesis.margins
    test = SequentialBinary(
        hypothesis.alpha,
        hypothesis.horizon or 1,
        items=hypothesis.items,
        smallest=margins.smallest,
        beta=hypothesis.beta,
    )
    found = test.plan(gain, max(DISAGREEMENT, 1.2 * gain))
    return found.power, min(found.items, float(hypothesis.items))


def _betting(hypothesis: Hypothesis, gain: float) -> tuple[float, float]:
    shift = hypothesis.margins.margin if hypothesis.objective == "not_worse" else 0.0
    units = hypothesis.clusters or hypothesis.items
    test = BettingTest(
        hypothesis.alpha,
        smallest=None if shift else hypothesis.margins.smallest,
        beta=hypothesis.beta,
        low=shift - 1,
        high=shift + 1,
    )
    found = test.plan(gain + shift, _betting_spread(hypothesis), items=units)
    return found.power, found.items * hypothesis.items / units


def _betting_spread(hypothesis: Hypothesis) -> float:
    if hypothesis.clusters is None:
        return GRADED_SPREAD
    size = hypothesis.items / hypothesis.clusters
    return SPREAD * sqrt((1 + (size - 1) * SHARED) / size)


def _looks(hypothesis: Hypothesis, gain: float) -> tuple[float, float]:
    shift = hypothesis.margins.margin if hypothesis.objective == "not_worse" else 0.0
    clusters = hypothesis.clusters or 1
    size = hypothesis.items / clusters
    error = SPREAD * sqrt((1 + (size - 1) * SHARED) / hypothesis.items)
    times = tuple(look / clusters for look in hypothesis.looks)
    # What ends it downward: no gain that matters, or, where not being worse is asked, being worse than 0.
    smallest = shift or hypothesis.margins.smallest
    promote, time = _stops(times, hypothesis.alpha, hypothesis.beta, (gain + shift) / error, smallest / error)
    return promote, time * hypothesis.items


@lru_cache(maxsize=64)
def _stops(times: tuple[float, ...], alpha: float, beta: float, drift: float, smallest: float) -> tuple[float, float]:
    """(chance to cross upward, expected share of the questions) of a Brownian motion looked at `times`.

    Errors are spent in proportion to time (Kim and DeMets 1987); the lower boundary is that of "gains `smallest`".
    """
    rng = np.random.default_rng(0)
    steps = np.diff((0.0, *times))
    noise = np.cumsum(rng.standard_normal((_PATHS, len(steps))) * np.sqrt(steps), axis=1)
    up, down = _boundary(noise, times, alpha), _boundary(noise, times, beta)
    paths = noise + drift * np.array(times)
    crossed = paths >= up
    dropped = paths <= smallest * np.array(times) - down
    last = np.full((_PATHS, 1), True)
    stop = np.argmax(np.hstack([(crossed | dropped)[:, :-1], last]), axis=1)
    rows = np.arange(_PATHS)
    return float(crossed[rows, stop].mean()), float(np.array(times)[stop].mean())


def _boundary(noise: Floats, times: tuple[float, ...], error: float) -> Floats:
    """The value to reach at each look so that by time t a share t of `error` was spent, from paths without drift."""
    alive = np.full(len(noise), True)
    found, spent = [], 0.0
    for column, time in enumerate(times):
        allowed = max(1, round((error * time - spent) * len(noise)))
        values = np.sort(noise[alive, column])[::-1]
        level = float(values[min(allowed, len(values)) - 1])
        alive &= noise[:, column] < level
        spent = 1 - float(alive.mean())
        found.append(level)
    return np.array(found)
