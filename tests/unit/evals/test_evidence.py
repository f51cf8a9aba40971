"""The demo's score, which needs no judge, and the measuring of a callable."""

import pytest

from assay.answers.outcome import Answer, Citation, Declined
from assay.errors import TimedOut
from assay.evals.case import Case
from assay.evals.evidence import evidence_score, overlaps
from assay.evals.measured import measure
from assay.evals.scorer import Gold

TEXTS = {"handbook/a.md": "One. Two is here. Three.", "other/b.md": "Nothing."}
GOLD = Gold("handbook/a.md", "Two is here.", 5, 17)


def citation(start, end, document="handbook/a.md"):
    return Citation(1, document, "id", start, end, TEXTS[document][start:end])


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(5, 17, True), (0, 24, True), (0, 4, False), (11, 17, True), (12, 24, False), (0, 12, True)],
)
def test_a_citation_must_share_half_of_the_shorter_span(start, end, expected):
    assert overlaps(citation(start, end), GOLD) is expected


def test_the_same_span_of_another_document_is_no_evidence():
    assert not overlaps(citation(0, 8, "other/b.md"), Gold("handbook/a.md", "One. Two", 0, 8))


def test_gold_without_offsets_is_overlapped_by_nothing():
    assert not overlaps(citation(0, 8), Gold("handbook/a.md", "One. Two"))


def test_scores():
    answerable, unanswerable = Case("a", "q"), Case("u", "q", answerable=False)
    right = Answer("x", (citation(0, 4), citation(5, 17)), ())
    wrong = Answer("x", (citation(0, 4),), ())
    declined = Declined("no", ())
    assert [evidence_score(answerable, [GOLD], outcome) for outcome in (right, wrong, declined)] == [1, 0, 0]
    assert [evidence_score(unanswerable, (), outcome) for outcome in (right, wrong, declined)] == [0, 0, 1]


async def test_a_system_that_fails_scores_zero_and_stays_in_the_denominator():
    async def system(question):
        if question == "fails":
            raise TimedOut("no answer")
        return Declined("no", (), cost_usd=0.25)

    cases = [Case("1", "works", answerable=False, cluster="x"), Case("2", "fails", answerable=False)]
    seen = []
    results = await measure(
        system, cases, scorer=lambda case, outcome: evidence_score(case, (), outcome), progress=seen.append
    )
    assert [(item.case, item.score, item.cost_usd, item.error) for item in results] == [
        ("1", 1.0, 0.25, ""),
        ("2", 0.0, None, "timed_out"),
    ]
    assert seen == [1, 2]
