"""Scores of a race's arms against a dense Gaussian model, conditioned without any of the elimination."""

import time
from itertools import product

import numpy as np
import pytest

from assay.stats.blup import Cells, Spread, blup, estimated_spread, pooled_noise

Array = np.ndarray
FREE = 1e3  # variance that stands for a free round: what it leaves of a round's mean is below 1e-4


def halved(arms: int, rounds: int, *, seed: int, sizes: tuple[int, ...] = (3, 2, 2)) -> tuple[Cells, Array]:
    """Cells of a race in which half of the arms go on, and the levels of all of them; some arms share all levels."""
    rng = np.random.default_rng(seed)
    levels = np.column_stack([rng.integers(0, size, arms) for size in sizes]) if sizes else np.zeros((arms, 0), int)
    levels[: max(sizes, default=0)] = (np.arange(max(sizes, default=0))[:, None] % np.array(sizes or (1,)))[
        :, : len(sizes)
    ]
    found: list[tuple[int, int, float, float]] = []
    left = np.arange(arms)
    for round_ in range(rounds):
        found += [(int(arm), round_, float(5 * 2**round_), float(rng.random())) for arm in left]
        left = rng.permutation(left)[: max(1, len(left) // 2)]
    columns = [np.array(column) for column in zip(*found, strict=True)]
    return Cells(*columns), levels


class Dense:
    """y, and what is asked of it, as one Gaussian with its covariance written out."""

    def __init__(self, cells: Cells, levels: Array, spread: Spread) -> None:
        arms, rounds = len(levels), int(cells.rounds.max()) + 1
        sizes = [int(column.max()) + 1 for column in levels.T]
        ones = np.array(
            [[float(level == at) for f, level in enumerate(row) for at in range(sizes[f])] for row in levels]
        )
        self.ones = ones.reshape(arms, sum(sizes))
        self.design = np.hstack([np.eye(rounds)[cells.rounds], self.ones[cells.arms], np.eye(arms)[cells.arms]])
        self.prior = np.diag([FREE] * rounds + [spread.level_sd**2] * self.ones.shape[1] + [spread.arm_sd**2] * arms)
        self.noise = np.diag(spread.noise / cells.counts)
        questions = np.array([cells.counts[cells.rounds == one].max() for one in range(rounds)])
        shares = np.tile(questions / questions.sum(), (arms, 1))
        self.scores = np.hstack([shares, self.ones, np.eye(arms)])
        self.rounds, self.sizes, self.y = rounds, sizes, cells.means

    def given_y(self, wanted: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of `wanted` @ effects."""
        covariance = self.design @ self.prior @ self.design.T + self.noise
        gain = wanted @ self.prior @ self.design.T @ np.linalg.inv(covariance)
        spread = wanted @ self.prior @ wanted.T - gain @ self.design @ self.prior @ wanted.T
        return gain @ self.y, np.sqrt(np.diag(spread))

    def level(self, factor: int, level: int) -> Array:
        """The contrast of a level with the mean of its factor."""
        wanted = np.zeros((1, self.design.shape[1]))
        start = self.rounds + sum(self.sizes[:factor])
        wanted[0, start : start + self.sizes[factor]] = -1 / self.sizes[factor]
        wanted[0, start + level] += 1
        return wanted

    def restricted(self) -> float:
        """ln of the likelihood of what no round effect can change."""
        random = self.design[:, self.rounds :]
        covariance = random @ self.prior[self.rounds :, self.rounds :] @ random.T + self.noise
        basis, _ = np.linalg.qr(self.design[:, : self.rounds], mode="complete")
        rest = basis[:, self.rounds :]
        covariance, y = rest.T @ covariance @ rest, rest.T @ self.y
        return float(-0.5 * (np.linalg.slogdet(covariance)[1] + y @ np.linalg.solve(covariance, y)))


@pytest.mark.parametrize("sizes", [(3, 2, 2), (5,), ()])
@pytest.mark.parametrize("spread", [Spread(), Spread(0.03, 0.2, 0.005), Spread(0.2, 0.0125, 0.32)])
def test_scores_are_those_of_the_dense_model(sizes: tuple[int, ...], spread: Spread) -> None:
    cells, levels = halved(14, 3, seed=3, sizes=sizes)
    found, dense = blup(cells, levels.tolist(), spread=spread), Dense(cells, levels, spread)
    means, deviations = dense.given_y(dense.scores)
    np.testing.assert_allclose(found.values, means, atol=1e-4)
    np.testing.assert_allclose((found.high - found.low) / 2, 1.959964 * deviations, atol=1e-4)
    assert [(one.factor, one.level) for one in found.effects] == [
        (f, at) for f, n in enumerate(sizes) for at in range(n)
    ]
    for one in found.effects:
        (mean,), (deviation,) = dense.given_y(dense.level(one.factor, one.level))
        assert one.value == pytest.approx(mean, abs=1e-4)
        assert (one.low, one.high) == pytest.approx(
            (mean - 1.959964 * deviation, mean + 1.959964 * deviation), abs=1e-5
        )
        assert one.arms == (levels[:, one.factor] == one.level).sum()


@pytest.mark.parametrize("seed", range(4))
def test_the_spread_estimated_is_the_likeliest_of_the_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells, levels = halved(16, 3, seed=seed)
    sds = rng.choice([0.02, 0.1], 2)
    level_effects = [rng.normal(0, sds[0], 3) for _ in range(3)]
    own = rng.normal(0, sds[1], 16)
    truth = np.array([sum(e[at] for e, at in zip(level_effects, row, strict=True)) for row in levels]) + own
    means = 0.5 + truth[cells.arms] + rng.normal(0, np.sqrt(0.1 / cells.counts))
    cells = Cells(cells.arms, cells.rounds, cells.counts, means)
    found = estimated_spread(cells, levels.tolist())

    def posterior(level_sd: float, arm_sd: float) -> float:
        beyond = [max(0.0, abs(np.log2(sd / usual)) - 2) for sd, usual in ((level_sd, 0.05), (arm_sd, 0.02))]
        return Dense(cells, levels, Spread(0.1, level_sd, arm_sd)).restricted() - 0.5 * sum(one**2 for one in beyond)

    grid = product((0.0125, 0.025, 0.05, 0.1, 0.2), (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32))
    best = max(posterior(*one) for one in grid)
    assert posterior(found.level_sd, found.arm_sd) == pytest.approx(best, abs=1e-6)


def test_arms_without_factors_rank_as_their_means_do() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.random(20), rng.random(8)
    cells = Cells(
        np.concatenate([np.arange(20), np.arange(8)]),
        np.repeat([0, 1], [20, 8]),
        np.repeat([6.0, 15.0], [20, 8]),
        np.concatenate([first, second]),
    )
    values = blup(cells, [()] * 20).values
    plain = (6 * first[:8] + 15 * second) / 21
    assert np.argsort(values[:8]).tolist() == np.argsort(plain).tolist()


def test_an_arm_borrows_from_those_that_share_its_level() -> None:
    levels = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    cells = Cells(np.arange(5), np.zeros(5, int), np.full(5, 50.0), np.array([0.8, 0.8, 0.8, 0.5, 0.5]))
    found = blup(cells, levels)
    assert found.values[5] < 0.65  # never asked
    assert found.high[5] - found.low[5] > found.high[4] - found.low[4]


def test_intervals_hold_the_truth_that_the_model_draws() -> None:
    rng, held = np.random.default_rng(5), []
    for seed in range(150):
        cells, levels = halved(24, 3, seed=seed)
        effects = [rng.normal(0, 0.05, 3), rng.normal(0, 0.05, 2), rng.normal(0, 0.05, 2)]
        truth = sum(effect[levels[:, f]] for f, effect in enumerate(effects)) + rng.normal(0, 0.02, 24)
        rounds = np.array([0.5, 0.7, 0.6])
        means = rounds[cells.rounds] + truth[cells.arms] + rng.normal(0, np.sqrt(0.1 / cells.counts))
        found = blup(Cells(cells.arms, cells.rounds, cells.counts, means), levels.tolist(), spread=Spread())
        wanted = truth + rounds @ np.array([5, 10, 20]) / 35
        held.append(((found.low <= wanted) & (wanted <= found.high)).mean())
    assert 0.93 < np.mean(held) < 0.97


def test_noise_is_what_is_left_of_arms_and_questions() -> None:
    rng = np.random.default_rng(2)
    blocks = [rng.normal(0, 1, (30, 1)) + rng.normal(0, 1, n) + rng.normal(0, 0.2, (30, n)) for n in (3,) * 60]
    assert pooled_noise(blocks) == pytest.approx(0.04, rel=0.1)
    assert pooled_noise([]) == pytest.approx(0.1)
    assert pooled_noise([np.ones((1, 9)), np.ones((9, 1))]) == pytest.approx(0.1)


def test_hundreds_of_arms_take_well_under_a_second() -> None:
    cells, levels = halved(600, 9, seed=0, sizes=(5, 4, 6, 5))
    began = time.perf_counter()
    blup(cells, levels.tolist())
    assert time.perf_counter() - began < 2  # about .1 s on an idle machine


def test_nothing_seen_is_refused() -> None:
    nothing = np.zeros(0, int)
    with pytest.raises(ValueError, match="nothing was seen"):
        blup(Cells(nothing, nothing, np.zeros(0), np.zeros(0)), [(0,), (1,)])
