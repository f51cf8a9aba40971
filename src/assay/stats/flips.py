"""Sign-flips of cluster sums at several looks: one set of patterns, cut off where each look ends.

If the deviations u_c - m·n_c of the clusters' sums from m per case are as likely with either sign, then so is every
pattern of signs of all of them, over all looks together. Among the patterns, the observed one included, those are
struck out at each look whose total is among the largest, so many that the share struck is the alpha spent by then; the
observed one is struck with probability at most alpha, whatever the looks have in common (Plamadeala and Rosenberger
2012, Ann. Stat. 40:30, sequential monitoring by randomisation tests). Bonferroni over looks would ignore how much they
share.

Invariant: at the true m the chance to be refuted at any look is at most alpha, exactly, for symmetric clusters.
Proved by type-I error in `tests/oracles/test_looks.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, inf

import numpy as np

from assay.stats.clusters import ClusterSums, Floats
from assay.stats.signflip import EXACT_UNITS, sign_patterns
from assay.stats.stopped import zero

_ROUNDING = 1e-9  # totals closer than this share of the cases are ties
_CELLS = 32
_HALVINGS = 30


@dataclass(frozen=True, slots=True)
class Spent:
    """The error spent by each look, cumulative: on claims that the mean is above something, and below it."""

    above: tuple[float, ...]
    below: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LookFlips:
    """Totals under every pattern of signs e, row 0 the observed, at each look: arrays of shape (looks, patterns).

    `sums` holds Σ e·u, `cases` Σ e·n, `mixed` Σ e·n·u and `squares` Σ e·n², over the clusters seen by the look.
    """

    sums: Floats
    cases: Floats
    mixed: Floats
    squares: Floats

    @property
    def patterns(self) -> int:
        """How many patterns there are, the observed one included."""
        return int(self.sums.shape[1])

    def struck(self, mean: float, side: int, spent: Sequence[float]) -> list[float]:
        """Per look the total of deviations from `mean` that a pattern must exceed to be struck; infinite if none can.

        `side` 1 strikes large totals, -1 small ones (their negatives are compared). `spent` is cumulative.
        """
        return self._strike(mean, side, spent)[0]

    def refutes(self, mean: float, side: int, spent: Sequence[float]) -> bool:
        """Whether the observed signs are struck at some look: `mean` is too small (side 1) or too large (-1)."""
        return self._strike(mean, side, spent)[1]

    def _strike(self, mean: float, side: int, spent: Sequence[float]) -> tuple[list[float], bool]:
        gone = np.zeros(self.patterns, bool)
        bounds = []
        for sums, cases, share in zip(self.sums, self.cases, spent, strict=True):
            spare = floor(share * self.patterns + _ROUNDING) - int(gone.sum())
            bound = inf
            if 0 < spare < self.patterns:
                totals = np.where(gone, -inf, side * (sums - mean * cases))
                # One more would be too many, and equal totals are struck together or not at all.
                bound = float(np.partition(totals, -spare - 1)[-spare - 1]) + _ROUNDING * float(cases[0])
                gone |= totals > bound
            bounds.append(bound)
        return bounds, bool(gone[0])

    def p_value(self, alpha: float, shares: Sequence[float]) -> float:
        """About the smallest error, spent in these shares by the looks, at which 0 is refuted from above.

        At most `alpha` exactly where 0 is refuted at `alpha`; patterns struck early can make a larger error refute
        less.
        """

        def refuted(error: float) -> bool:
            return self.refutes(0.0, 1, [error * share for share in shares])

        least, most = (0.0, alpha) if refuted(alpha) else (alpha, 1.0)
        return zero(lambda error: refuted(error) - 0.5, least, most)

    def limit(self, side: int, spent: Sequence[float]) -> float:
        """The lower (side 1) or upper (-1) limit in [-1, 1]: the outermost mean that no look refutes."""
        grid = -side * np.linspace(1, -1, _CELLS + 1)
        kept = next((i for i, mean in enumerate(grid) if not self.refutes(float(mean), side, spent)), _CELLS)
        if kept == 0:
            return float(grid[0])
        refuted, left = float(grid[kept - 1]), float(grid[kept])
        for _ in range(_HALVINGS):
            middle = (refuted + left) / 2
            if self.refutes(middle, side, spent):
                refuted = middle
            else:
                left = middle
        return refuted


def look_flips(groups: ClusterSums, looks: Sequence[int], *, planned: int, draws: int, seed: int) -> LookFlips:
    """Flip the clusters in the order given, for looks after so many of them.

    All 2**planned patterns for up to 14 clusters, else `draws` at random beside the observed one. They are those of all
    the clusters `planned`, so a later look meets the patterns that an earlier one struck.
    """
    sums, sizes = groups.sums, groups.sizes
    columns = np.stack([sums, sizes, sizes * sums, sizes**2], axis=1)
    starts = (0, *looks[:-1])
    parts = [
        np.cumsum([flips[:, a:b] @ columns[a:b] for a, b in zip(starts, looks, strict=True)], axis=0)
        for flips in sign_patterns(planned, draws=draws, seed=seed)
    ]
    if planned > EXACT_UNITS:
        parts.insert(0, np.zeros((len(looks), 1, columns.shape[1])))
    totals = np.cumsum(columns, axis=0)[np.array(looks) - 1]
    signed = totals[:, None, :] - 2 * np.concatenate(parts, axis=1)
    return LookFlips(*(np.ascontiguousarray(signed[:, :, i]) for i in range(columns.shape[1])))


def stage_wise_centre(
    flips: LookFlips, groups: ClusterSums, looks: Sequence[int], *, above: float, below: float, spent: Spent
) -> float:
    """The stop-adjusted mean at the last of `looks`: the truth under which what was seen, or better, has chance 1/2.

    A truth m makes clusters m·n + e·(u - m·n) from the signs e. Each stops at an earlier look where its studentised
    total passes the bound that the clusters seen would have had to pass, upwards from `above` or downwards from
    `below`; stopping up sooner is better, then the total at the last look (stage-wise ordering: `assay.stats.stopped`).
    """
    sums, sizes = groups.sums, groups.sizes
    ends = np.array(looks) - 1
    cases, squares = np.cumsum(sizes)[ends], np.cumsum(sizes**2)[ends]
    mixed, powers = np.cumsum(sizes * sums)[ends], np.cumsum(sums**2)[ends]
    bounds = []
    for side, point, shares in ((1, above, spent.above), (-1, below, spent.below)):
        spread = np.sqrt(np.maximum(powers - 2 * point * mixed + point**2 * squares, 1e-300))
        # The observed did not stop before, also where few clusters that differ asked for more than this bound.
        passed = side * (flips.sums[:, 0] - point * cases)
        bounds.append(np.maximum(flips.struck(point, side, shares), passed) / spread)
    observed = float(flips.sums[-1, 0])

    def excess(mean: float) -> float:
        totals = mean * cases[:, None] + flips.sums - mean * flips.cases
        # Σ u*² and Σ n·u* of the clusters made: u* = m·n + e·(u - m·n).
        cross = flips.mixed - mean * flips.squares
        made_mixed = mean * squares[:, None] + cross
        residual = powers - 2 * mean * mixed + mean**2 * squares
        made_powers = (mean**2 * squares + residual)[:, None] + 2 * mean * cross
        ahead, running = np.zeros(flips.patterns, bool), np.ones(flips.patterns, bool)
        for j in range(len(looks) - 1):
            for side, point, bound in ((1, above, bounds[0][j]), (-1, below, bounds[1][j])):
                power = made_powers[j] - 2 * point * made_mixed[j] + point**2 * squares[j]
                stops = running & (side * (totals[j] - point * cases[j]) > bound * np.sqrt(np.maximum(power, 0.0)))
                running &= ~stops
                if side == 1:
                    ahead |= stops
        last = totals[-1] - observed
        equal = np.abs(last) <= _ROUNDING * cases[-1]
        return float((ahead + running * np.where(equal, 0.5, last > 0)).mean()) - 0.5

    return zero(excess, -1.0, 1.0)
