"""The evidence budget in both databases: alpha is spent when taken, once a decision, and handed on by one rule."""

import random

import pytest

from assay.decisions.evidence_budget import EvidenceBudget
from assay.errors import BadInput, NotFound
from assay.ledger.database import Database
from assay.stats.online import Spending
from evidence_processes import start


def alpha(step: int) -> float:
    return 0.05 / (step * (step + 1))


def test_alpha_is_spent_when_it_is_taken_and_once_a_decision(database: Database) -> None:
    budget = EvidenceBudget(database)
    assert budget.standing("s", 1).spending == Spending()
    assert budget.take("s", 1, "a") == pytest.approx(alpha(1))
    assert budget.standing("s", 1).alpha_next == pytest.approx(alpha(2))
    assert budget.take("s", 1, "a") == pytest.approx(alpha(1))
    assert budget.take("s", 1, "b") == pytest.approx(alpha(2))
    assert [line.decision_id for line in budget.standing("s", 1).lines] == ["a", "b"]
    assert budget.standing("s", 1).left == pytest.approx(0.05 / 3)


def test_sets_and_seasons_have_budgets_of_their_own(database: Database) -> None:
    budget = EvidenceBudget(database)
    budget.take("s", 1, "a")
    assert budget.take("s", 2, "b") == budget.take("t", 1, "c") == pytest.approx(alpha(1))
    with pytest.raises(BadInput, match="season 1"):
        budget.take("s", 2, "a")


def test_only_a_rejection_hands_on_and_settling_twice_is_once(database: Database) -> None:
    budget = EvidenceBudget(database)
    first = budget.take("s", 1, "a")
    for _ in range(2):
        budget.settle("a", rejected=True)
        assert budget.standing("s", 1).alpha_next == pytest.approx(first + alpha(2))
    second = budget.take("s", 1, "b")
    assert second == pytest.approx(first + alpha(2))
    budget.settle("b", rejected=False)
    budget.settle("b", rejected=False)
    assert budget.take("s", 1, "c") == pytest.approx(alpha(3))
    standing = budget.standing("s", 1)
    assert [standing.handed_on(name) for name in "abc"] == pytest.approx([first, 0, 0])
    assert [line.carried for line in standing.lines] == pytest.approx([0, first, 0])


def test_a_decision_nobody_settles_hands_on_nothing(database: Database) -> None:
    budget = EvidenceBudget(database)
    assert [budget.take("s", 1, name) for name in "abc"] == pytest.approx([alpha(1), alpha(2), alpha(3)])


def test_a_stopped_decision_may_still_reject_and_a_rejection_is_final(database: Database) -> None:
    budget = EvidenceBudget(database)
    first = budget.take("s", 1, "a")
    budget.settle("a", rejected=False)
    budget.settle("a", rejected=True)
    assert budget.standing("s", 1).alpha_next == pytest.approx(first + alpha(2))
    with pytest.raises(BadInput, match="final"):
        budget.settle("a", rejected=False)
    with pytest.raises(NotFound):
        budget.settle("nobody", rejected=True)


def test_a_rejection_known_too_late_hands_on_nothing(database: Database) -> None:
    """Otherwise the moment of a verdict, made of the same questions, would choose who is tested at a higher level."""
    budget = EvidenceBudget(database)
    for name in "ab":
        budget.take("s", 1, name)
    budget.settle("a", rejected=True)
    assert budget.standing("s", 1).handed_on("a") == 0
    assert budget.take("s", 1, "c") == pytest.approx(alpha(3))


def test_an_opened_case_costs_a_step_and_what_was_handed_on_stays(database: Database) -> None:
    budget = EvidenceBudget(database)
    first = budget.take("s", 1, "a")
    charged = budget.charge("s", 1, "cluster")
    assert charged.lines[-1].alpha == pytest.approx(alpha(2))
    budget.settle("a", rejected=True)
    assert budget.standing("s", 1).handed_on("a") == pytest.approx(first)
    assert budget.take("s", 1, "b") == pytest.approx(first + alpha(3))
    assert [line.cluster for line in budget.standing("s", 1).lines] == [None, "cluster", None]
    assert len(budget.standing("s", 1).decisions) == 2


def test_the_ledger_says_what_the_rule_says(sqlite_database: Database) -> None:
    """Any history of decisions settled in turn and opened cases: the state is that of `stats.online`, step by step."""
    budget, chance = EvidenceBudget(sqlite_database), random.Random(0)
    rule = Spending()
    unrejected = 0.0
    for step in range(200):
        if chance.random() < 0.2:
            budget.charge("s", 1, f"c{step}")
            rule = rule.charge()
        else:
            taken = budget.take("s", 1, f"d{step}")
            assert taken == pytest.approx(rule.next)
            rejected = chance.random() < 0.4
            budget.settle(f"d{step}", rejected=rejected)
            rule = rule.spent(rejected)
            unrejected += 0.0 if rejected else taken
        found = budget.standing("s", 1).spending
        assert (found.step, found.carried) == (rule.step, pytest.approx(rule.carried))
        assert unrejected + found.left <= 0.05 + 1e-12


def test_processes_at_once_never_take_the_same_step(database: Database, database_url: str) -> None:
    taking = [start(database_url, "s", name, 20) for name in "abc"]
    for process in taking:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    assert [process.wait(timeout=60) for process in taking] == [0, 0, 0]
    for process in taking:
        process.communicate()
    lines = EvidenceBudget(database).standing("s", 1).lines
    assert [line.ordinal for line in lines] == list(range(1, 61))
    assert [line.alpha for line in lines] == pytest.approx([alpha(step) for step in range(1, 61)])
