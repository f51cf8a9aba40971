"""The bootstrap, for what is not a mean of cases: quantiles, ratios, ranking curves.

Percentile limits over resampled units (cases, or whole clusters); seeded, so the same data give the same limits.
Invariant: draws depend on the units' order and the seed alone. Under 100 units percentile limits are too narrow
(binary pairs: coverage .58-.90), so show them from 100 on. Proved by coverage simulations in
`tests/oracles/test_coverage.py`.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.stats.clusters import Codes, Floats, as_codes, as_values, cluster_codes, cluster_sums
from assay.stats.interval import Interval

MOST_BLOCKS = 2_000
_CELLS = 2_000_000


def bootstrap(
    statistic: Callable[..., float],
    *columns: Sequence[float] | NDArray[Any],
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    alpha: float = 0.05,
    draws: int = 2_000,
    seed: int = 0,
) -> Interval:
    """Percentile interval for any `statistic(*columns)` of cases resampled together (Efron and Tibshirani 1993).

    With `clusters`, whole clusters are resampled. Calls the statistic `draws` times, so a mean or a ratio is faster
    by `bootstrap_mean` or `bootstrap_ratio`.
    """
    arrays = [np.asarray(column) for column in columns]
    n = len(arrays[0]) if arrays else 0
    if n == 0 or any(len(array) != n for array in arrays):
        raise ValueError("bootstrap needs columns of one length, at least one case long")
    codes = as_codes(clusters, n)
    members = None if codes is None else [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]
    units = n if members is None else len(members)
    rng = np.random.default_rng(seed)
    values = np.empty(draws)
    for draw in range(draws):
        chosen = rng.integers(0, units, units)
        rows = chosen if members is None else np.concatenate([members[unit] for unit in chosen])
        values[draw] = statistic(*(array[rows] for array in arrays))
    return percentile_interval(float(statistic(*arrays)), values, n=units, alpha=alpha, clustered=codes is not None)


def bootstrap_mean(
    values: Sequence[float] | NDArray[Any],
    *,
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    alpha: float = 0.05,
    draws: int = 2_000,
    seed: int = 0,
) -> Interval:
    """Percentile interval for a mean over cases, such as nDCG@10 over queries."""
    array = as_values(values)
    return bootstrap_ratio(array, np.ones(len(array)), clusters=clusters, alpha=alpha, draws=draws, seed=seed)


def bootstrap_means(columns: NDArray[Any], *, alpha: float = 0.05, draws: int = 2_000, seed: int = 0) -> list[Interval]:
    """`bootstrap_mean` of every column of `columns`, shape (cases, columns); the draws are made once for all."""
    if columns.ndim != 2 or len(columns) == 0:
        raise ValueError(f"bootstrap_means needs a row per case, at least one, not shape {columns.shape}")
    values = np.stack([as_values(column) for column in columns.T], axis=1) if columns.shape[1] else columns
    units = len(values)
    blocks, count = _blocks(units, seed=seed)
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, blocks, values)
    counts = _resampled(count, draws=draws, seed=seed)
    means = (counts @ sums) / (counts @ np.bincount(blocks))[:, None]
    return [
        percentile_interval(float(column.sum() / units), drawn, n=units, alpha=alpha, clustered=False)
        for column, drawn in zip(values.T, means.T, strict=True)
    ]


def bootstrap_ratio(
    numerator: Sequence[float] | NDArray[Any],
    denominator: Sequence[float] | NDArray[Any],
    *,
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    alpha: float = 0.05,
    draws: int = 2_000,
    seed: int = 0,
) -> Interval:
    """Percentile interval for the ratio of two totals over the same cases (never the mean of ratios).

    More than 2,000 units are joined at random into 2,000 blocks and the blocks are resampled. A draw whose
    denominator is zero counts as infinite. Raises `ValueError` where the denominator's total is zero.
    """
    top, bottom = as_values(numerator), as_values(denominator)
    if len(top) != len(bottom) or len(top) == 0:
        raise ValueError("bootstrap_ratio needs two columns of one length, at least one case long")
    if bottom.sum() == 0:
        raise ValueError("the denominator's total is zero")
    codes = as_codes(clusters, len(top))
    above, below = cluster_sums(top, codes).sums, cluster_sums(bottom, codes).sums
    units = len(above)
    blocks, count = _blocks(units, seed=seed)
    stacked = np.stack([np.bincount(blocks, weights=above), np.bincount(blocks, weights=below)], axis=1)
    sums = _resampled(count, draws=draws, seed=seed) @ stacked
    ratios = np.divide(sums[:, 0], sums[:, 1], out=np.full(draws, inf), where=sums[:, 1] != 0)
    value = float(top.sum() / bottom.sum())
    return percentile_interval(value, ratios, n=units, alpha=alpha, clustered=codes is not None)


@dataclass(frozen=True, slots=True)
class QuantileChange:
    """A quantile of two systems, and the change from the first to the second with its intervals."""

    first: float
    second: float
    difference: Interval
    ratio: Interval | None


def bootstrap_quantile_change(
    first: Sequence[float] | NDArray[Any],
    second: Sequence[float] | NDArray[Any],
    *,
    units_first: Sequence[Hashable] | NDArray[Any],
    units_second: Sequence[Hashable] | NDArray[Any],
    q: float = 0.95,
    alpha: float = 0.05,
    draws: int = 1_000,
    seed: int = 0,
) -> QuantileChange:
    """How the q-quantile (smallest value that a share q does not exceed) moves from `first` to `second`.

    `units_*` name the case or cluster each value belongs to; a unit is resampled with all its values in both
    systems, so pairing is kept. The ratio is None where the first quantile is zero.
    """
    values = as_values(first), as_values(second)
    if min(len(values[0]), len(values[1])) == 0:
        raise ValueError("a quantile needs values on both sides")
    joint = cluster_codes(_joined(units_first, units_second))
    units = int(joint.max()) + 1
    blocks, count = _blocks(units, seed=seed)
    codes = blocks[joint[: len(values[0])]], blocks[joint[len(values[0]) :]]
    counts = _resampled(count, draws=draws, seed=seed)
    before, after = (_quantiles(v, c, counts, q) for v, c in zip(values, codes, strict=True))
    start, end = quantile(values[0], q), quantile(values[1], q)
    ratio = None
    if start > 0:
        shares = np.divide(after, before, out=np.full(draws, inf), where=before != 0)
        ratio = percentile_interval(end / start, shares, n=units, alpha=alpha, clustered=False)
    return QuantileChange(
        start, end, percentile_interval(end - start, after - before, n=units, alpha=alpha, clustered=False), ratio
    )


def bootstrap_quantile(
    values: Sequence[float] | NDArray[Any],
    *,
    q: float,
    units: Sequence[Hashable] | NDArray[Any],
    alpha: float = 0.05,
    draws: int = 1_000,
    seed: int = 0,
) -> Interval:
    """The q-quantile with its percentile interval; `units` name the case or cluster each value belongs to."""
    array = as_values(values)
    if len(array) == 0:
        raise ValueError("a quantile needs values")
    codes = cluster_codes(units)
    count = int(codes.max()) + 1
    blocks, drawn = _blocks(count, seed=seed)
    found = _quantiles(array, blocks[codes], _resampled(drawn, draws=draws, seed=seed), q)
    return percentile_interval(quantile(array, q), found, n=count, alpha=alpha, clustered=count < len(array))


def draw_weights(units: Codes, *, draws: int, seed: int = 0) -> Iterator[Floats]:
    """How often each case is drawn, one draw at a time, for statistics that take weights; `units` as 0..G-1."""
    blocks, count = _blocks(int(units.max()) + 1, seed=seed)
    places = blocks[units]
    for counts in _resampled(count, draws=draws, seed=seed):
        yield counts[places]


def quantile(values: Sequence[float] | NDArray[Any], q: float) -> float:
    """The smallest value that at least a share `q` of the values do not exceed (Hyndman and Fan 1996, type 1)."""
    array = np.asarray(values, dtype=np.float64)
    rank = max(ceil(q * len(array) - 1e-9), 1) - 1
    return float(np.partition(array, rank)[rank])


def _joined(
    first: Sequence[Hashable] | NDArray[Any], second: Sequence[Hashable] | NDArray[Any]
) -> Sequence[Hashable] | NDArray[Any]:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.concatenate([first, second])
    return [*first, *second]


def _blocks(units: int, *, seed: int) -> tuple[Codes, int]:
    if units <= MOST_BLOCKS:
        return np.arange(units), units
    return np.random.default_rng(seed + 1).permutation(units) % MOST_BLOCKS, MOST_BLOCKS


def _resampled(units: int, *, draws: int, seed: int) -> Floats:
    """How often each unit is drawn, shape (draws, units)."""
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, units, (draws, units)) + (np.arange(draws) * units)[:, None]
    return np.bincount(picks.ravel(), minlength=draws * units).reshape(draws, units).astype(np.float64)


def _quantiles(values: Floats, codes: Codes, counts: Floats, q: float) -> Floats:
    """The q-quantile of every draw, found from the top: only the tail of the values is looked at if it suffices."""
    order = np.argsort(values, kind="stable")[::-1]
    allowed = (1 - q) * (counts @ np.bincount(codes, minlength=counts.shape[1])) + 1e-9
    tail = min(len(values), ceil(1.5 * (1 - q) * len(values)) + 10)
    weights = counts.astype(np.int32)
    found = np.empty(len(counts))
    todo = np.arange(len(counts))
    while len(todo):
        top, left = order[:tail], []
        for rows in np.array_split(todo, max(1, len(todo) * tail // _CELLS)):
            passed = np.cumsum(np.take(weights[rows], codes[top], axis=1), axis=1) > allowed[rows][:, None]
            reached = passed[:, -1]
            found[rows] = values[top[passed.argmax(axis=1)]]
            left.append(rows[~reached])
        todo = np.concatenate(left)
        if tail == len(values):
            # A draw that holds none of this system's values says nothing about its quantile.
            found[todo] = quantile(values, q)
            break
        tail = len(values)
    return found


def percentile_interval(value: float, draws: Floats, *, n: int, alpha: float, clustered: bool) -> Interval:
    """The interval of a statistic from its values in the draws; it always holds `value`."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    low, high = np.quantile(draws, [alpha / 2, 1 - alpha / 2], method="inverted_cdf")
    # A statistic with bias can fall outside its own percentile limits; the interval must hold what it is about.
    return Interval(
        value,
        min(float(low), value),
        max(float(high), value),
        "cluster-bootstrap" if clustered else "bootstrap",
        n,
        alpha,
    )
