"""The sequential test at its edges: what it refuses, what it says while running, what it plans."""

from math import inf, nan

import numpy as np
import pytest

from assay.stats.planning import horizon_for, questions_expected
from assay.stats.sequential import SequentialBinary
from assay.stats.verdict import Verdict


@pytest.mark.parametrize("d", [nan, 0.5, 2, -2, inf, True, False, np.bool_(True), "1", None, 1 + 1e-12])
def test_a_result_is_won_lost_or_tied_and_nothing_else(d):
    test = SequentialBinary()
    with pytest.raises(ValueError, match=r"-1 .lost., 0 .tied. or 1 .won."):
        test.update(d)
    assert test.n == 0
    test.update(1)
    assert test.n == 1


@pytest.mark.parametrize("d", [1, 1.0, np.int8(1), np.float64(1)])
def test_a_win_may_be_any_kind_of_one(d):
    test = SequentialBinary()
    test.update(d)
    assert (test.wins, test.losses, test.ties) == (1, 0, 0)
    assert type(test.state()["wins"]) is int


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"alpha": 0}, "alpha"),
        ({"alpha": nan}, "alpha"),
        ({"beta": 1}, "beta"),
        ({"horizon": 0}, "horizon"),
        ({"horizon": 10.5}, "horizon"),
        ({"items": 0}, "items"),
        ({"smallest": 0}, "smallest"),
        ({"margin": 1.5}, "margin"),
        ({"a": -1}, "a must"),
        ({"go_on_after": [Verdict.PROMOTE]}, "goes on"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(options, named):
    with pytest.raises(ValueError, match=named):
        SequentialBinary(**options)


def test_ten_wins_in_a_row_promote_and_nothing_undoes_it():
    test = SequentialBinary()
    verdicts = [test.update(1) for _ in range(9)]
    assert verdicts[:8] == [Verdict.UNDECIDED] * 8
    assert verdicts[8] is Verdict.PROMOTE
    assert {test.update(-1) for _ in range(300)} == {Verdict.PROMOTE}
    assert (test.n, test.wins, test.losses) == (9, 9, 0)
    assert test.needed() == 0


def test_at_the_horizon_it_says_undecided_for_ever():
    test = SequentialBinary(horizon=20)
    for number in range(20):
        test.update(1 if number % 2 else -1)
    assert test.over
    assert {test.update(1) for _ in range(50)} == {Verdict.UNDECIDED}
    assert (test.n, test.wins) == (20, 10)
    assert "horizon of 20" in test.evidence().reason


def test_without_a_question_nothing_is_claimed():
    evidence = SequentialBinary(margin=0.03, smallest=0.05).evidence()
    assert (evidence.verdict, evidence.value, evidence.low, evidence.high) == (Verdict.UNDECIDED, 0.0, -1.0, 1.0)
    assert (evidence.n, evidence.p_value) == (0, 1.0)
    assert SequentialBinary().needed() is None


def test_ties_alone_show_equality_within_a_margin_and_nothing_without_one():
    plain = SequentialBinary(items=500)
    margin = SequentialBinary(items=500, margin=0.03)
    for _ in range(500):
        plain.update(0)
        margin.update(0)
    assert (plain.verdict, plain.evidence().value) == (Verdict.UNDECIDED, 0.0)
    assert plain.needed() is None
    assert margin.verdict is Verdict.NOT_WORSE
    assert -0.03 < margin.evidence().low <= 0


def test_with_few_that_differ_the_last_look_decides():
    """Six wins and no loss among 200 questions are under the boundary, and are enough once all questions are asked."""
    ended, open_end = SequentialBinary(items=200), SequentialBinary()
    for d in [1] * 6 + [0] * 194:
        ended.update(d)
        open_end.update(d)
    assert ended.verdict is Verdict.PROMOTE
    assert ended.evidence().p_value == pytest.approx(1 / 64)
    assert ended.evidence().low > 0
    assert open_end.verdict is Verdict.UNDECIDED
    worse = SequentialBinary(items=200)
    for d in [-1] * 6 + [0] * 194:
        worse.update(d)
    assert worse.verdict is Verdict.WORSE
    assert worse.evidence().high == pytest.approx(-ended.evidence().low)


def test_more_questions_are_asked_for_while_it_is_open():
    test = SequentialBinary(smallest=0.05, items=800)
    for d in [1, 0, 0, 0, -1, 0, 0, 0, 0, 1] * 10:
        test.update(d)
    assert test.verdict is Verdict.UNDECIDED
    needed = test.needed()
    assert needed is not None
    assert 1 <= needed <= questions_expected(0.05, 0.3)


@pytest.mark.parametrize("broken", [{}, {"wins": 500}, {"wins": -1}, {"verdict": "MAYBE"}, {"n": None}])
def test_a_state_that_no_test_can_be_in_is_refused(broken):
    state = {**SequentialBinary().state(), **broken} if broken else {}
    with pytest.raises(ValueError, match=r"state|test|MAYBE"):
        SequentialBinary.from_state(state)


def test_a_plan_knows_its_chances():
    plan = SequentialBinary(items=400, horizon=horizon_for(400, 0.16), smallest=0.05).plan(0.08, 0.16)
    assert sum(plan.chances().values()) == pytest.approx(1)
    assert plan.power == plan.chances()[Verdict.PROMOTE] > 0.9
    assert plan.chances(100)[Verdict.PROMOTE] < plan.chances(200)[Verdict.PROMOTE] < plan.power
    assert plan.quantile(0.1) < plan.quantile(0.5) < plan.items * 1.5 < 400
    assert SequentialBinary(horizon=20).plan(0.0, 0.1).quantile(0.999) <= 400


def test_a_plan_for_a_certain_win_ends_at_the_ninth_question():
    plan = SequentialBinary().plan(1.0, 1.0)
    assert (plan.items, plan.power) == (9, 1)
    assert (plan.chances(8)[Verdict.PROMOTE], plan.chances(9)[Verdict.PROMOTE]) == (0, 1)


@pytest.mark.parametrize(("difference", "disagreement"), [(0.2, 0.1), (0.0, 0.0), (0.0, 1.5)])
def test_a_plan_for_a_truth_that_cannot_be_is_refused(difference, disagreement):
    with pytest.raises(ValueError, match="differ"):
        SequentialBinary().plan(difference, disagreement)


def test_a_horizon_is_the_questions_expected_to_differ():
    assert horizon_for(800, 0.162) == 130
    assert horizon_for(10, 0.0) == 1
    with pytest.raises(ValueError, match="no plan"):
        horizon_for(0, 0.1)
