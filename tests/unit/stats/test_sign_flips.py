"""Sign-flips against enumeration by hand, and the interval against the test it inverts."""

from itertools import product

import numpy as np
import pytest
from scipy import stats as scipy_stats

from assay.stats import sign_flip_interval, sign_flip_p


def p_by_enumeration(values, centre=0.0):
    totals = [
        sum(s * (v - centre) for s, v in zip(signs, values, strict=True))
        for signs in product((1, -1), repeat=len(values))
    ]
    seen = sum(v - centre for v in values)
    above = np.mean([t >= seen - 1e-12 for t in totals])
    below = np.mean([t <= seen + 1e-12 for t in totals])
    return min(1.0, 2 * min(above, below))


VALUES = [0.31, -0.12, 0.44, 0.05, 0.27, -0.3, 0.61, 0.18]


def test_exact_p_is_the_share_of_sign_patterns():
    assert sign_flip_p(VALUES) == pytest.approx(p_by_enumeration(VALUES))


def test_binary_p_is_mcnemars_exact_test():
    differences = [1] * 9 + [-1] * 2 + [0] * 40
    assert sign_flip_p(differences[:11]) == pytest.approx(scipy_stats.binomtest(9, 11).pvalue)
    assert sign_flip_p(differences) == pytest.approx(scipy_stats.binomtest(9, 11).pvalue, abs=0.02)


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_the_interval_is_what_the_test_does_not_reject(alpha):
    interval = sign_flip_interval(VALUES, alpha=alpha)
    for centre in np.linspace(-0.5, 0.9, 141) + 0.00371:
        rejected = p_by_enumeration(VALUES, centre) <= alpha
        assert rejected == (not interval.low <= centre <= interval.high), centre


def test_drawn_patterns_agree_with_all_patterns():
    rng = np.random.default_rng(1)
    values = rng.normal(0.2, 1, 15)  # one unit past enumeration
    drawn = sign_flip_interval(values)
    exact = sign_flip_interval(values[:14])
    assert drawn.half_width == pytest.approx(exact.half_width, rel=0.35)
    t = scipy_stats.ttest_1samp(values, 0).confidence_interval()
    assert (drawn.low, drawn.high) == pytest.approx((t.low, t.high), abs=0.1)


def test_whole_clusters_are_flipped():
    values, clusters = np.repeat(VALUES, 5), np.repeat(np.arange(8), 5)
    assert sign_flip_p(values, clusters=clusters) == pytest.approx(sign_flip_p(VALUES))
    assert sign_flip_interval(values, clusters=clusters).low == pytest.approx(sign_flip_interval(VALUES).low)


def test_the_same_data_give_the_same_limits():
    values = np.random.default_rng(2).normal(size=40)
    assert sign_flip_interval(values) == sign_flip_interval(values)


def test_five_units_reject_nothing():
    assert sign_flip_p([1, 2, 3, 4, 5]) == pytest.approx(2 / 32)
    interval = sign_flip_interval([1, 2, 3, 4, 5])
    assert (interval.low, interval.high) == (-np.inf, np.inf)
    assert sign_flip_interval([1, 2, 3, 4, 5, 6]).low == 1


def test_no_values():
    assert sign_flip_p([]) == 1
    assert sign_flip_interval([]).method == "none"


def test_a_true_null_is_rejected_no_more_often_than_promised():
    rng = np.random.default_rng(3)
    p = [sign_flip_p(rng.standard_t(3, 12)) for _ in range(1_500)]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 0.015
    assert np.mean(np.array(p) <= 0.05) >= 0.03
