"""A bet pays 1 on average under the null, however long it runs; what it costs and how often it errs, simulated.

Every check that the test errs rarely stands beside a broken build or a usual habit that errs often in the same harness.
"""

from itertools import product
from math import sqrt

import numpy as np
import pytest

from assay.stats.betting import BettingTest
from assay.stats.finite import FiniteSetTest
from assay.stats.stopped import Rule, forecast_stops, simulate, stage_wise_mean
from assay.stats.verdict import Verdict
from assay.stats.wealth import Wealth, log_growth, log_mixture, payoffs
from evidence_streams import ever_promoted, ever_significant

NO_LOWER_SIDE = 1e-9


def right_or_wrong(difference, disagreement):
    """Equally likely values: won, lost and tied in these shares, to 1 in 2,000."""
    wins, losses = (round(1_000 * (disagreement + side * difference)) for side in (1, -1))
    return np.repeat([1.0, -1.0, 0.0], [wins, losses, 2_000 - wins - losses])


@pytest.mark.parametrize("null", [0.0, -0.03, 0.05])
@pytest.mark.parametrize("side", [1, -1])
def test_the_expected_wealth_over_all_paths_is_one(null: float, side: int) -> None:
    values = np.array([-1.0, -0.25, 0.5, 1.0])
    # Weights of a distribution whose mean is the null.
    rest = np.array([0.2, 0.3, 0.25])
    last = np.linalg.solve(np.array([[1.0, 1.0], [values[0], values[3]]]), [1 - 0.55, null - values[1:3] @ rest[1:]])
    chances = np.array([last[0], rest[1], rest[2], last[1]])
    assert chances.min() > 0
    paths = np.array(list(product(range(4), repeat=6)))
    distances = side * (values[paths] - (-side))
    wealth = np.exp(log_mixture(log_growth(payoffs(distances, np.full(paths.shape, side * null + 1))).sum(axis=1)))
    assert wealth @ chances[paths].prod(axis=1) == pytest.approx(1, abs=1e-12)


def test_the_expected_wealth_without_replacement_is_one() -> None:
    # A full set that ties: every order of it is equally likely, the null holds with equality.
    full = np.array([1.0, -1.0, 0.5, -0.5, 0.25, -0.25])
    orders = np.array(list(product(range(6), repeat=4)))
    orders = orders[[len(set(order)) == 4 for order in orders]]
    drawn = full[orders]
    before = np.cumsum(drawn, axis=1) - drawn
    nulls = -before / (6 - np.arange(4))
    wealth = np.exp(log_mixture(log_growth(payoffs(drawn + 1, nulls + 1)).sum(axis=1)))
    assert wealth.mean() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("size", [None, 150])
def test_the_simulation_is_the_test(size: int | None) -> None:
    rng = np.random.default_rng(3)
    atoms = rng.normal(0.04, 0.3, 40).clip(-1, 1)
    for seed in range(20):
        rule = Rule(above=-0.02, below=0.06, alpha=0.1, beta=0.2, size=size)
        settings = {"alpha": 0.1, "beta": 0.2, "margin": 0.02, "smallest": 0.06}
        test = BettingTest(**settings) if size is None else FiniteSetTest(size, **settings)
        stops = simulate(atoms, rule, steps=149, streams=1, seed=seed)
        draws = np.random.default_rng(seed)
        while not test.over and test.n < 149:
            test.update(atoms[draws.integers(0, 40, 1)[0]])
        assert test.n == stops.n[0]
        assert test.raw * test.n == pytest.approx(stops.total[0])
        ends = {Verdict.NOT_WORSE: 1, Verdict.PROMOTE: 1, Verdict.NOT_BETTER: -1, Verdict.WORSE: -1}
        assert ends.get(test.verdict, 0) == stops.side[0]


def test_looking_after_every_difference_costs_nothing() -> None:
    # Graded: 4,000 streams of 800 with mean 0 and standard deviation .25. The usual habit first.
    rng = np.random.default_rng(1)
    streams = rng.normal(0, 0.25, (4_000, 800)).clip(-1, 1)
    assert ever_significant(streams[:1_000]).mean() > 0.28
    assert ever_promoted(streams).mean() <= 0.05 + 3 * sqrt(0.05 * 0.95 / 4_000)
    # A build that picks its bet with the difference already seen is caught here.
    assert ever_promoted(streams[:500], choose=lambda growth: growth.max(axis=1, keepdims=True)).mean() > 0.9


def test_graded_figures_of_a_five_point_gain() -> None:
    stops = forecast_stops(Rule(), difference=0.05, sd=0.25, items=2_000, streams=3_000, seed=2)
    assert np.median(stops.side) == 1
    assert stops.n.mean() == pytest.approx(203, rel=0.05)
    null = forecast_stops(Rule(), difference=0.0, sd=0.25, items=800, streams=3_000, seed=2)
    assert (null.side == 1).mean() == pytest.approx(0.022, abs=0.012)


@pytest.mark.parametrize(("disagreement", "questions"), [(0.05, 535), (0.10, 918), (0.15, 1_308)])
def test_as_good_as_within_three_points_is_expensive(disagreement: float, questions: int) -> None:
    rule = Rule(above=-0.03, beta=NO_LOWER_SIDE)
    stops = simulate(right_or_wrong(0.0, disagreement), rule, steps=6_000, streams=1_000, seed=4)
    assert stops.n.mean() == pytest.approx(questions, rel=0.1)


@pytest.mark.parametrize("disagreement", [0.05, 0.15])
def test_at_the_margin_itself_not_worse_is_rarely_claimed(disagreement: float) -> None:
    rule = Rule(above=-0.03, beta=NO_LOWER_SIDE)
    stops = simulate(right_or_wrong(-0.03, disagreement), rule, steps=2_000, streams=3_000, seed=5)
    assert (stops.side == 1).mean() <= 0.05


def test_a_hopeless_candidate_is_dropped_soon() -> None:
    rule = Rule(below=0.05)
    worse, worst = (
        simulate(right_or_wrong(difference, 0.162), rule, steps=2_000, streams=1_000, seed=6)
        for difference in (-0.05, -0.10)
    )
    assert np.median(worse.n) <= 135
    assert np.median(worst.n) <= 72
    good = simulate(
        right_or_wrong(0.05, 0.162), Rule(alpha=NO_LOWER_SIDE, below=0.05), steps=800, streams=2_000, seed=6
    )
    assert (good.side == -1).mean() <= 0.05


def test_results_are_folded_in_their_order_and_not_as_they_finish() -> None:
    # Failures time out, so they finish late: of 300 answers under way together, the good news comes first.
    rng = np.random.default_rng(8)
    streams = rng.choice([1.0, -1.0, 0.0], (1_000, 300), p=[0.1, 0.1, 0.8])
    finished = np.arange(300) * 0.2 + rng.exponential(1.0, streams.shape) + np.where(streams < 0, 8.0, 0.0)
    early = np.take_along_axis(streams, np.argsort(finished, axis=1), axis=1)
    assert ever_promoted(streams).mean() <= 0.05
    assert ever_promoted(early).mean() > 0.15


@pytest.mark.parametrize("truth", [0.0, 0.05])
def test_the_estimate_is_adjusted_for_the_stop(truth: float) -> None:
    rng = np.random.default_rng(11)
    values, raws = [], []
    for run in range(60):
        test = BettingTest(smallest=0.05)
        for difference in rng.normal(truth, 0.25, 400).clip(-1, 1):
            test.update(difference)
            if test.over:
                break
        side = 0 if not test.over else 1 if test.verdict is Verdict.PROMOTE else -1
        values.append(stage_wise_mean(np.array(test.differences), test.rule(), side, draws=300, seed=run))
        raws.append(test.raw)
    # Over all outcomes, in points; the bias is below 1, and two standard errors of 60 runs are below .7.
    assert abs(np.mean(values) - truth) <= 0.017
    assert np.mean(np.abs(np.array(values) - raws)) > 0.001


@pytest.mark.slow
def test_a_tied_set_has_no_winner_and_certainty_is_certain() -> None:
    # A set of 200 that ties: 24 won, 24 lost. Both sides may err; certainty may not, on sets that do not tie either.
    rng = np.random.default_rng(9)
    tied = np.repeat([1.0, -1.0, 0.0], [24, 24, 152])
    claims = []
    for _ in range(600):
        test, order = FiniteSetTest(200), rng.permutation(tied)
        for difference in order[:-1]:
            test.update(difference)
            if test.over:
                break
        claims.append(test.verdict)
    error = 0.05 + 3 * sqrt(0.05 * 0.95 / 600)
    assert np.mean([claim is Verdict.PROMOTE for claim in claims]) <= error
    assert np.mean([claim is Verdict.WORSE for claim in claims]) <= error
    for _ in range(200):
        full = rng.choice([1.0, -1.0, 0.0, 0.3], 25)
        # Claims that need no luck at all: a level no bet of 25 reaches, save by an impossible null.
        test, certain = FiniteSetTest(25, alpha=1e-30, beta=1e-30), Verdict.UNDECIDED
        for difference in full:
            certain = test.update(difference)
            if test.over:
                break
        sign = round(float(full.sum()), 9)
        assert certain is (Verdict.PROMOTE if sign > 0 else Verdict.WORSE if sign < 0 else Verdict.NOT_BETTER)


@pytest.mark.parametrize(("gap", "size", "share"), [(0.05, 500, 0.50), (0.05, 1_000, 0.33), (0.10, 500, 0.20)])
def test_questions_needed_of_a_finite_set(gap: float, size: int, share: float) -> None:
    differ = round(0.162 * size)
    wins = round((differ + gap * size) / 2)
    full = np.repeat([1.0, -1.0, 0.0], [wins, differ - wins, size - differ])
    used = []
    rng = np.random.default_rng(10)
    for _ in range(80):
        test = FiniteSetTest(size)
        for difference in rng.permutation(full):
            test.update(difference)
            if test.over:
                break
        used.append(test.n / size)
    assert share - 0.1 <= np.mean(used) <= share + 0.03


def test_wealth_is_the_mixture_step_by_step() -> None:
    rng = np.random.default_rng(12)
    ratios = rng.uniform(0, 2, (2, 300))
    wealth = Wealth(2)
    for up, down in ratios.T:
        found = wealth.after([float(up), float(down)])
    assert np.log(found) == pytest.approx(log_mixture(log_growth(ratios).sum(axis=1)))


def test_wealth_knows_what_is_impossible_after_it_has_lost_all() -> None:
    wealth = Wealth(1)
    for _ in range(2_000):
        wealth.after([0.0])
    assert wealth.after([float("inf")]) == [float("inf")]
    rich = Wealth(1)
    for _ in range(5_000):
        rich.after([2.0])
    assert rich.after([0.0])[0] > 1e300
