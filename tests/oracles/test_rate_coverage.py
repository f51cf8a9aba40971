"""The error bar of a scoreboard keeps its promise: coverage of `mean_interval`, summed exactly where it can be.

A wrong variant runs in the same harness and must fail, or the harness proves nothing: Wald for a rate, clusters
ignored for a mean, a design effect of few clusters taken as seen, t for scores that are nearly all alike.
"""

import numpy as np
import pytest
from scipy.stats import binom

from assay.evals.columns import Columns, Row
from assay.evals.scoreboard import scoreboard
from assay.stats import mean_interval, t_interval, wilson
from assay.stats.clusters import cluster_codes, cluster_sums
from assay.stats.interval import t_two_sided
from assay.stats.mean import clustered_se
from assay.stats.rate import wilson_limits

RATES = np.linspace(0.5, 1, 202)[1:-1]
Z = 1.959963984540054


def shown(successes, n):
    interval = mean_interval(np.arange(n) < successes)
    return interval.low, interval.high


def wald(successes, n):
    p = successes / n
    half = Z * np.sqrt(p * (1 - p) / n)
    return p - half, p + half


def wilson_always(successes, n):
    interval = wilson(int(successes), n)
    return interval.low, interval.high


def coverages(limits, n, rates):
    """The exact coverage at each rate: the probability of all counts whose interval holds it."""
    counts = np.arange(n + 1)
    low, high = np.array([limits(k, n) for k in counts]).T
    held = (low[None, :] <= rates[:, None]) & (rates[:, None] <= high[None, :])
    return (binom.pmf(counts, n, rates[:, None]) * held).sum(axis=1)


def test_mean_coverage_of_a_rate_at_50_cases():
    assert 0.94 <= coverages(shown, 50, RATES).mean() <= 0.96
    assert coverages(wald, 50, RATES).mean() < 0.94


@pytest.mark.slow
def test_a_rate_is_never_covered_below_91_from_30_cases_on():
    rates = np.linspace(0.02, 0.98, 481)
    sizes = [*range(30, 121), 150, 200, 300, 500, 1_000]
    assert min(coverages(shown, n, rates).min() for n in sizes) >= 0.91
    assert min(coverages(wald, n, rates).min() for n in (30, 50, 100)) < 0.5


def test_a_rate_of_few_cases_is_covered_as_promised_where_wilson_is_not():
    """Wilson is .894 at n = 20-27 with a rate near .97; Wald falls to .33 at n = 20."""
    rates = np.linspace(0.01, 0.99, 197)
    for n in (1, 2, 3, 5, 8, 13, 20, 24, 27, 29):
        assert coverages(shown, n, rates).min() >= 0.95
    near = np.linspace(0.96, 0.98, 41)
    assert min(coverages(wilson_always, n, near).min() for n in range(20, 28)) < 0.90
    assert coverages(wald, 20, near).min() < 0.34


def clustered_rows(rng, clusters, size, *, graded):
    """Scores of true mean .8 in clusters whose members share a rate."""
    rates = np.repeat(rng.beta(4, 1, clusters), size)
    scores = rng.binomial(4, rates) / 4 if graded else (rng.random(clusters * size) < rates).astype(float)
    return scores, np.repeat(np.arange(clusters), size)


@pytest.mark.slow
@pytest.mark.parametrize("graded", [False, True], ids=["right or wrong", "graded"])
def test_clustered_means_are_covered_and_ignoring_clusters_is_not(graded):
    """50 clusters of 10: within .93 to .97; the same scores taken for independent ones, under .80."""
    rng = np.random.default_rng(7)
    held, naive, runs = 0, 0, 2_000
    for _ in range(runs):
        scores, clusters = clustered_rows(rng, 50, 10, graded=graded)
        interval, alone = mean_interval(scores, clusters=clusters), mean_interval(scores)
        held += interval.low <= 0.8 <= interval.high
        naive += alone.low <= 0.8 <= alone.high
    assert 0.93 <= held / runs <= 0.97
    assert naive / runs < 0.80


@pytest.mark.slow
def test_the_scoreboard_covers_what_its_intervals_are_asked_to():
    """The same through the whole path, three answers to each question: replicas are no new cases."""
    rng = np.random.default_rng(11)
    held, naive, runs = 0, 0, 200
    for _ in range(runs):
        rates = np.repeat(rng.beta(4, 1, 50), 4)
        columns = Columns(
            Row(case, str(case), {"m": float(rng.random() < rates[case])}, replica=k, cluster=f"d{case // 4}")
            for case in range(200)
            for k in range(3)
        )
        metric = scoreboard(columns).metrics["m"]
        held += metric.low <= 0.8 <= metric.high
        wrong = mean_interval(rng.random(600) < np.repeat(rates, 3))
        naive += wrong.low <= 0.8 <= wrong.high
    assert held / runs >= 0.915
    assert naive / runs < 0.80


NEARLY_ALIKE = {
    "partial": lambda rng, n, share: (np.where(rng.random(n) < share, rng.random(n), 1.0), 1 - share / 2),
    "thirds": lambda rng, n, share: (
        np.where(rng.random(n) < share, rng.choice([0, 1 / 3, 2 / 3], n), 1.0),
        1 - share * 2 / 3,
    ),
    "low": lambda rng, n, share: (np.where(rng.random(n) < share, rng.beta(1, 1, n), 0.0), share / 2),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", NEARLY_ALIKE)
def test_graded_scores_that_are_nearly_all_alike_are_covered(kind):
    rng = np.random.default_rng(3)
    least, t_least = 1.0, 1.0
    for n, share in ((5, 0.2), (12, 0.1), (29, 0.05), (40, 0.05), (99, 0.05), (100, 0.05), (150, 0.04), (200, 0.2)):
        held, t_held, runs = 0, 0, 600
        for _ in range(runs):
            scores, truth = NEARLY_ALIKE[kind](rng, n, share)
            interval, t = mean_interval(scores), t_interval(scores)
            held += interval.low <= truth <= interval.high
            t_held += t.low <= truth <= t.high
        least, t_least = min(least, held / runs), min(t_least, t_held / runs)
    assert least >= 0.925
    assert t_least < 0.88


def taken_as_seen(scores, clusters):
    """The rule without the doubt: Wilson at n over the design effect that was seen, which of few clusters is noise."""
    groups = cluster_sums(scores, cluster_codes(clusters))
    n, p = len(scores), min(groups.mean, 1.0)
    seen = clustered_se(groups) ** 2 / max(p * (1 - p) / n, 1e-300)
    effective = n / max(seen, 1.0) if 0 < p < 1 else groups.effective
    return wilson_limits(p * effective, effective, t_two_sided(0.05, groups.count - 1))


FEW_CLUSTERS = [(3, 35), (5, 20), (8, 12), (12, 10), (20, 10), (30, 6)]


@pytest.mark.slow
@pytest.mark.parametrize("alike", [0.05, 0.3, 0.6, 1.0], ids=lambda share: f"alike {share}")
def test_few_clusters_are_covered_however_alike_their_members_are(alike):
    """True means .7 to .98, clusters of one and of many sizes."""
    rng = np.random.default_rng(17)
    runs, least, seen_least = 250, 1.0, 1.0
    for count, size in FEW_CLUSTERS:
        for truth in (0.7, 0.9, 0.98):
            held = seen_held = 0
            for run in range(runs):
                sizes = np.full(count, size) if run % 2 else np.maximum(1, rng.geometric(1 / size, count))
                spread = (1 - alike) / alike
                shares = rng.beta(truth * spread, (1 - truth) * spread, count) if spread else rng.random(count) < truth
                clusters = np.repeat(np.arange(count), sizes)
                scores = (rng.random(len(clusters)) < np.repeat(shares, sizes)).astype(float)
                if len(clusters) == count:
                    held, seen_held = held + 1, seen_held + 1  # clusters of one are none
                    continue
                interval, (low, high) = mean_interval(scores, clusters=clusters), taken_as_seen(scores, clusters)
                held += interval.low <= truth <= interval.high
                seen_held += low <= truth <= high
            least, seen_least = min(least, held / runs), min(seen_least, seen_held / runs)
    assert least >= 0.92
    if alike in (0.3, 0.6):
        assert seen_least < 0.91


def test_one_error_never_makes_clusters_that_agree_tell_more():
    """105 cases in 3 documents: with each error more the lower limit falls, and no jump from none to one."""
    clusters = np.repeat(np.arange(3), 35)
    lows = [mean_interval(np.arange(105) >= errors, clusters=clusters).low for errors in range(12)]
    assert lows == sorted(lows, reverse=True)
    assert lows[0] - lows[1] < 0.01
    highs = [mean_interval(np.arange(105) < right, clusters=clusters).high for right in range(12)]
    assert highs == pytest.approx([1 - low for low in lows])
    half = mean_interval(np.full(105, 0.5), clusters=clusters)
    assert half.high - half.low > 0.8
