"""Streams of won, lost and tied questions of known truth, and the tests people run on them, vectorised.

Tests and benchmarks share this harness: a rule is a function from streams to "did it ever promote", so a correct rule,
a naive one and a broken build stand in the same place.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from assay.stats.horizon import calibrate
from assay.stats.sequential import SequentialBinary

Streams = NDArray[np.int8]
Rule = Callable[[Streams], NDArray[np.bool_]]
NULL_DISAGREEMENT = 0.15  # two systems right on 75% of questions with correlation .6


def streams(rng: np.random.Generator, runs: int, n: int, *, difference: float, disagreement: float) -> Streams:
    """`runs` streams of `n` independent questions, each 1 (won), -1 (lost) or 0 (tied)."""
    u = rng.random((runs, n), dtype=np.float32)
    win = (disagreement + difference) / 2
    return (u < win).astype(np.int8) - ((u >= win) & (u < disagreement)).astype(np.int8)


def blocks(seed: int, runs: int, n: int, *, difference: float, disagreement: float) -> Iterator[Streams]:
    """`runs` streams, at most 2,500 at a time."""
    rng = np.random.default_rng(seed)
    for start in range(0, runs, 2_500):
        yield streams(rng, min(2_500, runs - start), n, difference=difference, disagreement=disagreement)


def promoted(rule: Rule, *, runs: int, n: int, difference: float, disagreement: float, seed: int = 0) -> float:
    """The share of streams that `rule` promotes, looking after every question."""
    found = [rule(x) for x in blocks(seed, runs, n, difference=difference, disagreement=disagreement)]
    return float(np.concatenate(found).mean())


def wins_and_losses(x: Streams) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Running counts, of the shape of `x`."""
    return np.cumsum(x > 0, axis=1, dtype=np.int32), np.cumsum(x < 0, axis=1, dtype=np.int32)


def exact_horizon(horizon: int, alpha: float = 0.05, a: float = 5.0) -> Rule:
    """The product's boundary."""
    enough = np.array(calibrate(horizon, alpha, a).wins)

    def rule(x: Streams) -> NDArray[np.bool_]:
        wins, losses = wins_and_losses(x)
        differ = wins + losses
        return ((differ <= horizon) & (wins >= enough[np.minimum(differ, horizon)])).any(axis=1)

    return rule


def naive_t(first: int = 20) -> Rule:
    """What people do: a one-sided t test at 5% after every question from the 20th on."""

    def rule(x: Streams) -> NDArray[np.bool_]:
        wins, losses = wins_and_losses(x)
        n = np.arange(1, x.shape[1] + 1)
        mean = (wins - losses) / n
        variance = ((wins + losses) / n - mean**2) * n / np.maximum(n - 1, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = mean / np.sqrt(variance / n)
        return (t > stdtrit(np.maximum(n - 1, 1), 0.95))[:, first - 1 :].any(axis=1)

    return rule


def end_of(test: SequentialBinary, stream: Streams) -> SequentialBinary:
    """`test` after as much of the stream as it takes."""
    for d in stream.tolist():
        test.update(d)
        if test.over:
            break
    return test
