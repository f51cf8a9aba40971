"""Intervals keep their promise: simulated coverage of `paired_interval` in every regime and across every switch.

Each regime draws data of known truth and asks the function users call. A wrong variant in the same harness must
fail, or the harness proves nothing. Seeds are fixed; 2,000 runs have a Monte Carlo error of half a point.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from assay.stats import mean_interval, paired_interval, sign_flip_interval, t_interval
from assay.stats.bootstrap import bootstrap_quantile_change, bootstrap_ratio
from assay.stats.clusters import cluster_codes, cluster_sums
from assay.stats.mean import clustered_t_of

Draw = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray, np.ndarray | None, float]]


@dataclass(frozen=True)
class Regime:
    """Data of known truth: `draw` gives incumbent, candidate, clusters and the true difference."""

    name: str
    draw: Draw
    least: float = 0.935
    runs: int = 2_000

    def __str__(self):
        return self.name


def binary(n, disc, win_share, both_share=0.8):
    """`n` right-or-wrong pairs (or between two numbers) that differ with probability `disc`."""

    def draw(rng):
        size = n if isinstance(n, int) else int(rng.integers(*n))
        chances = [(1 - disc) * both_share, disc * win_share, disc * (1 - win_share), (1 - disc) * (1 - both_share)]
        outcome = rng.choice(4, size, p=chances)
        return (outcome % 2 == 0) & (outcome < 3), outcome < 2, None, disc * (2 * win_share - 1)

    return draw


def binary_pairs_are_what_they_say():
    rng = np.random.default_rng(0)
    incumbent, candidate, _, truth = binary(200_000, 0.3, 0.7)(rng)
    return (candidate.astype(float) - incumbent).mean() - truth


def graded(n, differ, win_share, size):
    """`n` graded pairs in [0, 1]: a tie with probability 1 - `differ`, else ±size(rng, n) around the middle."""
    truth = differ * (2 * win_share - 1) * float(size(np.random.default_rng(9), 1_000_000).mean())

    def draw(rng):
        count = n if isinstance(n, int) else int(rng.integers(*n))
        sign = np.where(rng.random(count) < win_share, 1.0, -1.0)
        change = np.where(rng.random(count) < differ, sign * size(rng, count), 0.0)
        return np.full(count, 0.5) - change / 2, np.full(count, 0.5) + change / 2, None, truth

    return draw


def normal_scores(n, shift=0.05):
    def draw(rng):
        base = rng.uniform(0.3, 0.6, n)
        return base, base + shift + rng.normal(0, 0.03, n), None, shift

    return draw


def clustered(count, sizes, differ, win_share, *, share=0.3, whole=False):
    """Binary differences in clusters whose members win together; `whole`: a cluster differs as one block."""

    def draw(rng):
        total = count if isinstance(count, int) else int(rng.integers(*count))
        size = sizes(np.random.default_rng(5), total)
        if whole:
            on = rng.random(total) < differ
            wins = np.where(on & (rng.random(total) < win_share), size, 0)
            losses = np.where(on & (wins == 0), size, 0)
        else:
            spread = (1 - share) / share
            apart = rng.binomial(size, rng.beta(differ * spread, (1 - differ) * spread, total))
            wins = rng.binomial(apart, rng.beta(win_share * spread, (1 - win_share) * spread, total))
            losses = apart - wins
        labels = np.repeat(np.arange(total), size)
        change = np.concatenate(
            [np.r_[np.ones(w), -np.ones(b), np.zeros(s - w - b)] for w, b, s in zip(wins, losses, size, strict=True)]
        )
        return (change < 0).astype(float), (change > 0).astype(float), labels, differ * (2 * win_share - 1)

    return draw


def even(rng, count):
    return np.full(count, 8)


def uneven(rng, count):
    return np.maximum(1, np.round(rng.lognormal(1.5, 0.8, count))).astype(int)


def giant(rng, count):
    """One cluster as large as half of all others together."""
    return np.r_[2 * count, np.full(count - 1, 4)]


def uniform_size(rng, n):
    return rng.uniform(0.05, 1, n)


def skewed_size(rng, n):
    return rng.beta(0.5, 2, n)


REGIMES = [
    # Right or wrong, few cases: Newcombe.
    Regime("binary n=8", binary(8, 0.3, 0.7)),
    Regime("binary n=20 rare", binary(20, 0.05, 0.7)),
    Regime("binary n=20", binary(20, 0.15, 0.7)),
    Regime("binary n=50 null", binary(50, 0.16, 0.5)),
    Regime("binary n=50 ceiling", binary(50, 0.16, 0.8, 0.98)),
    # Across the switch to t at 100 cases and 20 that differ.
    Regime("binary n=90-110, 20 differ", binary((90, 111), 0.2, 0.7)),
    Regime("binary n=120, 20 differ null", binary(120, 0.165, 0.5)),
    Regime("binary n=1000, 20 differ", binary(1000, 0.02, 0.95)),
    Regime("binary n=1000, 3 differ", binary(1000, 0.003, 0.7)),
    Regime("binary n=400", binary(400, 0.16, 0.65)),
    # Graded, few cases: t with one win and one loss added.
    Regime("graded n=8 normal", normal_scores(8)),
    Regime("graded n=30 normal", normal_scores(30)),
    Regime("graded n=15 ties and wins", graded(15, 0.3, 1.0, uniform_size)),
    Regime("graded n=30 rare", graded(30, 0.05, 0.8, uniform_size)),
    Regime("graded n=30 null", graded(30, 0.5, 0.5, uniform_size)),
    Regime("graded n=30 skewed wins", graded(30, 0.5, 1.0, skewed_size)),
    Regime("graded n=60 ties and wins", graded(60, 0.1, 1.0, uniform_size)),
    Regime("graded n=8 skewed wins", graded(8, 0.5, 1.0, skewed_size)),
    # Across the switch to t.
    Regime("graded n=90-110 skewed", graded((90, 111), 0.5, 0.9, skewed_size)),
    Regime("graded n=150, 20 differ", graded(150, 0.133, 0.7, uniform_size)),
    Regime("graded n=400", graded(400, 0.4, 0.6, skewed_size)),
    # Clusters, few: sign-flips of whole clusters.
    Regime("8 clusters", clustered(8, even, 0.3, 0.6), runs=800),
    Regime("24 clusters null", clustered(24, even, 0.2, 0.5), runs=800),
    Regime("24 clusters", clustered(24, even, 0.2, 0.7), runs=800),
    Regime("24 uneven clusters", clustered(24, uneven, 0.2, 0.65), runs=800),
    Regime("60 clusters, one giant", clustered(60, giant, 0.3, 0.6), runs=400),
    Regime("24 clusters as blocks", clustered(24, even, 0.2, 0.8, whole=True), runs=800),
    # Across the switch to clustered t at 30, and where few clusters differ.
    Regime("26-34 clusters", clustered((26, 35), even, 0.2, 0.7), runs=1_000),
    Regime("50 clusters null", clustered(50, even, 0.3, 0.5)),
    Regime("50 clusters as blocks", clustered(50, even, 0.1, 0.8, whole=True)),
    Regime("50 clusters, 20 differ", clustered(50, even, 0.12, 0.7)),
    # The weakest we know: sizes so uneven that 100 clusters are worth some 50.
    Regime("100 uneven clusters", clustered(100, uneven, 0.2, 0.7), least=0.92, runs=1_200),
    Regime("24 clusters, rare wins", clustered(24, even, 0.05, 0.9), runs=800),
]


def covered(regime, interval_of=paired_interval, *, seed=1):
    """Share of runs whose interval holds the truth."""
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(regime.runs):
        incumbent, candidate, clusters, truth = regime.draw(rng)
        interval = interval_of(incumbent, candidate, clusters=clusters)
        hits += interval.low - 1e-9 <= truth <= interval.high + 1e-9
    return hits / regime.runs


@pytest.mark.parametrize("regime", REGIMES, ids=str)
def test_the_interval_covers_the_truth(regime):
    share = covered(regime)
    print(f"coverage {share:.3f}  {regime.name}")
    assert share >= regime.least


def plain_t(incumbent, candidate, *, clusters=None):
    """The wrong variant: Student's t whatever the data, clusters ignored."""
    return t_interval(candidate.astype(float) - incumbent.astype(float))


def plain_sign_flip(incumbent, candidate, *, clusters=None):
    """The wrong variant: sign-flips alone, which know nothing of what was not seen."""
    return sign_flip_interval(candidate.astype(float) - incumbent.astype(float), clusters=clusters, draws=2_000)


def plain_clustered_t(incumbent, candidate, *, clusters=None):
    """The wrong variant: clustered t whatever the number and the sizes of clusters."""
    change = candidate.astype(float) - incumbent.astype(float)
    return clustered_t_of(cluster_sums(change, cluster_codes(clusters)))


@pytest.mark.parametrize(
    ("wrong", "name", "below"),
    [
        (plain_t, "binary n=20 rare", 0.75),
        (plain_t, "graded n=30 rare", 0.80),
        (plain_t, "50 clusters null", 0.85),
        (plain_sign_flip, "graded n=30 rare", 0.80),
        (plain_clustered_t, "60 clusters, one giant", 0.92),
    ],
)
def test_wrong_variants_fail_in_the_same_harness(wrong, name, below):
    regime = next(regime for regime in REGIMES if regime.name == name)
    assert covered(regime, wrong) < min(below, regime.least)


def cluster_null_rejections(interval_of, *, runs=2_000, sharing=0.5):
    """50 clusters of 10 whose members share `sharing` of the variance; the truth is no difference."""
    rng = np.random.default_rng(50)
    labels = np.repeat(np.arange(50), 10)
    rejected = 0
    for _ in range(runs):
        common = np.repeat(rng.normal(0, np.sqrt(sharing), 50), 10)
        change = 0.1 * (common + rng.normal(0, np.sqrt(1 - sharing), 500))
        interval = interval_of(0.5 - change / 2, 0.5 + change / 2, clusters=labels)
        rejected += interval.low > 0 or interval.high < 0
    return rejected / runs


def without_small_sample_care(incumbent, candidate, *, clusters):
    """The wrong variant: no G/(G-1), and the normal quantile in place of t."""
    groups = cluster_sums(candidate - incumbent, cluster_codes(clusters))
    deviations = groups.sums - groups.mean * groups.sizes
    half = 1.96 * np.sqrt(deviations @ deviations) / groups.sizes.sum()
    return type("Limits", (), {"low": groups.mean - half, "high": groups.mean + half})


def test_clusters_ignored_reject_a_true_null_seven_times_too_often():
    """50 clusters of 10: naive at least .35, clustered .046 ± .015."""
    assert cluster_null_rejections(plain_t) >= 0.35
    assert cluster_null_rejections(paired_interval) == pytest.approx(0.046, abs=0.015)


def test_without_the_small_sample_factor_ten_clusters_are_not_covered():
    regime = Regime("10 clusters", clustered(10, even, 0.5, 0.5))
    assert covered(regime, without_small_sample_care) < 0.925
    assert covered(Regime("10 clusters", regime.draw, runs=800)) >= 0.94


@pytest.mark.parametrize("n", [2, 3, 5, 6, 8, 12, 20, 40])
@pytest.mark.parametrize("disc", [0.3, 0.6, 1.0])
def test_a_verdict_on_no_difference_is_rare_even_with_a_handful_of_cases(n, disc):
    """Newcombe alone calls 2 wins of 2 better: half of all pairs of coin flips that differ."""
    rng = np.random.default_rng(n)
    draw, runs, wrong = binary(n, disc, 0.5), 1_500, 0
    for _ in range(runs):
        incumbent, candidate, _, _ = draw(rng)
        interval = paired_interval(incumbent, candidate)
        wrong += interval.low > 0 or interval.high < 0
    assert wrong / runs <= 0.05 + 0.03


def test_the_generator_of_binary_pairs_has_the_truth_it_claims():
    assert abs(binary_pairs_are_what_they_say()) < 0.004


@pytest.mark.parametrize(("n", "p"), [(20, 0.9), (60, 0.95), (200, 0.8)])
def test_the_error_bar_on_one_score_covers(n, p):
    rng = np.random.default_rng(4)
    intervals = [mean_interval(rng.random(n) < p) for _ in range(1_500)]
    assert np.mean([i.low <= p <= i.high for i in intervals]) >= 0.91


@pytest.mark.parametrize(("clusters", "least"), [(8, 0.92), (20, 0.93), (60, 0.935)])
def test_the_error_bar_on_one_clustered_score_covers(clusters, least):
    rng = np.random.default_rng(6)
    labels, held = np.repeat(np.arange(clusters), 10), 0
    for _ in range(1_500):
        scores = rng.random(10 * clusters) < np.repeat(rng.beta(4, 1, clusters), 10)
        interval = mean_interval(scores, clusters=labels)
        held += interval.low <= 0.8 <= interval.high
    assert held / 1_500 >= least


def test_ratio_and_quantile_bootstraps_cover_from_100_cases_on():
    rng = np.random.default_rng(7)
    held, kept, runs, units = 0, 0, 400, np.arange(100)
    truth = float(np.exp(0.1 + 0.02))  # E[b]/E[a] for b = a·exp(N(.1, .2²))
    first_p95, second_p95 = np.exp(1.6448536 * 0.5), np.exp(0.1 + 1.6448536 * np.hypot(0.5, 0.2))
    for _ in range(runs):
        before = rng.lognormal(0, 0.5, 100)
        after = before * rng.lognormal(0.1, 0.2, 100)
        ratio = bootstrap_ratio(after, before, draws=600)
        held += ratio.low <= truth <= ratio.high
        change = bootstrap_quantile_change(before, after, units_first=units, units_second=units, draws=600).ratio
        kept += change.low <= second_p95 / first_p95 <= change.high
    assert held / runs >= 0.91
    assert kept / runs >= 0.90
