"""Coefficients of agreement against published tables and against sums anyone can do by hand."""

from itertools import product
from math import comb, isnan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.stats.agreement import (
    Confusion,
    agreement,
    auroc,
    cohen_kappa,
    confusion,
    fisher_exact,
    gwet_ac1,
    holm,
    independent_difference,
    krippendorff_alpha,
    pearson,
    phi,
    swapped_clusters,
)


def test_the_four_counts() -> None:
    table = confusion([1, 1, 0, 0, 1], [1, 0, 1, 0, 1])
    assert table == Confusion(2, 1, 1, 1)
    assert table.n == 5
    assert table.agreement == 0.6


def test_kappa_of_cohens_clinic_example() -> None:
    # The 2 x 2 example of the encyclopaedias: 20 yes-yes, 5 and 10 apart, 15 no-no; p_o .7, p_e .5.
    assert cohen_kappa(Confusion(20, 5, 10, 15)) == pytest.approx(0.4)


def test_kappa_and_ac1_of_gwets_paradox() -> None:
    # Feinstein and Cicchetti (1990, J. Clin. Epidemiol. 43:543), table 2: agreement .85 in both, kappa .70 and .32.
    balanced, skewed = Confusion(40, 9, 6, 45), Confusion(80, 10, 5, 5)
    assert balanced.agreement == skewed.agreement == 0.85
    assert cohen_kappa(balanced) == pytest.approx(0.70, abs=0.005)
    assert cohen_kappa(skewed) == pytest.approx(0.32, abs=0.005)
    # Gwet's formula by hand: q = (90 + 85)/200, chance 2 q (1 - q) = .21875.
    assert gwet_ac1(skewed) == pytest.approx((0.85 - 0.21875) / (1 - 0.21875))


@pytest.mark.parametrize(
    ("base", "agree", "kappa", "gain"),
    [(0.7, 0.8, 0.56, 1.47), (0.7, 0.9, 0.77, 2.49), (0.9, 0.85, 0.46, 1.35), (0.9, 0.95, 0.76, 2.53)],
)
def test_what_agreement_is_worth_at_a_base_rate(base: float, agree: float, kappa: float, gain: float) -> None:
    # A judge that is right with one chance on good and bad cases alike; the figures follow from that by arithmetic.
    n = 100_000
    table = Confusion(
        round(n * base * agree),
        round(n * (1 - base) * (1 - agree)),
        round(n * base * (1 - agree)),
        round(n * (1 - base) * agree),
    )
    assert cohen_kappa(table) == pytest.approx(kappa, abs=0.006)
    assert 1 / (1 - phi(table) ** 2) == pytest.approx(gain, abs=0.006)


def test_phi_is_pearsons_correlation_of_the_verdicts() -> None:
    judge, human = [1, 1, 0, 0, 1, 0, 1], [1, 0, 0, 0, 1, 1, 1]
    assert phi(confusion(judge, human)) == pytest.approx(pearson(judge, human))
    assert phi(confusion(judge, human)) == pytest.approx(float(np.corrcoef(judge, human)[0, 1]))


@pytest.mark.parametrize("table", [Confusion(5, 0, 0, 0), Confusion(3, 2, 0, 0), Confusion(0, 0, 0, 4)])
def test_without_variation_nothing_is_beyond_chance(table: Confusion) -> None:
    assert cohen_kappa(table) == 0
    assert phi(table) == 0


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans()), min_size=1, max_size=12))
def test_auroc_counts_pairs_and_half_of_ties(rows: list[tuple[float, bool]]) -> None:
    good = [score for score, is_good in rows if is_good]
    bad = [score for score, is_good in rows if not is_good]
    pairs = [1.0 if g > b else 0.5 if g == b else 0.0 for g, b in product(good, bad)]
    expected = sum(pairs) / len(pairs) if pairs else 0.5
    assert auroc([s for s, _ in rows], [g for _, g in rows]) == pytest.approx(expected)


def test_krippendorffs_published_examples() -> None:
    # Krippendorff (2011), example C: four observers, twelve units, gaps; nominal .743, interval .849.
    gap = None
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, gap, gap, gap],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, gap, 3],
        [gap, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, gap],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, gap],
    ]
    units = list(zip(*observers, strict=True))
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=0.001)
    assert krippendorff_alpha(units, graded=True) == pytest.approx(0.849, abs=0.001)
    # Example A: two observers, ten units, .095.
    a, b = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert krippendorff_alpha(list(zip(a, b, strict=True))) == pytest.approx(0.095, abs=0.001)
    assert isnan(krippendorff_alpha([[1, None], [None, 0]]))


def test_fishers_tea_tasting() -> None:
    # Fisher (1935): three of four cups right. Two-sided: (1 + 16 + 16 + 1)/70.
    assert fisher_exact(3, 1, 1, 3) == pytest.approx(34 / 70)
    assert fisher_exact(4, 0, 0, 4) == pytest.approx(2 / 70)
    assert fisher_exact(0, 0, 3, 1) == 1


@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8), st.integers(0, 8))
def test_fisher_sums_the_tables_that_are_no_likelier(a: int, b: int, c: int, d: int) -> None:
    weights = {k: comb(a + b, k) * comb(c + d, a + c - k) for k in range(a + c + 1)}
    expected = sum(w for w in weights.values() if w <= weights[a]) / sum(weights.values())
    assert fisher_exact(a, b, c, d) == pytest.approx(expected)


def test_newcombes_example_of_independent_rates() -> None:
    # Newcombe (1998, Stat. Med. 17:873), table II, example (a), method 10: 56/70 against 48/80, .0524 to .3339.
    interval = independent_difference(56, 70, 48, 80)
    assert interval.value == pytest.approx(0.2)
    assert (interval.low, interval.high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))
    assert independent_difference(0, 0, 1, 2).low == -1


def test_intervals_resample_whole_clusters() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.integers(0, 2, 40), 10)
    right = np.repeat(rng.random(40) < 0.8, 10)
    judge = np.where(right, truth, 1 - truth)
    clusters = np.repeat(np.arange(40), 10)
    alone, clustered = agreement(judge, truth), agreement(judge, truth, clusters=clusters)
    assert clustered.kappa.n == 40
    assert clustered.kappa.value == alone.kappa.value
    assert clustered.kappa.half_width > 2 * alone.kappa.half_width
    assert clustered.phi.method == "cluster-bootstrap"


def test_the_interval_of_agreement_is_that_of_a_rate() -> None:
    judge, truth = np.ones(400, dtype=bool), np.arange(400) < 320
    share = agreement(judge, truth).share
    assert share.value == 0.8
    assert share.half_width == pytest.approx(1.96 * sqrt(0.8 * 0.2 / 400), rel=0.1)


@pytest.mark.slow
def test_the_kappa_interval_covers() -> None:
    # 60 clusters of 5 cases that share their luck; the true kappa is that of the whole model: .6 agreement beyond .5.
    rng, held, runs = np.random.default_rng(1), 0, 300
    clusters = np.repeat(np.arange(60), 5)
    for _ in range(runs):
        truth = rng.random(300) < 0.5
        chance = np.repeat(rng.choice([0.65, 0.95], 60), 5)
        judge = np.where(rng.random(300) < chance, truth, ~truth)
        interval = agreement(judge, truth, clusters=clusters, draws=500).kappa
        held += interval.low <= 0.6 <= interval.high
    assert 0.91 <= held / runs <= 0.98


def test_swapping_clusters_finds_a_gap_and_not_where_there_is_none() -> None:
    rng = np.random.default_rng(2)
    clusters, first = np.repeat(np.arange(100), 2), np.tile([True, False], 100)
    same = rng.random(200) < 0.7
    apart = np.where(first, rng.random(200) < 0.9, rng.random(200) < 0.5)
    assert swapped_clusters(apart, first, clusters) < 0.001
    assert swapped_clusters(same, first, clusters) > 0.05


def test_swapping_clusters_keeps_its_error_rate() -> None:
    rng, rejected = np.random.default_rng(3), 0
    clusters, first = np.repeat(np.arange(30), 8), np.tile([True, False], 120)
    for _ in range(200):
        luck = np.repeat(rng.beta(1, 1, 30), 8)
        rejected += swapped_clusters(rng.random(240) < luck, first, clusters, draws=400) <= 0.05
    assert rejected / 200 <= 0.09


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]


def test_nothing_to_agree_on_is_refused() -> None:
    with pytest.raises(ValueError, match="no cases"):
        agreement([], [])
    with pytest.raises(ValueError, match="as many"):
        confusion([1], [1, 0])
