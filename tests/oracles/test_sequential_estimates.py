"""After a stop at real sizes: how far the plain mean misleads, that the estimate does not, and that limits hold.

The enumeration of all streams in `test_trinomial.py` proves the same exactly for small tests.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import betaln, xlog1py, xlogy

from assay.stats.horizon import calibrate, first_passages
from assay.stats.sequential import SequentialBinary
from assay.stats.stagewise import last_look_p, promoted_low, unbiased
from binary_streams import end_of, streams


@dataclass(frozen=True)
class Promotions:
    """Every promotion of a test of `items` questions: where it is, and ln of the number of streams that end there."""

    n: np.ndarray
    wins: np.ndarray
    losses: np.ndarray
    log_streams: np.ndarray

    def chance(self, difference, disagreement):
        """The chance of each."""
        win, loss = (disagreement + difference) / 2, (disagreement - difference) / 2
        ties = self.n - self.wins - self.losses
        return np.exp(
            self.log_streams + xlogy(self.wins, win) + xlogy(self.losses, loss) + xlog1py(ties, -disagreement)
        )


def promotions_of(boundary, items):
    hits = first_passages(np.array(boundary.wins))
    m = np.repeat(np.flatnonzero(hits), items)
    n = np.tile(np.arange(1, items + 1), len(np.flatnonzero(hits)))
    m, n = m[n >= m], n[n >= m]
    wins = np.array(boundary.wins)[m]
    log_ways = -betaln(m, n - m + 1) - np.log(n)  # the last question is one that differs: C(n - 1, m - 1)
    return Promotions(n, wins, m - wins, np.log(hits[m]) + m * np.log(2) + log_ways)


@pytest.mark.parametrize(
    ("difference", "raw_reads", "value_reads"), [(0.03, 0.066, 0.046), (0.05, 0.074, 0.054), (0.10, 0.120, 0.100)]
)
def test_the_plain_mean_is_inflated_at_a_promotion_and_the_estimate_is_hardly(difference, raw_reads, value_reads):
    """Exact means over promotions alone. Only half of the tests at a true 3 points promote, and by luck: their mean
    cannot be right. Over all stops the estimate is unbiased."""
    boundary = calibrate(130, 0.05, 5.0)
    stops = promotions_of(boundary, 800)
    chance = stops.chance(difference, 0.16)
    raw = (stops.wins - stops.losses) / stops.n
    where = zip(stops.n.tolist(), stops.wins.tolist(), stops.losses.tolist(), strict=True)
    value = np.array([unbiased(boundary, *counts, ended=False) for counts in where])
    assert chance @ raw / chance.sum() == pytest.approx(raw_reads, abs=0.003)
    assert chance @ value / chance.sum() == pytest.approx(value_reads, abs=0.003)


def test_over_all_stops_the_estimate_is_unbiased_and_no_worse_otherwise():
    rows = streams(np.random.default_rng(11), 500, 800, difference=0.05, disagreement=0.16)
    found = [end_of(SequentialBinary(items=800), row).evidence() for row in rows]
    raw, value = (np.array([getattr(evidence, name) for evidence in found]) for name in ("raw", "value"))
    assert abs(value.mean() - 0.05) <= 0.005
    assert raw.mean() - 0.05 > 0.01
    assert np.mean((value - 0.05) ** 2) < np.mean((raw - 0.05) ** 2)


def worst(stops, limits):
    """The largest chance over a grid of truths that a promotion shows a limit above the truth."""
    found = []
    for disagreement in (0.05, 0.1, 0.2, 0.4, 0.7, 1.0):
        for difference in np.linspace(0, disagreement, 11):
            found.append(stops.chance(difference, disagreement)[limits > difference + 1e-9].sum())
    return max(found)


def test_a_promotion_shows_a_limit_above_the_truth_no_more_often_than_alpha():
    """Exact, and the plain limit in the same harness fails."""
    boundary = calibrate(40, 0.05, 5.0)
    stops = promotions_of(boundary, 150)
    where = zip(stops.n.tolist(), stops.wins.tolist(), stops.losses.tolist(), strict=True)
    low = np.array([promoted_low(boundary, *counts) for counts in where])
    raw = (stops.wins - stops.losses) / stops.n
    plain = raw - 1.645 * np.sqrt(((stops.wins + stops.losses) / stops.n - raw**2) / stops.n)
    assert low.min() > 0
    assert 0.03 < worst(stops, low) <= 0.05  # and not so rarely that the limit says nothing
    assert worst(stops, plain) > 0.07


def test_promotions_by_the_last_look_rank_after_all_others():
    boundary = calibrate(130, 0.05, 5.0)
    for differ in (40, 80, 110):
        early = promoted_low(boundary, 800, boundary.wins[differ], differ - boundary.wins[differ])
        wins = boundary.final[differ]
        late = promoted_low(boundary, 800, wins, differ - wins)
        assert wins < boundary.wins[differ]
        assert 0 < late <= early
        assert last_look_p(boundary, wins, differ - wins) <= 0.05 < last_look_p(boundary, wins - 1, differ - wins + 1)
