"""Many decisions on one set of questions, driven through the ledger: wrong promotions stay at the rate that is stated.

The one who tries is greedy: what is promoted becomes the incumbent on the same questions, and the next change is tried
against it. A budget that gives every decision the whole alpha fails the same check.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import bdtrc

from assay.decisions.evidence_budget import EvidenceBudget
from assay.ledger.database import Database

WORLDS, CHANGES, QUESTIONS = 100, 30, 200
ALPHA = 0.05

Take = Callable[[int, int], float]
Settle = Callable[[int, int, bool], None]


def wrongly_promoted(take: Take, settle: Settle, *, real: float, gain: float = 1.2) -> tuple[float, float]:
    """The share of worlds in which a change that is none was promoted, and promotions of real changes in each.

    `real` is the share of changes that add `gain` to the log-odds of every question.
    """
    rng = np.random.default_rng(20)
    wrong, right = 0, 0
    for world in range(WORLDS):
        skill = rng.normal(0.5, 1.5, QUESTIONS)
        incumbent = rng.random(QUESTIONS) < 1 / (1 + np.exp(-skill))
        erred = False
        for change in range(CHANGES):
            better = rng.random() < real
            after = skill + gain * better
            candidate = rng.random(QUESTIONS) < 1 / (1 + np.exp(-after))
            wins, losses = int((candidate & ~incumbent).sum()), int((incumbent & ~candidate).sum())
            p = float(bdtrc(wins - 1, wins + losses, 0.5)) if wins else 1.0  # P(as many wins or more | equal)
            promoted = p <= take(world, change)
            settle(world, change, promoted)
            if promoted:
                erred |= not better
                right += better
                skill, incumbent = after, candidate
        wrong += erred
    return wrong / WORLDS, right / WORLDS


@pytest.mark.slow
@pytest.mark.parametrize("real", [0.0, 0.15])
def test_many_changes_on_the_same_questions_err_no_more_often_than_stated(
    sqlite_database: Database, real: float
) -> None:
    budget = EvidenceBudget(sqlite_database)

    def take(world: int, change: int) -> float:
        return budget.take("s", world, f"{world}/{change}")

    def settle(world: int, change: int, promoted: bool) -> None:
        if promoted:
            budget.settle(f"{world}/{change}", rejected=True)

    wrong, right = wrongly_promoted(take, settle, real=real)
    naive, _ = wrongly_promoted(lambda _world, _change: ALPHA, lambda *_: None, real=real)
    assert wrong <= ALPHA + 3 * (ALPHA * (1 - ALPHA) / WORLDS) ** 0.5
    assert naive >= 0.2
    assert right >= 1.0 or not real  # the rule is no refusal


def test_the_moment_of_a_verdict_cannot_choose_who_gets_its_alpha(sqlite_database: Database) -> None:
    """A real gain is promoted surely, before the second decision begins or after, whichever helps to err.

    Both other changes are equal, their p-values independent and uniform. The worst order of events: the promotion is
    known in time just where the second p-value then falls below its level.
    """
    budget = EvidenceBudget(sqlite_database)
    first = budget.take("in time", 1, "a")
    budget.settle("a", rejected=True)
    second = budget.take("in time", 1, "b")
    budget.take("late", 1, "x")
    budget.take("late", 1, "y")
    budget.settle("x", rejected=True)
    third = budget.take("late", 1, "z")
    assert second + (1 - second) * third <= ALPHA
    handed_to_whoever_is_next = third + first
    assert second + (1 - second) * handed_to_whoever_is_next == pytest.approx(0.0615, abs=5e-5)
