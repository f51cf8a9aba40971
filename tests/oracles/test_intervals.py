"""The formulas against SciPy, against published worked examples, and against exact sums over all outcomes."""

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.special import gammaln

from assay.stats import bonett_price, clopper_pearson, clustered_t, newcombe10, t_interval, wilson
from assay.stats.power import cases_needed

COUNTS = [(k, n) for n in (1, 2, 7, 20, 119, 3000) for k in sorted({0, 1, n // 3, n - 1, n})]


@pytest.mark.parametrize(("formula", "method"), [(wilson, "wilson"), (clopper_pearson, "exact")])
@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.001])
def test_intervals_of_a_rate_equal_scipys(formula, method, alpha):
    for k, n in COUNTS:
        ours = formula(k, n, alpha=alpha)
        theirs = scipy_stats.binomtest(k, n).proportion_ci(1 - alpha, method=method)
        assert (ours.value, ours.n) == (k / n, n)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12), (k, n)


def test_t_equals_scipys():
    rng = np.random.default_rng(1)
    for n in (2, 5, 100):
        values = rng.normal(0.3, 2, n)
        theirs = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.9)
        ours = t_interval(values, alpha=0.1)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)


def test_clustered_t_equals_t_on_cluster_means_when_clusters_are_equally_large():
    """With equal sizes, Σu²·G/(G-1)/n² is the squared error of the mean of cluster means."""
    rng = np.random.default_rng(2)
    values, clusters = rng.normal(size=120), np.arange(120) // 4
    theirs = scipy_stats.ttest_1samp(values.reshape(30, 4).mean(axis=1), 0).confidence_interval(0.95)
    ours = clustered_t(values, clusters)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)
    assert ours.n == 30


def test_clustered_t_with_clusters_of_one_is_t():
    values = np.random.default_rng(3).normal(size=40)
    plain, clustered = t_interval(values), clustered_t(values, np.arange(40))
    assert (clustered.low, clustered.high) == (plain.low, plain.high)


@pytest.mark.parametrize(
    ("table", "value", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:2635: the four examples of its table of methods, method 10.
        ((36, 12, 2, 0), 0.2, 0.0569, 0.3404),
        ((18, 12, 2, 18), 0.2, 0.0562, 0.3290),
        ((53, 0, 0, 1), 0.0, -0.0729, 0.0729),
        ((0, 30, 0, 0), 1.0, 0.8395, 1.0),
    ],
)
def test_newcombe_10_reproduces_the_examples_of_the_paper(table, value, low, high):
    ours = newcombe10(*table)
    assert ours.value == pytest.approx(value, abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=6e-5)


def test_planning_reproduces_millers_example():
    """Miller 2024, arXiv 2411.00640: variance 1/9, an effect of 3 points, 80% power at the 5% level: 969 questions."""
    assert cases_needed(0.03, variance=1 / 9) == 969


def wald(k, n):
    p, z = k / n, 1.959963984540054
    half = z * np.sqrt(p * (1 - p) / n)
    return p - half, p + half


def wilson_limits(k, n):
    interval = wilson(int(k), n)
    return interval.low, interval.high


def coverage_of_rate(limits, n, p):
    """The exact coverage: the probability of every count whose interval holds p."""
    counts = np.arange(n + 1)
    held = [low <= p <= high for low, high in (limits(k, n) for k in counts)]
    return float(scipy_stats.binom.pmf(counts, n, p)[held].sum())


def mean_coverage(limits, n):
    rates = np.linspace(0.5, 1, 202)[1:-1]
    table = [limits(k, n) for k in range(n + 1)]
    held = np.array([[low <= p <= high for low, high in table] for p in rates])
    return float((scipy_stats.binom.pmf(np.arange(n + 1), n, rates[:, None]) * held).sum(axis=1).mean())


def test_wilson_covers_where_wald_does_not():
    assert coverage_of_rate(wilson_limits, 20, 0.95) == pytest.approx(0.93, abs=0.02)
    assert coverage_of_rate(wald, 20, 0.95) == pytest.approx(0.64, abs=0.02)
    assert mean_coverage(wilson_limits, 50) == pytest.approx(0.952, abs=0.02)
    assert mean_coverage(wald, 50) == pytest.approx(0.905, abs=0.02)


def test_wilsons_worst_is_known():
    """.894 at n = 20-27 with a rate near .97, .916 from n = 28 on; Wald falls to .33."""
    rates = np.linspace(0.96, 0.98, 41)
    assert min(coverage_of_rate(wilson_limits, n, p) for n in range(20, 28) for p in rates) == pytest.approx(
        0.894, abs=0.005
    )
    assert min(coverage_of_rate(wilson_limits, n, p) for n in (28, 39, 60) for p in rates) == pytest.approx(
        0.916, abs=0.01
    )
    assert coverage_of_rate(wald, 20, 0.98) == pytest.approx(0.33, abs=0.01)


def test_clopper_pearson_never_covers_less_than_promised():
    for n in (5, 20, 60):
        table = [clopper_pearson(k, n) for k in range(n + 1)]
        for p in np.linspace(0.01, 0.99, 99):
            held = [i.low <= p <= i.high for i in table]
            assert scipy_stats.binom.pmf(np.arange(n + 1), n, p)[held].sum() >= 0.95


def paired_tables(n):
    """Every 2 x 2 table of n pairs, as columns both, wins, losses, neither."""
    grid = np.stack(np.meshgrid(*[np.arange(n + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid[grid.sum(axis=1) <= n]
    return np.column_stack([grid, n - grid.sum(axis=1)])


def coverage_of_difference(limits, n, incumbent, candidate, phi):
    both = incumbent * candidate + phi * np.sqrt(incumbent * (1 - incumbent) * candidate * (1 - candidate))
    chances = np.array([both, candidate - both, incumbent - both, 1 - incumbent - candidate + both])
    tables = paired_tables(n)
    mass = np.exp(gammaln(n + 1) - gammaln(tables + 1).sum(axis=1) + (tables * np.log(chances)).sum(axis=1))
    held = []
    for table in tables.tolist():
        low, high = limits(*table)
        held.append(low <= candidate - incumbent <= high)
    return float(mass[held].sum())


def limits_of(formula):
    def limits(both, wins, losses, neither):
        interval = formula(both, wins, losses, neither)
        return interval.low, interval.high

    return limits


def paired_wald(both, wins, losses, neither):
    n = both + wins + losses + neither
    d = (wins - losses) / n
    half = 1.959963984540054 * np.sqrt(max((wins + losses) / n - d * d, 0) / n)
    return d - half, d + half


def test_newcombe_10_covers_a_small_paired_difference_where_wald_does_not():
    """n = 20, .90 against .93, phi .6: Newcombe .998, Wald .73. Summed over all tables, not simulated."""
    assert coverage_of_difference(limits_of(newcombe10), 20, 0.90, 0.93, 0.6) == pytest.approx(0.998, abs=0.02)
    assert coverage_of_difference(paired_wald, 20, 0.90, 0.93, 0.6) == pytest.approx(0.73, abs=0.02)


def test_bonett_price_is_conservative_when_small():
    def limits(both, wins, losses, neither):
        interval = bonett_price(wins, losses, both + wins + losses + neither)
        return interval.low, interval.high

    for phi in (0.0, 0.3, 0.6):
        assert coverage_of_difference(limits, 20, 0.90, 0.93, phi) >= 0.95
