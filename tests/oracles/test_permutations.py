"""Sign flips, max-T and McNemar against enumeration, SciPy and simulated families of candidates."""

from itertools import product

import numpy as np
import pytest
from scipy import stats as scipy_stats

from assay.stats import max_t, mcnemar, paired_t, sign_flip
from assay.stats.agreement import holm
from stat_worlds import systems

VALUES = [0.31, -0.12, 0.44, 0.05, 0.27, -0.3, 0.61, 0.18]


@pytest.mark.parametrize(("wins", "losses"), [(9, 2), (2, 9), (5, 5), (0, 6), (1, 0), (40, 23)])
def test_mcnemar_is_the_binomial_test_of_the_cases_that_differ(wins, losses):
    for alternative in ("two-sided", "greater", "less"):
        exact = scipy_stats.binomtest(wins, wins + losses, alternative=alternative).pvalue
        assert mcnemar(wins, losses, alternative=alternative) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(("wins", "losses"), [(9, 2), (2, 9), (0, 6), (40, 23)])
def test_mid_p_counts_half_of_what_was_seen(wins, losses):
    seen = scipy_stats.binom.pmf(wins, wins + losses, 0.5)
    assert mcnemar(wins, losses, mid_p=True) == pytest.approx(mcnemar(wins, losses) - seen)
    greater = mcnemar(wins, losses, mid_p=True, alternative="greater")
    assert greater + mcnemar(wins, losses, mid_p=True, alternative="less") == pytest.approx(1)


def test_mcnemar_says_nothing_of_no_difference_and_refuses_nonsense():
    assert mcnemar(0, 0) == mcnemar(0, 0, mid_p=True) == 1
    with pytest.raises(ValueError, match="negative"):
        mcnemar(-1, 3)
    with pytest.raises(ValueError, match="two-sided, greater or less"):
        mcnemar(1, 3, alternative="up")


def test_exact_mcnemar_keeps_its_level_and_mid_p_keeps_it_on_average():
    def size(m, *, mid_p):
        chance = scipy_stats.binom.pmf(np.arange(m + 1), m, 0.5)
        return sum(c for w, c in enumerate(chance) if mcnemar(w, m - w, mid_p=mid_p) <= 0.05)

    exact, mid = (np.array([size(m, mid_p=mid_p) for m in range(10, 60)]) for mid_p in (False, True))
    assert exact.max() <= 0.05
    assert mid.max() > 0.05
    assert exact.mean() + 0.005 < mid.mean() <= 0.05


@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_a_one_sided_sign_flip_is_a_share_of_all_patterns(alternative):
    def p_at(centre):
        totals = [
            sum(s * (v - centre) for s, v in zip(signs, VALUES, strict=True))
            for signs in product((1, -1), repeat=len(VALUES))
        ]
        seen = sum(v - centre for v in VALUES)
        way = 1 if alternative == "greater" else -1
        return np.mean([way * t >= way * seen - 1e-12 for t in totals])

    found = sign_flip(VALUES, alternative=alternative)
    assert found.p == pytest.approx(p_at(0.0))
    for centre in np.linspace(-0.5, 0.9, 71) + 0.00371:
        assert (p_at(centre) <= 0.05) == (not found.interval.low <= centre <= found.interval.high), centre


def test_paired_t_is_scipys():
    rng = np.random.default_rng(1)
    first, second = rng.random(120), rng.random(120)
    theirs = scipy_stats.ttest_rel(second, first).confidence_interval()
    found = paired_t(first, second)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    with pytest.raises(ValueError, match="no pairs"):
        paired_t([1, 0], [1])


def test_max_t_is_the_largest_over_the_same_signs():
    d = np.array([VALUES, [0.2, 0.1, -0.05, 0.3, 0.25, -0.1, 0.15, 0.02]])
    signs = np.array(list(product((1, -1), repeat=8)))
    scale = np.sqrt((d**2).sum(axis=1))
    largest = np.abs(signs @ d.T / scale).max(axis=1)
    by_hand = [(largest >= abs(t) - 1e-12).mean() for t in d.sum(axis=1) / scale]
    centred = d - d.mean(axis=1, keepdims=True)
    residual = np.abs(signs @ centred.T / np.sqrt((centred**2).sum(axis=1))).max(axis=1)
    wider = [(residual >= abs(t) - 1e-12).mean() for t in d.sum(axis=1) / scale]
    assert max_t(d).p == pytest.approx([max(pair) for pair in zip(by_hand, wider, strict=True)])


def test_one_candidate_alone_is_the_sign_flip_test():
    assert max_t([VALUES]).p[0] == pytest.approx(sign_flip(VALUES).p)


def test_clusters_are_flipped_whole():
    d = np.array([VALUES, VALUES[::-1]])
    clusters = np.repeat(np.arange(8), 5)
    whole = max_t(np.repeat(d, 5, axis=1), clusters)
    assert whole.p == pytest.approx(max_t(d).p)
    assert [i.low for i in whole.intervals] == pytest.approx([i.low for i in max_t(d).intervals])


def family(effects, runs, *, n=200, seed=0):
    """Per run: what max-T says and McNemar's p-values, of candidates that share an incumbent."""
    rng = np.random.default_rng(seed)
    for run in range(runs):
        outcomes = systems(rng, n, (0.70, *(0.70 + effect for effect in effects)))
        d = outcomes[1:].astype(float) - outcomes[0]
        yield max_t(d, draws=500, seed=run), [mcnemar(int((row > 0).sum()), int((row < 0).sum())) for row in d]


def test_the_family_wise_error_of_ten_equal_candidates_is_alpha():
    """A7. Untouched p-values in the same harness call something different in more than a fifth of the runs."""
    runs, found, covered, naive = 600, 0, 0, 0
    for result, alone in family([0.0] * 10, runs):
        found += min(result.p) <= 0.05
        covered += all(interval.low <= 0 <= interval.high for interval in result.intervals)
        naive += min(alone) <= 0.05
    assert found / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert found + covered == runs
    assert naive / runs >= 0.15


def test_max_t_finds_more_than_holm_and_bonferroni():
    """A7: K = 10, N = 200, one candidate 11 points better; the design says .88, .82 and .81, errors of 2 points."""
    runs, power, held = 400, np.zeros(3), 0
    effects = [0.11] + [0.0] * 9
    for result, alone in family(effects, runs, seed=1):
        power += [result.p[0] <= 0.05, holm(alone)[0] <= 0.05, 10 * alone[0] <= 0.05]
        held += all(i.low <= effect <= i.high for i, effect in zip(result.intervals, effects, strict=True))
    max_t_power, holm_power, bonferroni = power / runs
    assert 0.82 <= max_t_power <= 0.93
    assert max_t_power >= holm_power + 0.03 >= bonferroni + 0.03
    assert held / runs >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / runs)


def test_simultaneous_intervals_hold_when_strong_effects_look_alike():
    """Twenty candidates all far better, errors independent: signs of the raw differences are then nearly one and the
    same for all, so that a critical value from them alone would be the one for a single candidate."""
    rng, runs, held, alone = np.random.default_rng(2), 300, 0, 0
    for run in range(runs):
        d = 2.0 + rng.normal(0, 0.5, (20, 60))
        found = max_t(d, draws=500, seed=run)
        held += all(i.low <= 2 <= i.high for i in found.intervals)
        single = [max_t(row[None], draws=500, seed=run).intervals[0] for row in d] if run < 60 else []
        alone += bool(single) and all(i.low <= 2 <= i.high for i in single)
    assert held / runs >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / runs)
    assert alone / 60 <= 0.7


def test_max_t_on_what_cannot_be_tested():
    nothing = max_t(np.zeros((2, 30)))
    assert nothing.p == (1.0, 1.0)
    assert nothing.intervals[0].method == "none"
    few = max_t([[1, 1, 1, 1], [0, 1, 0, 1]])
    assert (few.intervals[0].low, few.intervals[0].high) == (-np.inf, np.inf)
    for bad in ([1.0, 2.0], [[np.nan, 1.0]], [[]]):
        with pytest.raises(ValueError, match="differences must"):
            max_t(bad)
