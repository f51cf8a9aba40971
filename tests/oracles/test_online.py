"""Thirty changes tried on the same questions: how often any is promoted wrongly, with and without spending (A13)."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit

from assay.stats import Spending
from assay.stats.online import gamma
from stat_worlds import ability, better_p, systems

RUNS, QUESTIONS, CHANGES = 1_000, 400, 30
NULL = (0.0,) * CHANGES
MIXED = (0.0, 0.05, 0.0, 0.08, 0.08, 0.0) * 5


def p_values(effects, *, seed):
    """One-sided p-values of every change against one incumbent, on one set of questions; shape (RUNS, changes)."""
    rng = np.random.default_rng(seed)
    found = np.empty((RUNS, len(effects)))
    for run in range(RUNS):
        outcomes = systems(rng, QUESTIONS, (0.70, *(0.70 + effect for effect in effects)))
        found[run] = better_p(outcomes[0], outcomes[1:])
    return found


def decided(p_values, *, hand_on=True):
    """Which changes of one run are promoted under the spending rule; without `hand_on` each has its own share only."""
    budget, promoted = Spending(), []
    for p in p_values:
        promoted.append(bool(p <= budget.next))
        budget = budget.spent(promoted[-1] and hand_on)
    return promoted


@pytest.fixture(scope="module")
def null():
    return p_values(NULL, seed=0)


@pytest.fixture(scope="module")
def mixed():
    return p_values(MIXED, seed=1)


def test_thirty_equal_changes_are_kept_out_with_spending_and_not_without(null):
    wrong = np.mean([any(decided(row)) for row in null])
    assert wrong <= 0.05
    assert (null <= 0.05).any(axis=1).mean() >= 0.2


def test_real_improvements_between_do_not_let_equal_changes_in(mixed):
    equal = np.array(MIXED) == 0
    promoted = np.array([decided(row) for row in mixed])
    assert promoted[:, equal].any(axis=1).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / RUNS)
    assert (mixed[:, equal] <= 0.05).any(axis=1).mean() >= 0.2
    without = np.array([decided(row, hand_on=False) for row in mixed])
    assert (promoted >= without).all()
    assert promoted[:, ~equal].sum() > without[:, ~equal].sum()


def test_the_rule_holds_at_its_limit():
    """Equal changes whose tests fail together as rarely as can be: disjoint stretches of one uniform number. A change
    that is better comes before each and is always promoted, so each stretch is tested at all that its run saved."""
    rng = np.random.default_rng(3)
    levels, budget = [], Spending()
    for t in range(CHANGES):
        equal = t % 2 == 1
        if equal:
            levels.append(budget.next)
        budget = budget.spent(not equal)
    edges = np.r_[0.0, np.cumsum(levels)]
    u = rng.random(20_000)
    wrong = np.mean([any(low <= value < high for low, high in pairwise(edges)) for value in u])
    assert edges[-1] == pytest.approx(0.05 * CHANGES / (CHANGES + 1))
    assert wrong == pytest.approx(0.05 * CHANGES / (CHANGES + 1), abs=3 * np.sqrt(0.05 * 0.95 / 20_000))


def test_a_chain_of_incumbents_keeps_the_error_too():
    """Each promotion changes the incumbent; a change is equal or 6 points better than whoever serves then."""
    rng, runs, wrong = np.random.default_rng(4), 400, 0
    for _ in range(runs):
        difficulty = rng.normal(0, 4.0, QUESTIONS)
        rate, serving, budget = 0.60, answers(rng, 0.60, difficulty), Spending()
        for t in range(CHANGES):
            effect = 0.06 if t % 4 == 1 and rate < 0.85 else 0.0
            candidate = answers(rng, rate + effect, difficulty)
            promoted = better_p(serving, candidate) <= budget.next
            budget = budget.spent(bool(promoted))
            if promoted:
                if not effect:
                    wrong += 1
                    break
                rate, serving = rate + effect, candidate
    assert wrong / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def answers(rng, rate, difficulty):
    return rng.random(len(difficulty)) < expit(ability(round(rate, 4), 4.0) + difficulty)


def test_the_levels_are_those_of_online_fallback():
    """alpha_t = alpha·gamma_t + R_{t-1}·alpha_{t-1}, written out."""
    rejections, alpha, before, rejected = [False, True, True, False, True, False], 0.05, 0.0, False
    budget = Spending(alpha)
    for t, decision in enumerate(rejections, 1):
        level = alpha / (t * (t + 1)) + (before if rejected else 0.0)
        assert budget.next == pytest.approx(level)
        before, rejected = level, decision
        budget = budget.spent(decision)
    assert sum(gamma(t) for t in range(1, 1_000)) == pytest.approx(1 - 1 / 1_000)


def test_left_is_what_all_later_decisions_share():
    budget = Spending()
    assert budget.left == 0.05
    for _ in range(9):
        budget = budget.spent(False)
    assert budget.left == pytest.approx(0.005)
    assert budget.left == pytest.approx(sum(0.05 * gamma(t) for t in range(10, 100_000)), rel=1e-3)
    assert Spending().spent(True).left == 0.05


def test_opening_a_question_costs_a_step_but_not_what_a_promotion_handed_on():
    after = Spending().spent(True)
    assert after.charge().next == pytest.approx(0.05 * gamma(3) + 0.025)
    assert after.charge().left < after.left
    assert Spending().charge() == Spending().spent(False)


def test_a_budget_that_cannot_be_is_refused():
    for settings in ({"alpha": 0.0}, {"alpha": 1.0}, {"step": 0}, {"carried": -0.01}, {"carried": 0.06}):
        with pytest.raises(ValueError, match=r"alpha must|no budget"):
            Spending(**settings)
    with pytest.raises(ValueError, match="counted from 1"):
        gamma(0)
