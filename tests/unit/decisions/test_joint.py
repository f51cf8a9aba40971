"""Cost and latency can hold a promotion back and never cause one; only a cheaper candidate wins by not being worse."""

import itertools

import pytest

from assay.decisions.comparison import Change
from assay.decisions.hypothesis import Margins
from assay.decisions.joint import joint
from assay.stats.interval import Interval
from assay.stats.verdict import Verdict


def change(value: float, low: float, high: float) -> Change:
    return Change(1.0, value, 200, Interval(value, low, high, "bootstrap", 200))


CHEAPER, DEARER, OPEN = change(0.5, 0.45, 0.55), change(2.0, 1.8, 2.2), change(1.0, 0.8, 1.25)


@pytest.mark.parametrize(
    ("cost", "expected", "promotable"),
    [(CHEAPER, Verdict.PROMOTE, True), (DEARER, Verdict.NOT_BETTER, False), (OPEN, Verdict.UNDECIDED, False)],
)
def test_a_stated_margin_has_to_be_shown(cost: Change, expected: Verdict, promotable: bool) -> None:
    found = joint(Verdict.PROMOTE, cost=cost, latency=None, margins=Margins(cost_ratio=1.1), objective="better")
    assert (found.verdict, found.promotable) == (expected, promotable)
    assert found.quality is Verdict.PROMOTE


def test_without_a_margin_cost_is_reported_and_not_judged() -> None:
    found = joint(Verdict.PROMOTE, cost=DEARER, latency=DEARER, margins=Margins(), objective="better")
    assert found.promotable
    assert not found.reasons


def test_what_is_not_known_is_not_shown() -> None:
    found = joint(Verdict.PROMOTE, cost=None, latency=None, margins=Margins(latency_ratio=1.2), objective="better")
    assert found.verdict is Verdict.UNDECIDED
    assert "not known" in found.reasons[0]


def test_a_cheaper_candidate_that_is_not_worse_wins() -> None:
    found = joint(Verdict.NOT_WORSE, cost=CHEAPER, latency=None, margins=Margins(), objective="not_worse")
    assert found.promotable
    for cost in (DEARER, OPEN, None):
        assert not joint(
            Verdict.NOT_WORSE, cost=cost, latency=None, margins=Margins(), objective="not_worse"
        ).promotable


def test_not_being_worse_promotes_nothing_where_better_was_asked() -> None:
    found = joint(Verdict.NOT_WORSE, cost=CHEAPER, latency=None, margins=Margins(), objective="better")
    assert not found.promotable


def test_nothing_beside_quality_ever_causes_a_promotion() -> None:
    for quality, cost, latency, objective in itertools.product(
        (Verdict.WORSE, Verdict.UNDECIDED, Verdict.NOT_BETTER),
        (CHEAPER, DEARER, None),
        (CHEAPER, DEARER, None),
        ("better", "not_worse"),
    ):
        found = joint(quality, cost=cost, latency=latency, margins=Margins(cost_ratio=1.5), objective=objective)  # type: ignore[arg-type]
        assert not found.promotable
        assert found.verdict is quality
