"""The area under the risk-coverage curve: by hand, by all orders of equal confidences, and its interval."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.stats.risk_coverage import risk_coverage, risk_coverage_interval


def by_all_orders(confidence, loss):
    """The mean area over every order of the cases that falls in confidence."""
    areas = []
    for order in permutations(range(len(loss))):
        ranked = [confidence[i] for i in order]
        if ranked == sorted(ranked, reverse=True):
            risks = np.cumsum([loss[i] for i in order]) / np.arange(1, len(loss) + 1)
            areas.append(risks.mean())
    return float(np.mean(areas))


def test_the_curve_of_three_cases():
    found = risk_coverage([0.9, 0.5, 0.7], [0, 1, 0.5])
    assert found.coverage.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert found.risk.tolist() == pytest.approx([0, 0.25, 0.5])
    assert found.area == pytest.approx(0.25)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1)), min_size=1, max_size=5))
def test_equal_confidences_give_the_mean_over_their_orders(cases):
    confidence, loss = zip(*cases, strict=True)
    assert risk_coverage(confidence, loss).area == pytest.approx(by_all_orders(confidence, loss), abs=1e-12)


def test_confidence_that_says_nothing_has_an_area_of_the_mean_loss():
    assert risk_coverage([0.5] * 40, [1.0] * 10 + [0.0] * 30).area == pytest.approx(0.25)


def test_the_interval_covers_the_area_of_the_population_and_clusters_widen_it():
    rng = np.random.default_rng(1)
    confidence = rng.random(100_000)
    loss = (rng.random(100_000) > confidence).astype(float)
    truth, held, runs = risk_coverage(confidence, loss).area, 0, 150
    for run in range(runs):
        some = slice(run * 200, run * 200 + 200)
        interval = risk_coverage_interval(confidence[some], loss[some], draws=300)
        held += interval.low <= truth <= interval.high
    assert held / runs >= 0.89
    whole = np.repeat(rng.random(50), 10)
    alone = risk_coverage_interval(whole, np.round(whole), draws=300)
    together = risk_coverage_interval(whole, np.round(whole), clusters=np.arange(500) // 10, draws=300)
    assert together.half_width > 2 * alone.half_width


def test_no_cases_make_no_curve():
    with pytest.raises(ValueError, match="no curve"):
        risk_coverage([], [])
    with pytest.raises(ValueError, match="no curve"):
        risk_coverage([0.5], [])
