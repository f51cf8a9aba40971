"""What a betting test does to streams of differences: how long it takes, what it says, and what a stop hides.

A test stops sooner on streams that started well, so the mean at a stop flatters the winner. Stage-wise ordering
(Tsiatis, Rosner and Mehta 1984, Biometrics 40:797, for group-sequential tests) ranks outcomes by how much they favour
the candidate: promoted sooner before promoted later, before undecided by its mean, before dropped later, before dropped
sooner. The estimate is the truth under which what was seen, or better, has probability one half: median unbiased.

Graded differences have no likelihood, so theirs is the empirical one, tilted: every difference d seen keeps its place
and its weight becomes proportional to exp(eta·d) (Efron 1981, Canad. J. Statist. 9:139). One set of streams, drawn near
the solution, serves every eta by its likelihood ratio at the stop. Proved by the bias on simulated streams in
`tests/oracles/test_betting.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from assay.stats.wealth import THETAS, Floats, log_growth, payoffs, reach

_ATOMS = 4_096  # equally likely values a distribution is drawn from
_BLOCK = 64  # steps between two repairs of wealth near zero
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Rule:
    """A betting test as a stopping rule: stop up once the mean is shown above `above`, down once below `below`.

    Differences lie in [`low`, `high`]; `alpha` and `beta` are the levels of the two claims. `size`: the differences
    are all there are and come without replacement.
    """

    low: float = -1.0
    high: float = 1.0
    above: float = 0.0
    below: float = 0.0
    alpha: float = 0.05
    beta: float = 0.05
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Stops:
    """Where simulated streams ended: arrays of shape (streams,).

    `side` is 1 for a stop up, -1 for a stop down, 0 for none within the steps; `n` the differences seen by then and
    `total` their sum.
    """

    side: NDArray[np.int8]
    n: NDArray[np.int64]
    total: Floats


def simulate(atoms: Floats, rule: Rule, *, steps: int, streams: int, seed: int = 0) -> Stops:
    """Fold `streams` streams of up to `steps` values, drawn uniformly from `atoms`, by the rule."""
    rng = np.random.default_rng(seed)
    steps = steps if rule.size is None else min(steps, rule.size)
    stops = Stops(np.zeros(streams, np.int8), np.full(streams, steps, np.int64), np.zeros(streams))
    alive, sums = np.arange(streams), np.zeros(streams)
    bets = [_Bet(atoms, rule, side, streams) for side in (1, -1)]
    for step in range(steps):
        drawn = rng.integers(0, len(atoms), len(alive))
        up, down = (bet.won(drawn, sums, step) for bet in bets)
        sums = sums + atoms[drawn]
        ended = up | down
        if ended.any():
            gone = alive[ended]
            stops.total[gone], stops.n[gone], stops.side[gone] = sums[ended], step + 1, np.where(up[ended], 1, -1)
            alive, sums = alive[~ended], sums[~ended]
            for bet in bets:
                bet.keep(~ended)
            if len(alive) == 0:
                break
    stops.total[alive] = sums
    return stops


class _Bet:
    """One side's wealth in every stream still running: a few streams in one multiplication, steps one by one."""

    def __init__(self, atoms: Floats, rule: Rule, side: int, streams: int) -> None:
        end, point = (rule.low, rule.above) if side == 1 else (rule.high, rule.below)
        self._distances = side * (atoms - end)
        self._mean = side * (point - end)
        self._size, self._side, self._end = rule.size, side, end
        self._needed = reach(rule.alpha if side == 1 else rule.beta)
        self._weights = np.full(len(THETAS), 1 / len(THETAS))
        self._wealth = np.ones((streams, len(THETAS)))
        self._table = np.exp(log_growth(payoffs(self._distances, np.full(len(atoms), self._mean))))

    def won(self, drawn: NDArray[np.int64], sums: Floats, step: int) -> NDArray[np.bool_]:
        """In which streams the wealth suffices after this draw; `sums` are those before it."""
        self._wealth *= self._growth(drawn, sums, step)
        if step % _BLOCK == 0:
            # Numbers that lose their digits near the smallest float cost a hundred times the time of others.
            np.maximum(self._wealth, 1e-200, out=self._wealth)
        enough: NDArray[np.bool_] = self._wealth @ self._weights >= self._needed
        return enough

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget the streams that ended."""
        self._wealth = self._wealth[rows]

    def _growth(self, drawn: NDArray[np.int64], sums: Floats, step: int) -> Floats:
        if self._size is None:
            return self._table.take(drawn, axis=0)
        nulls = (self._size * self._mean - self._side * (sums - step * self._end)) / (self._size - step)
        return 1.0 + (payoffs(self._distances[drawn], nulls) - 1.0)[:, None] * THETAS


def forecast_stops(rule: Rule, *, difference: float, sd: float, items: int, streams: int, seed: int) -> Stops:
    """Simulated streams of up to `items` differences with this mean and standard deviation, Beta on the rule's range.

    Raises `ValueError` where no distribution on the range has these moments.
    """
    from scipy.special import betaincinv

    width = rule.high - rule.low
    mean, variance = (difference - rule.low) / width, (sd / width) ** 2
    if not (0 < mean < 1 and 0 < variance < mean * (1 - mean)):
        raise ValueError(
            f"differences in [{rule.low:g}, {rule.high:g}] with mean {difference:g} have a standard deviation above 0 "
            f"and below {width * sqrt(max(mean * (1 - mean), 0.0)):.3g}, not {sd:g}"
        )
    if items < 1:
        raise ValueError(f"a forecast needs at least one question, not {items}")
    weight = mean * (1 - mean) / variance - 1
    places = (np.arange(_ATOMS) + 0.5) / _ATOMS
    atoms = rule.low + width * betaincinv(mean * weight, (1 - mean) * weight, places)
    return simulate(atoms, rule, steps=items, streams=streams, seed=seed)


def stage_wise_mean(differences: Floats, rule: Rule, side: int, *, draws: int = 1_000, seed: int = 0) -> float:
    """The stop-adjusted mean after `differences` (n >= 1 of them) ended on `side`: see the module's docstring.

    Of a finite set the differences seen are known, and only the mean of the rest is estimated.
    """
    atoms = _two_sided(differences)
    n, total = len(differences), float(differences.sum())
    mean = total / n
    # The first rounds only find where to draw the streams of the last.
    for streams in (min(400, draws), min(400, draws), draws):
        centre = _tilted_to(atoms, mean)
        mean = _median_unbiased(centre, simulate(centre, rule, steps=n, streams=streams, seed=seed), n, total, side)
    if rule.size is not None:
        return (total + (rule.size - n) * mean) / rule.size
    return mean


def _two_sided(differences: Floats) -> Floats:
    """The differences, with the mirror of the largest one added where all lie on one side of zero or are equal."""
    largest = differences[np.abs(differences).argmax()]
    one_sided = (differences >= 0).all() or (differences <= 0).all()
    mirrored: Floats = np.append(differences, -largest) if one_sided and largest != 0 else differences
    return mirrored


def _tilted_to(atoms: Floats, mean: float) -> Floats:
    """Equally likely values whose distribution is that of `atoms` tilted to `mean`, as near as the atoms reach."""
    ordered = np.sort(atoms)
    spread = float(ordered[-1] - ordered[0])
    if spread == 0:
        return ordered
    eta = zero(lambda eta: _mean_at(ordered, eta) - mean, -60 / spread, 60 / spread)
    mass = np.cumsum(_weights(ordered, eta))
    places = (np.arange(_ATOMS) + 0.5) / _ATOMS
    chosen: Floats = ordered[np.minimum(np.searchsorted(mass, places * mass[-1]), len(ordered) - 1)]
    return chosen


def _median_unbiased(atoms: Floats, stops: Stops, n: int, total: float, side: int) -> float:
    """The mean of `atoms` tilted until the outcome (`n`, `total`, `side`) is the median one of the reweighted stops."""
    deviation = float(atoms.std())
    if deviation == 0:
        return float(atoms[0])
    beyond, ends = _beyond(stops, n, total, side), -1 if side < 0 else 1

    def excess(eta: float) -> float:
        top = _top(eta, atoms)
        rate = float(np.log(np.exp(eta * atoms - top).mean())) + top
        return (float((np.exp(eta * stops.total - stops.n * rate) * beyond).mean()) - 0.5) * ends

    # Likelihood ratios of streams drawn further off than two standard errors rest on a handful of them.
    furthest = 2 / (deviation * sqrt(n))
    return _mean_at(atoms, zero(excess, -furthest, furthest))


def _beyond(stops: Stops, n: int, total: float, side: int) -> Floats:
    """1 for every stream that favours the observed side more than the outcome does, 1/2 where it equals it.

    Without a side: where it favours the candidate more.
    """
    same = np.isclose(stops.total, total, rtol=0, atol=1e-9)
    ahead = np.where(same, 0.5, stops.total < total if side < 0 else stops.total > total)
    if side == 0:
        beyond: Floats = np.where(stops.side == 0, ahead, np.where(stops.side == 1, 1.0, 0.0))
    else:
        beyond = np.where(stops.side == side, np.where(stops.n == n, ahead, 1.0), 0.0)
    return beyond


def zero(rising: Callable[[float], float], least: float, most: float) -> float:
    """Where `rising` crosses 0 between two numbers, by bisection; the end it lies beyond if it does not."""
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        if rising(middle) < 0:
            least = middle
        else:
            most = middle
    return (least + most) / 2


def _top(eta: float, atoms: Floats) -> float:
    return float(max(eta * atoms.max(), eta * atoms.min()))


def _weights(atoms: Floats, eta: float) -> Floats:
    weights = np.exp(eta * atoms - _top(eta, atoms))
    return np.asarray(weights / weights.sum(), np.float64)


def _mean_at(atoms: Floats, eta: float) -> float:
    return float(_weights(atoms, eta) @ atoms)
