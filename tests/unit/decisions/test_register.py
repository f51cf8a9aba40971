"""A question is written down once, comes back as it was, and is found again whatever alpha it was asked at."""

from dataclasses import replace

import pytest

from assay.decisions.hypothesis import Hypothesis, Margins, Named
from assay.decisions.register import Register
from assay.errors import BadInput, NotFound
from assay.ledger.database import Database

ASKED = Hypothesis(
    set_name="support",
    season=1,
    set_digest="d",
    order_digest="o",
    items=40,
    clusters=None,
    metric="exact_match",
    incumbent=Named("old", "1"),
    candidate=Named("new", "2"),
    scorers=("s",),
    objective="better",
    rule="exact-horizon",
    alpha=0.025,
    beta=0.05,
    margins=Margins(),
    horizon=20,
)


def test_what_is_opened_comes_back_with_its_hypothesis(database: Database) -> None:
    register = Register(database)
    opened = register.open(ASKED, details={"command": ["try"]})
    assert (opened.status, opened.verdict, opened.outcome) == ("running", None, None)
    assert register.get(opened.id[:8]).hypothesis == ASKED
    register.update(opened.id, status="done", verdict="WORSE", outcome={"verdict": "WORSE"}, incumbent_run="r1")
    found = register.get(opened.id)
    assert (found.status, found.verdict, found.outcome, found.incumbent_run) == (
        "done",
        "WORSE",
        {"verdict": "WORSE"},
        "r1",
    )
    assert found.details == {"command": ["try"]}


def test_the_same_question_is_found_at_another_alpha_and_an_abandoned_one_is_not(database: Database) -> None:
    register = Register(database)
    opened = register.open(ASKED, details={})
    found = register.find(replace(ASKED, alpha=0.01, season=2).question_digest)
    assert found is not None
    assert found.id == opened.id
    assert register.find(replace(ASKED, candidate=Named("new", "3")).question_digest) is None
    register.update(opened.id, status="abandoned")
    assert register.find(ASKED.question_digest) is None


def test_the_newest_come_first_and_by_set(database: Database) -> None:
    register = Register(database)
    ids = [register.open(replace(ASKED, set_name=name), details={}).id for name in ("a", "b", "a")]
    assert [found.id for found in register.list()] == ids[::-1]
    assert [found.id for found in register.list(set_name="a")] == [ids[2], ids[0]]
    assert len(register.list(1)) == 1


@pytest.mark.parametrize(("named", "error"), [("zz", BadInput), ("", BadInput), ("abc", NotFound)])
def test_a_name_that_is_none_says_so(database: Database, named: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Register(database).get(named)
