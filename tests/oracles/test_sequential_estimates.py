"""After a stop at real sizes: how far the plain mean misleads, that the estimate does not, and that limits hold.

The enumeration of all streams in `test_trinomial.py` proves the same exactly for small tests.
"""

import numpy as np
import pytest
from binary_streams import end_of, streams
from scipy.special import betaln, xlog1py, xlogy

from assay.stats.horizon import calibrate, first_passages
from assay.stats.sequential import SequentialBinary
from assay.stats.stagewise import last_look_p, promoted_low
from assay.stats.verdict import Verdict


@pytest.mark.parametrize(
    ("difference", "raw_reads", "value_reads"), [(0.03, 0.066, 0.046), (0.05, 0.074, 0.054), (0.10, 0.120, 0.100)]
)
def test_the_plain_mean_is_inflated_at_a_promotion_and_the_estimate_is_not(difference, raw_reads, value_reads):
    """`value_reads`, the mean over promotions alone, stays above a truth that is promoted by luck half of the time."""
    rows = streams(np.random.default_rng(11), 1_500, 800, difference=difference, disagreement=0.16)
    found = [end_of(SequentialBinary(items=800), row).evidence() for row in rows]
    promoted = np.array([evidence.verdict is Verdict.PROMOTE for evidence in found])
    raw, value = (np.array([getattr(evidence, name) for evidence in found]) for name in ("raw", "value"))
    assert raw[promoted].mean() == pytest.approx(raw_reads, abs=0.004)
    assert value[promoted].mean() == pytest.approx(value_reads, abs=0.004)
    assert abs(value.mean() - difference) <= 0.003
    assert raw.mean() - difference > 0.01
    assert np.sqrt(np.mean((value - difference) ** 2)) < np.sqrt(np.mean((raw - difference) ** 2))


HORIZON, ITEMS = 40, 150


@pytest.fixture(scope="module")
def promotions():
    """Every promotion of a test of 150 questions: ln of the paths that lead there, where it is, and its lower limit."""
    boundary = calibrate(HORIZON, 0.05, 5.0)
    hits = first_passages(np.array(boundary.wins))
    rows = []
    for m in np.flatnonzero(hits):
        wins = boundary.wins[m]
        for n in range(m, ITEMS + 1):
            log_ways = -betaln(m, n - m + 1) - np.log(n)  # the last question is one that differs: C(n-1, m-1)
            log_paths = np.log(hits[m]) + m * np.log(2) + log_ways
            rows.append((log_paths, n, wins, m - wins, promoted_low(boundary, n, wins, m - wins)))
    return np.array(rows)


def test_a_promotion_shows_a_limit_above_the_truth_no_more_often_than_alpha(promotions):
    """Exact: the chance of every promotion whose limit lies above the truth, over a grid of truths."""
    log_paths, n, wins, losses, low = promotions.T
    assert low.min() > 0
    worst = 0.0
    for disagreement in (0.05, 0.1, 0.2, 0.4, 0.7, 1.0):
        for difference in np.linspace(0, disagreement, 11):
            win, loss = (disagreement + difference) / 2, (disagreement - difference) / 2
            chance = np.exp(
                log_paths + xlogy(wins, win) + xlogy(losses, loss) + xlog1py(n - wins - losses, -disagreement)
            )
            worst = max(worst, float(chance[low > difference + 1e-12].sum()))
    assert 0.03 < worst <= 0.05  # no more often, and not so rarely that the limit says nothing


def test_a_plain_limit_after_a_promotion_would_be_wrong_three_times_as_often(promotions):
    log_paths, n, wins, losses, _ = promotions.T
    raw = (wins - losses) / n
    naive = raw - 1.645 * np.sqrt(((wins + losses) / n - raw**2) / n)
    chance = np.exp(log_paths + wins * np.log(0.14) + losses * np.log(0.06) + (n - wins - losses) * np.log(0.8))
    assert chance[naive > 0.08].sum() > 0.1


def test_promotions_by_the_last_look_rank_after_all_others():
    boundary = calibrate(130, 0.05, 5.0)
    for differ in (40, 80, 110):
        early = promoted_low(boundary, 800, boundary.wins[differ], differ - boundary.wins[differ])
        wins = boundary.final[differ]
        late = promoted_low(boundary, 800, wins, differ - wins)
        assert wins < boundary.wins[differ]
        assert 0 < late <= early
        assert last_look_p(boundary, wins, differ - wins) <= 0.05 < last_look_p(boundary, wins - 1, differ - wins + 1)
