"""Certified thresholds over calibration draws: how often the shipped one breaks its promise (A10)."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from assay.stats import cases_to_certify, certify

GRID = np.linspace(0.98, 0.60, 20)
DELTA = 0.05


def world(epsilon):
    """Per bin of the score (between neighbouring thresholds): how likely an accepted case lands there and is wrong.

    The true error of "accept from t on" rises along the grid and passes epsilon in its middle, slowly: the hardest
    place for any rule.
    """
    share = np.full(len(GRID), 1 / len(GRID))
    cumulative = epsilon * np.linspace(0.55, 1.5, len(GRID))
    wrong = np.diff(np.r_[0.0, cumulative * np.cumsum(share)]) / share
    return share, wrong, cumulative


def draws(epsilon, cases, runs, *, seed=0):
    """Counts accepted and wrong per threshold in every run, shape (runs, thresholds)."""
    rng = np.random.default_rng(seed)
    share, wrong, _ = world(epsilon)
    accepted = rng.multinomial(cases, share, size=runs)
    return accepted.cumsum(axis=1), rng.binomial(accepted, wrong).cumsum(axis=1)


def shipped(accepted, errors, epsilon):
    result = certify(GRID, accepted, errors, epsilon, DELTA)
    return None if result.threshold is None else int(np.flatnonzero(result.threshold == GRID)[0])


def promises(epsilon, cases, runs):
    """How often the shipped threshold's true error is above epsilon, the same for the loosest whose measured error is
    not, and how often anything is shipped."""
    broken, empirical, on, truth = 0, 0, 0, world(epsilon)[2]
    for accepted, errors in zip(*draws(epsilon, cases, runs), strict=True):
        place = shipped(accepted, errors, epsilon)
        on += place is not None
        broken += place is not None and truth[place] > epsilon
        low_enough = np.flatnonzero(errors <= epsilon * accepted)
        empirical += len(low_enough) > 0 and truth[low_enough[-1]] > epsilon
    return broken / runs, empirical / runs, on / runs


@pytest.mark.parametrize(("epsilon", "cases"), [(0.01, 3_000), (0.02, 2_000), (0.05, 2_000)])
def test_the_promise_is_kept_and_the_empirical_rule_breaks_it(epsilon, cases):
    broken, empirical, on = promises(epsilon, cases, 1_000)
    assert broken <= DELTA + 3 * np.sqrt(DELTA * (1 - DELTA) / 1_000)
    assert empirical > 0.3
    assert on > 0.03


def test_a_start_chosen_by_errors_breaks_the_promise():
    """A14: every threshold's true error is just above epsilon. Starting at whichever passes ships something far too
    often; starting at the first with enough cases does not."""
    epsilon, runs = 0.05, 1_000
    rng = np.random.default_rng(1)
    grid = np.linspace(0.9, 0.1, 40)
    accepted = rng.poisson(100, (runs, 40)).cumsum(axis=1)
    errors = rng.binomial(np.diff(accepted, axis=1, prepend=0), epsilon * 1.02).cumsum(axis=1)
    honest = np.mean([certify(grid, a, e, epsilon, DELTA).on for a, e in zip(accepted, errors, strict=True)])
    p = scipy_stats.binom.cdf(errors, accepted, epsilon)
    chosen = (p <= DELTA).any(axis=1).mean()
    assert honest <= DELTA + 3 * np.sqrt(DELTA * (1 - DELTA) / runs)
    assert chosen > 0.12


@pytest.mark.parametrize(("epsilon", "delta"), [(0.01, 0.05), (0.05, 0.05), (0.05, 0.2)])
def test_a_threshold_passes_exactly_up_to_delta(epsilon, delta):
    n = 2_000
    most = int(scipy_stats.binom.ppf(delta, n, epsilon)) - 1
    assert scipy_stats.binom.cdf(most, n, epsilon) <= delta < scipy_stats.binom.cdf(most + 1, n, epsilon)
    assert certify([1.0], [n], [most], epsilon, delta).on
    assert not certify([1.0], [n], [most + 1], epsilon, delta).on


def test_p_and_the_upper_limit_are_the_binomials():
    result = certify([3, 2, 1], [120, 150, 400], [0, 1, 9], 0.05)
    for step in result.steps:
        assert step.p == pytest.approx(scipy_stats.binom.cdf(step.errors, step.accepted, 0.05))
        exact = scipy_stats.binomtest(step.errors, step.accepted).proportion_ci(0.9, method="exact")
        assert step.upper == pytest.approx(exact.high)


def test_the_sequence_stops_at_the_first_failure_and_never_comes_back():
    result = certify([0.9, 0.8, 0.7, 0.6, 0.5], [50, 80, 150, 160, 2_000], [0, 0, 1, 9, 9], 0.05)
    assert [step.passed for step in result.steps] == [None, True, True, False, None]
    assert result.threshold == 0.7
    assert result.steps[-1].p < 0.05
    assert "1 wrong of 150 verified" in result.reason


def test_what_cannot_pass_is_off_and_says_what_is_needed():
    few = certify([0.9, 0.8], [10, 58], [0, 0], 0.05)
    assert (few.on, few.threshold, few.needed) == (False, None, 59)
    assert "58 accepted cases were verified, at least 59" in few.reason
    bad = certify([0.9, 0.8], [100, 300], [9, 9], 0.05)
    assert not bad.on
    assert "9 of the 100 strictest" in bad.reason
    assert not certify([], [], [], 0.05).on


def test_the_number_of_cases_needed():
    """The design's table for one per cent: 299, 473, 628, 773 and 1,049 with 0, 1, 2, 3 and 5 errors."""
    assert [cases_to_certify(0.01, 0.05, errors) for errors in (0, 1, 2, 3, 5)] == [299, 473, 628, 773, 1_049]
    for epsilon in (0.01, 0.02, 0.05):
        n = cases_to_certify(epsilon)
        assert certify([1.0], [n], [0], epsilon).on
        assert not certify([1.0], [n - 1], [0], epsilon).on


def test_counts_that_cannot_be_are_refused():
    for arguments in (
        ([0.9, 0.8], [10], [0]),
        ([0.9, 0.8], [10, 5], [0, 0]),
        ([0.9, 0.8], [10, 20], [1, 0]),
        ([0.9, 0.8], [10, 20], [0, 21]),
        ([0.9, 0.9], [10, 20], [0, 1]),
        ([np.nan, 0.9], [10, 20], [0, 1]),
        ([0.9], [10.5], [0]),
    ):
        with pytest.raises(ValueError, match=r"threshold|counts must grow"):
            certify(*arguments, 0.05)
    with pytest.raises(ValueError, match="between 0 and 1"):
        certify([0.9], [10], [0], 0.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        cases_to_certify(0.05, 1.0)
