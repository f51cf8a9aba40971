"""Labels go where they tell the most, blind; what a person said is kept as said, and undone only by a person."""

import pytest
from tests.unit.decisions.test_register import ASKED

from assay.decisions.hypothesis import Margins
from assay.decisions.labels import SAME, Judged, Labels, design_effect
from assay.decisions.register import Register
from assay.ledger.database import Database
from assay.stats.verdict import Verdict


def items(better: int, worse: int, equal: int, same: int = 0) -> list[Judged]:
    differences = [1.0] * better + [-1.0] * worse + [0.0] * equal
    found = [Judged(n, f"q{n}", "Why?", "old", f"new {n}", d) for n, d in enumerate(differences)]
    return found + [Judged(len(found) + n, f"s{n}", "Why?", "as it is", "as it is", 0.0) for n in range(same)]


@pytest.fixture
def decision_id(database: Database) -> str:
    return Register(database).open(ASKED, details={}).id


def answered(labels: Labels, *, candidate_wins: bool) -> int:
    """Label all that are wanted; how many were asked."""
    asked = 0
    while (shown := labels.next()) is not None:
        first = shown.answers[0].startswith("new") == candidate_wins
        labels.add(shown, float(first), float(not first), labeller="me")
        asked += 1
    return asked


def test_every_stratum_is_asked_and_the_same_text_never(database: Database, decision_id: str) -> None:
    labels = Labels(database, decision_id, items(30, 20, 100, same=50), wanted=60)
    assert answered(labels, candidate_wins=True) == 60
    counts = {sign: sum(label.stratum == sign for label in labels.all()) for sign in (-1, 0, 1, SAME)}
    assert counts[SAME] == 0
    assert min(counts[-1], counts[0], counts[1]) >= 8


def test_sides_change_and_a_label_is_kept_by_who_said_it(database: Database, decision_id: str) -> None:
    labels = Labels(database, decision_id, items(20, 20, 20), wanted=40)
    swapped = {labels.shown(item).swapped for item in labels.items.values()}
    assert swapped == {True, False}
    answered(labels, candidate_wins=True)
    assert all((label.incumbent, label.candidate) == (0.0, 1.0) for label in labels.all())


@pytest.mark.parametrize(
    ("wins", "judge", "expected"),
    [
        (True, Verdict.PROMOTE, Verdict.PROMOTE),
        (True, Verdict.UNDECIDED, Verdict.UNDECIDED),
        (False, Verdict.PROMOTE, Verdict.WORSE),
    ],
)
def test_the_verdict_comes_with_the_last_label(
    database: Database, decision_id: str, wins: bool, judge: Verdict, expected: Verdict
) -> None:
    labels = Labels(database, decision_id, items(30, 20, 30), wanted=40)
    told = {"alpha": 0.05, "margins": Margins(), "objective": "better"}
    assert labels.verdict(judge, **told).verdict is Verdict.UNDECIDED  # type: ignore[arg-type]
    answered(labels, candidate_wins=wins)
    found = labels.verdict(judge, **told)  # type: ignore[arg-type]
    assert found.is_complete
    assert found.verdict is expected
    assert labels.undo()
    assert not labels.verdict(judge, **told).is_complete  # type: ignore[arg-type]


def test_undo_takes_the_newest_back_and_there_is_an_end(database: Database, decision_id: str) -> None:
    labels = Labels(database, decision_id, items(10, 10, 10), wanted=20)
    shown = labels.next()
    assert shown is not None
    labels.add(shown, 1.0, 0.0, labeller="me")
    assert labels.undo()
    assert labels.all() == []
    assert not labels.undo()
    again = labels.next()
    assert again == shown


@pytest.mark.parametrize("score", [-0.1, 1.5])
def test_a_label_off_the_scale_is_refused(database: Database, decision_id: str, score: float) -> None:
    labels = Labels(database, decision_id, items(10, 10, 10), wanted=20)
    shown = labels.next()
    assert shown is not None
    with pytest.raises(ValueError, match="between 0 and 1"):
        labels.add(shown, score, 0.0, labeller="me")


def test_clusters_that_move_together_widen() -> None:
    alone = [Judged(n, str(n), "?", "a", "b", float(n % 2), f"c{n}") for n in range(40)]
    together = [Judged(n, str(n), "?", "a", "b", float(n // 20), f"c{n // 10}") for n in range(40)]
    assert design_effect(alone) == pytest.approx(1.0, abs=0.05)
    assert design_effect(together) > 5
