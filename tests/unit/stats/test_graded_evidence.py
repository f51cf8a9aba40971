"""Bets on graded differences: what they refuse, what they say at the ends of the scale, what a forecast adds up to."""

from math import inf, isnan, nan

import numpy as np
import pytest

from assay.stats.betting import BettingTest
from assay.stats.finite import FiniteSetTest
from assay.stats.stopped import stage_wise_mean
from assay.stats.verdict import Verdict


@pytest.mark.parametrize("difference", [nan, inf, -inf, 1.0000001, -2])
def test_a_difference_off_the_scale_is_refused_and_not_counted(difference: float) -> None:
    test = BettingTest()
    with pytest.raises(ValueError, match="state `low` and `high` before the first result"):
        test.update(difference)
    assert test.n == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": 0}, "level"),
        ({"beta": 1}, "level"),
        ({"smallest": 0}, "smallest"),
        ({"smallest": 1}, "smallest"),
        ({"margin": -0.03}, "positive number"),
        ({"margin": 1}, "margin"),
        ({"margin": nan}, "margin"),
        ({"low": 0.0}, "range around 0"),
        ({"high": inf}, "range around 0"),
        ({"go_on_after": [Verdict.PROMOTE]}, "goes on at most"),
    ],
)
def test_settings_that_make_no_sense(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BettingTest(**options)


def test_before_the_first_difference_nothing_is_known() -> None:
    evidence = BettingTest().evidence()
    assert (evidence.verdict, evidence.low, evidence.high, evidence.n) == (Verdict.UNDECIDED, -1.0, 1.0, 0)
    assert evidence.p_value == 1
    assert BettingTest().needed() is None


def test_constant_scores_are_no_evidence() -> None:
    test = BettingTest()
    for _ in range(500):
        test.update(0.0)
    evidence = test.evidence()
    assert test.verdict is Verdict.UNDECIDED
    assert evidence.value == evidence.raw == 0
    assert evidence.low < 0 < evidence.high
    assert test.needed() is None


def test_the_first_verdict_stays() -> None:
    test = BettingTest()
    while test.update(0.5) is Verdict.UNDECIDED:
        pass
    n = test.n
    assert test.over
    for _ in range(200):
        assert test.update(-1.0) is Verdict.PROMOTE
    assert test.n == n


def test_not_worse_may_become_promote_where_told_to_go_on() -> None:
    rng = np.random.default_rng(1)
    stops, goes = BettingTest(margin=0.1), BettingTest(margin=0.1, go_on_after=[Verdict.NOT_WORSE])
    seen = []
    for difference in rng.normal(0.08, 0.25, 600).clip(-1, 1):
        stops.update(difference)
        seen.append(goes.update(difference))
    assert stops.verdict is Verdict.NOT_WORSE
    assert stops.over
    assert list(dict.fromkeys(seen)) == [Verdict.UNDECIDED, Verdict.NOT_WORSE, Verdict.PROMOTE]
    assert goes.shown == {Verdict.NOT_WORSE, Verdict.PROMOTE}


def test_the_scale_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    unit, grades = BettingTest(margin=0.1), BettingTest(margin=0.5, low=-5, high=5)
    for difference in rng.normal(0.02, 0.2, 400).clip(-1, 1):
        assert unit.update(difference) is grades.update(5 * difference)
    assert np.allclose(np.array(unit.limits()) * 5, grades.limits())


def test_the_estimate_is_pulled_from_the_raw_mean_of_a_winner() -> None:
    test = BettingTest()
    rng = np.random.default_rng(3)
    while not test.over:
        test.update(float(rng.choice([-1.0, 0.0, 1.0], p=[0.1, 0.7, 0.2])))
    evidence = test.evidence()
    assert evidence.verdict is Verdict.PROMOTE
    assert evidence.low < evidence.value < evidence.raw


def test_an_estimate_where_all_went_one_way_allows_for_the_other() -> None:
    test = BettingTest()
    while not test.over:
        test.update(1.0)
    assert 0 < test.evidence().value <= 1
    assert stage_wise_mean(np.array([0.25]), test.rule(), 0) == pytest.approx(0.25, abs=0.26)


def test_a_forecast_adds_up() -> None:
    plan = BettingTest(smallest=0.05).plan(0.05, 0.25, items=300, streams=500)
    assert sum(plan.chances().values()) == pytest.approx(1)
    assert plan.power == plan.chances()[Verdict.PROMOTE] > 0.7
    assert plan.quantile(0.1) < plan.items < plan.quantile(0.9)
    assert plan.chances(by=50)[Verdict.PROMOTE] < plan.power
    assert isnan(plan.disagreement)
    within = BettingTest(margin=0.05).plan(0.0, 0.2, items=800, streams=500)
    assert within.chances()[Verdict.NOT_WORSE] > 0.5
    with pytest.raises(ValueError, match="standard deviation"):
        BettingTest().plan(0.5, 0.9, items=100)
    with pytest.raises(ValueError, match="at least one question"):
        BettingTest().plan(0.0, 0.2, items=0)


def test_more_of_the_same_decides_when_it_says() -> None:
    rng = np.random.default_rng(4)
    seen = rng.normal(0.05, 0.2, 100).clip(-1, 1)
    test = BettingTest(alpha=0.001)
    for difference in seen:
        test.update(difference)
    more = test.needed()
    assert more is not None
    needed = 0
    while not test.over:
        test.update(seen[needed % 100])
        needed += 1
    assert needed == pytest.approx(more, rel=0.35)
    assert test.needed() == 0


def test_a_state_of_another_test_is_refused() -> None:
    with pytest.raises(ValueError, match="not of a 'betting' one"):
        BettingTest.from_state(FiniteSetTest(3).state())


def test_a_finite_set_ends() -> None:
    test = FiniteSetTest(3)
    for difference in (0.5, -0.5, 0.0):
        verdict = test.update(difference)
    assert verdict is Verdict.NOT_BETTER
    assert test.limits() == (0.0, 0.0)
    with pytest.raises(ValueError, match="all 3 questions"):
        test.update(0.0)
    within = FiniteSetTest(2, margin=0.1)
    within.update(0.0)
    assert within.update(0.0) is Verdict.NOT_WORSE
    with pytest.raises(ValueError, match="at least one question"):
        FiniteSetTest(0)


def test_a_lead_that_cannot_be_undone_is_certain() -> None:
    test = FiniteSetTest(9, alpha=1e-300)
    for _ in range(4):
        assert test.update(1.0) is Verdict.UNDECIDED  # four ahead, five to come
    assert test.update(1.0) is Verdict.UNDECIDED or test.n == 5
    test.update(0.0)
    assert test.verdict is Verdict.PROMOTE
    assert test.evidence().p_value == 0
