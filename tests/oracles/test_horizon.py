"""The exact-horizon boundary: a martingale, its exact size, and the error rates under a look after every question.

Every check here stands beside a broken build that fails it.
"""

from itertools import product
from math import comb, log

import numpy as np
import pytest
from scipy.special import gammaln

from assay.stats.horizon import Boundary, calibrate, log_e, log_e_now, p_value
from binary_streams import NULL_DISAGREEMENT, Rule, exact_horizon, naive_t, promoted, wins_and_losses

MOST_WRONG = 0.0545  # alpha = .05 with three standard errors of 20,000 runs


def mean_at_a_half(m, statistic):
    """E of the statistic over all ways `m` questions can go when each is won with probability 1/2."""
    wins = np.arange(m + 1)
    log_chance = gammaln(m + 1) - gammaln(wins + 1) - gammaln(m - wins + 1) - m * log(2)
    return float(np.exp(log_chance + statistic(wins, m - wins)).sum())


@pytest.mark.parametrize("a", [2.0, 5.0])
def test_the_evidence_has_mean_one_after_any_number_of_questions(a):
    errors = [abs(mean_at_a_half(m, lambda w, b: log_e(w, b, a=a)) - 1) for m in range(501)]
    assert max(errors) < 1e-9


def test_evidence_with_a_bet_fitted_to_the_answers_is_no_martingale():
    fitted = mean_at_a_half(100, log_e_of_the_best_bet)
    assert fitted > 3


def log_e_of_the_best_bet(wins, losses):
    """A broken build: the win share is chosen with the present answers seen, instead of averaged over."""
    m = np.maximum(wins + losses, 1)
    share = np.clip(wins / m, 0.5, 1 - 1e-12)
    return wins * np.log(2 * share) + losses * np.log(2 * (1 - share))


@pytest.mark.parametrize(("horizon", "threshold"), [(30, 6.2), (60, 8.3), (130, 10.4), (250, 12.0)])
def test_thresholds_of_the_design(horizon, threshold):
    boundary = calibrate(horizon, 0.05, 5.0)
    assert boundary.threshold == pytest.approx(threshold, abs=0.1)
    assert 0.049 <= boundary.size <= 0.05


def test_boundary_of_the_design():
    wins = calibrate(130, 0.05, 5.0).wins
    assert [(wins[m], m - wins[m]) for m in (10, 20, 40, 60, 100)] == [(10, 0), (16, 4), (28, 12), (40, 20), (63, 37)]


@pytest.mark.parametrize(("horizon", "alpha"), [(1, 0.6), (6, 0.3), (11, 0.1), (11, 0.02)])
def test_size_last_look_and_p_value_equal_the_enumeration_of_all_paths(horizon, alpha):
    boundary = calibrate(horizon, alpha, 5.0)
    paths = [np.cumsum(path) for path in product((0, 1), repeat=horizon)]
    crossed = [first_crossing(boundary, path) for path in paths]
    assert boundary.size == pytest.approx(np.mean([at <= horizon for at in crossed]), abs=1e-12)
    for m in range(1, horizon + 1):
        wrong = [at <= m or path[m - 1] >= boundary.final[m] for path, at in zip(paths, crossed, strict=True)]
        assert np.mean(wrong) <= alpha + 1e-12
        one_less = [at <= m or path[m - 1] >= boundary.final[m] - 1 for path, at in zip(paths, crossed, strict=True)]
        assert np.mean(one_less) > alpha
    peaks = [max(float(log_e(w, m - w)) for m, w in enumerate(path, start=1)) for path in paths]
    for peak in sorted(set(peaks))[-5:]:
        if peak > 0:
            assert p_value(peak, horizon, 5.0) == pytest.approx(np.mean(np.array(peaks) >= peak - 1e-9), abs=1e-12)


def first_crossing(boundary: Boundary, path):
    return next((m for m, w in enumerate(path, start=1) if w >= boundary.wins[m]), len(path) + 1)


@pytest.mark.parametrize(("horizon", "alpha"), [(30, 0.05), (130, 0.05), (130, 0.0017), (600, 0.025)])
def test_the_p_value_reaches_alpha_exactly_where_the_test_promotes(horizon, alpha):
    boundary = calibrate(horizon, alpha, 5.0)
    for m in range(1, horizon + 1, max(1, horizon // 40)):
        if boundary.wins[m] <= m:
            assert p_value(float(log_e(boundary.wins[m], m - boundary.wins[m])), horizon, 5.0) <= alpha
            below = boundary.wins[m] - 1
            assert p_value(float(log_e(below, m - below)), horizon, 5.0) > alpha


def test_a_look_after_every_question_keeps_the_error_rate_that_a_naive_t_test_does_not():
    """A2: 20,000 streams without a difference."""
    null = {"difference": 0.0, "disagreement": NULL_DISAGREEMENT}
    assert promoted(exact_horizon(130), runs=20_000, n=800, **null) <= MOST_WRONG
    assert promoted(naive_t(), runs=20_000, n=500, **null) >= 0.28


def test_twice_the_expected_disagreement_changes_nothing():
    assert promoted(exact_horizon(130), runs=10_000, n=800, difference=0.0, disagreement=0.32) <= 0.0565


def ties_as_wins(x):
    """A broken build: ties, instead of dropped, count as wins."""
    return exact_horizon(130)(np.where(x == 0, 1, x).astype(np.int8))


def bet(x, *, seen):
    """A bet on the mean so far, which is honest as long as it does not know the present answer."""
    wins, losses = wins_and_losses(x)
    edge = np.clip((wins - losses) / np.maximum(wins + losses, 1), 0, 0.9)
    stake = edge if seen else np.concatenate([np.zeros((len(x), 1)), edge[:, :-1]], axis=1)
    return (np.cumsum(np.log1p(stake * x), axis=1) >= log(20)).any(axis=1)


def bet_before_seeing(x):
    return bet(x, seen=False)


def bet_after_seeing(x):
    """A broken build: the stake of each question is picked with its answer seen."""
    return bet(x, seen=True)


def threshold_for_one_look(x):
    """A broken build: an exact binomial test at 5% after every question."""
    enough = np.array([first_significant(m) for m in range(x.shape[1] + 1)])
    wins, losses = wins_and_losses(x)
    return (wins >= enough[wins + losses]).any(axis=1)


def first_significant(m):
    tail = np.cumsum([comb(m, w) / 2**m for w in range(m, -1, -1)])
    return m + 1 - int(np.searchsorted(tail, 0.05, side="right"))


@pytest.mark.parametrize("broken", [ties_as_wins, bet_after_seeing, threshold_for_one_look])
def test_broken_builds_exceed_the_error_rate(broken: Rule):
    """A14: the check of A2 can fail."""
    wrong = promoted(broken, runs=4_000, n=400, difference=0.0, disagreement=NULL_DISAGREEMENT)
    assert wrong > MOST_WRONG + 0.02


def test_the_same_bet_placed_before_the_answer_keeps_the_error_rate():
    wrong = promoted(bet_before_seeing, runs=4_000, n=400, difference=0.0, disagreement=NULL_DISAGREEMENT)
    assert wrong <= MOST_WRONG


def test_the_evidence_of_one_pair_of_counts_is_that_of_arrays():
    rng = np.random.default_rng(2)
    for wins, losses in rng.integers(0, 600, (200, 2)).tolist():
        for a in (0.5, 2.0, 5.0):
            one, many = log_e_now(wins, losses, a), float(log_e(wins, losses, a=a))
            assert one == many or abs(one - many) < 1e-9
