"""Scores of the arms of a race that saw different questions: best linear unbiased prediction in a mixed model.

The mean y of arm k over the n questions of round r is taken to be

    y = a_r + sum over factors f of b_f,level(k) + u_k + e,    Var(e) = noise / n

with rounds a_r free (questions differ, arms of a round share them), levels b ~ N(0, level_sd²) and arms
u ~ N(0, arm_sd²). Solving Henderson's mixed model equations (Henderson 1975, Biometrics 31:423; Robinson 1991,
Statistical Science 6:15, eq. 1.2) gives b and u together, so that an arm borrows from all that share a level with it,
and what was seen of arms that are out still counts. Arms meet only through rounds and levels, hence they are eliminated
one by one and what is left to solve has one row a round and level: O(arms · (rounds + levels)²).

Without factors only arms are left, and the model says what a plain mean of each round cannot: that those who went on
were lucky too. Invariant: arms without factors that answered the same questions rank as their plain means do.
Proved against dense generalised least squares in `tests/unit/stats/test_blup.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from assay.stats.interval import z_two_sided

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NOISE: Final = 0.10
"""Variance of one right-or-wrong score about its arm and its question: .2 · (1 - correlation of arms .5)."""

_LEVEL_SDS = (0.0125, 0.025, 0.05, 0.1, 0.2)
_ARM_SDS = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)


@dataclass(frozen=True, slots=True)
class Spread:
    """Variance of a single score about its arm and question, and standard deviations of levels and of arms beside them.

    All in score units. The defaults are those of the race's first simulations (48 designs, scores around .7).
    """

    noise: float = NOISE
    level_sd: float = 0.05
    arm_sd: float = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """What was seen: one mean for every arm in every round it was in, of `counts` > 0 scores each. Four equal lengths.

    `arms` and `rounds` number them from 0.
    """

    arms: Ints
    rounds: Ints
    counts: Floats
    means: Floats


@dataclass(frozen=True, slots=True)
class LevelEffect:
    """A level against the mean of its factor's levels, in score units, with its posterior interval."""

    factor: int
    level: int
    value: float
    low: float
    high: float
    arms: int


@dataclass(frozen=True, slots=True, eq=False)
class ArmScores:
    """Per arm: what its mean would be on the questions of all rounds, and its interval.

    Unbounded: an interval may pass 0 or 1. An arm that was not seen has what its levels say of it. `effects` has a line
    for every level of a factor with two or more.
    """

    values: Floats
    low: Floats
    high: Floats
    effects: tuple[LevelEffect, ...]
    spread: Spread


def blup(
    cells: Cells, levels: Sequence[Sequence[int]], *, spread: Spread | None = None, alpha: float = 0.05
) -> ArmScores:
    """Scores of `len(levels)` arms; `levels[k][f]` numbers arm k's level of factor f from 0, all empty without factors.

    `spread` None: `estimated_spread` with the default noise. Raises ValueError where nothing was seen.
    """
    model = _Model(cells, np.asarray(levels, np.int64))
    return model.scores(spread or model.estimated(NOISE), alpha)


def estimated_spread(cells: Cells, levels: Sequence[Sequence[int]], *, noise: float = NOISE) -> Spread:
    """Standard deviations of levels and arms by the restricted likelihood (Patterson and Thompson 1971, Biometrika
    58:545), each on a grid, with a prior that is flat within a factor of four of the defaults and falls off beyond.

    Without factors the arms carry all of the spread, and their default is that of levels.
    """
    return _Model(cells, np.asarray(levels, np.int64)).estimated(noise)


def pooled_noise(blocks: Sequence[Floats]) -> float:
    """Variance of a score about its arm and its question, over rounds of scores of shape (arms, questions).

    The residual mean square of the two-way layout, with `NOISE` standing for 20 degrees of freedom.
    """
    square, degrees = 20 * NOISE, 20.0
    for block in blocks:
        if min(block.shape) > 1:
            rest = block - block.mean(axis=0) - block.mean(axis=1, keepdims=True) + block.mean()
            square += float(np.square(rest).sum())
            degrees += (block.shape[0] - 1) * (block.shape[1] - 1)
    return square / degrees


class _Model:
    """The equations, arms eliminated. Counts stand in for weights until a spread is given."""

    def __init__(self, cells: Cells, levels: Ints) -> None:
        if len(cells.means) == 0:
            raise ValueError("nothing was seen of any arm")
        self.arms, self.levels = len(levels), levels
        self.sizes = [int(column.max()) + 1 for column in levels.T] if len(levels) else []
        counts = np.zeros((self.arms, int(cells.rounds.max()) + 1))
        totals = np.zeros_like(counts)
        counts[cells.arms, cells.rounds] = cells.counts
        totals[cells.arms, cells.rounds] = cells.counts * cells.means
        asked = counts.any(axis=0)
        counts, totals = counts[:, asked], totals[:, asked]
        questions = counts.max(axis=0)
        self.rounds = counts.shape[1]
        self.ones = self._one_hot()
        self.count, self.total = counts.sum(axis=1), totals.sum(axis=1)
        self.square = float((cells.counts * np.square(cells.means)).sum())
        self.cross = np.hstack([counts, self.count[:, None] * self.ones])
        shared = counts.T @ self.ones
        self.block = np.block(
            [[np.diag(counts.sum(axis=0)), shared], [shared.T, self.ones.T @ (self.count[:, None] * self.ones)]]
        )
        self.right = np.concatenate([totals.sum(axis=0), self.ones.T @ self.total])
        shares = questions / questions.sum()
        self.aims = np.hstack([np.tile(shares, (self.arms, 1)), self.ones])

    def _one_hot(self) -> Floats:
        columns = [np.eye(size)[column] for size, column in zip(self.sizes, self.levels.T, strict=True)]
        return np.hstack(columns) if columns else np.zeros((self.arms, 0))

    def _reduced(self, spread: Spread) -> tuple[Floats, Floats, Floats]:
        """Precision per arm, and the matrix and right side of rounds and levels; weights are counts over noise."""
        precision = self.count / spread.noise + spread.arm_sd**-2
        cross = self.cross / spread.noise
        matrix = self.block / spread.noise - cross.T @ (cross / precision[:, None])
        place = np.arange(self.rounds, len(matrix))
        matrix[place, place] += spread.level_sd**-2
        return precision, matrix, self.right / spread.noise - cross.T @ (self.total / spread.noise / precision)

    def scores(self, spread: Spread, alpha: float) -> ArmScores:
        precision, matrix, right = self._reduced(spread)
        covariance = np.linalg.inv(matrix)
        found = covariance @ right
        cross = self.cross / spread.noise
        own = (self.total / spread.noise - cross @ found) / precision
        gradient = self.aims - cross / precision[:, None]
        variance = 1 / precision + ((gradient @ covariance) * gradient).sum(axis=1)
        values = self.aims @ found + own
        half = z_two_sided(alpha) * np.sqrt(np.maximum(variance, 0.0))
        effects = tuple(self._effects(found, covariance, z_two_sided(alpha)))
        return ArmScores(values, values - half, values + half, effects, spread)

    def _effects(self, found: NDArray[Any], covariance: NDArray[Any], z: float) -> Iterator[LevelEffect]:
        start = self.rounds
        for factor, size in enumerate(self.sizes):
            among = slice(start, start + size)
            start += size
            if size < 2:
                continue
            contrast = np.eye(size) - 1 / size
            values = contrast @ found[among]
            half = z * np.sqrt(np.maximum(np.diag(contrast @ covariance[among, among] @ contrast), 0.0))
            arms = np.bincount(self.levels[:, factor], minlength=size)
            for level in range(size):
                value, error = float(values[level]), float(half[level])
                yield LevelEffect(factor, level, value, value - error, value + error, int(arms[level]))

    def estimated(self, noise: float) -> Spread:
        usual, best, found = Spread(noise), -np.inf, Spread(noise)
        has_factors = self.ones.shape[1] > 0
        among = (_LEVEL_SDS if has_factors else (usual.level_sd,), _ARM_SDS)
        middle = usual.arm_sd if has_factors else usual.level_sd
        for level_sd, arm_sd in product(*among):
            spread = Spread(noise, level_sd, arm_sd)
            likelihood = (
                self._log_likelihood(spread) + _log_prior(level_sd, usual.level_sd) + _log_prior(arm_sd, middle)
            )
            if likelihood > best + 1e-9:
                best, found = likelihood, spread
        return found

    def _log_likelihood(self, spread: Spread) -> float:
        """Restricted, up to a constant of the data and the noise."""
        precision, matrix, right = self._reduced(spread)
        _, log_determinant = np.linalg.slogdet(matrix)
        fitted = right @ np.linalg.solve(matrix, right) + float(
            (np.square(self.total / spread.noise) / precision).sum()
        )
        priors = 2 * (self.ones.shape[1] * np.log(spread.level_sd) + self.arms * np.log(spread.arm_sd))
        determinant = float(np.log(precision).sum()) + log_determinant + priors
        return float(-0.5 * (determinant + self.square / spread.noise - fitted))


def _log_prior(sd: float, default: float) -> float:
    beyond = max(0.0, abs(np.log(sd / default)) - np.log(4.0))
    return float(-0.5 * (beyond / np.log(2.0)) ** 2)
