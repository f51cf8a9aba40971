"""Cases, gold evidence and the score that needs no judge."""

import json

import pytest

from assay.answers.outcome import Answer, Citation, Declined
from assay.errors import BadInput, NotFound, TimedOut
from assay.evals.cases import Case, Gold, Span, load_cases, resolve, source_named
from assay.evals.evidence import evidence_score, overlaps
from assay.evals.measure import measure

TEXTS = {"handbook/a.md": "One. Two is here. Three.", "other/b.md": "Nothing."}


def citation(start, end, document="handbook/a.md"):
    return Citation(1, document, "id", start, end, TEXTS[document][start:end])


def test_gold_resolves_to_spans_by_the_end_of_the_source():
    case = Case("c", "q", True, (Gold("a.md", "Two is here."),))
    assert resolve(case, TEXTS) == (Span("handbook/a.md", 5, 17),)


def test_gold_that_does_not_stand_in_the_document_is_refused():
    with pytest.raises(BadInput, match="case-7"):
        resolve(Case("case-7", "q", True, (Gold("a.md", "Two is there."),)), TEXTS)
    with pytest.raises(NotFound, match=r"c\.md"):
        source_named("c.md", list(TEXTS))
    with pytest.raises(BadInput, match="2 documents"):
        source_named("a.md", ["x/a.md", "y/a.md"])


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(5, 17, True), (0, 24, True), (0, 4, False), (11, 17, True), (12, 24, False), (0, 12, True)],
)
def test_a_citation_must_share_half_of_the_shorter_span(start, end, expected):
    assert overlaps(citation(start, end), Span("handbook/a.md", 5, 17)) is expected


def test_the_same_span_of_another_document_is_no_evidence():
    assert not overlaps(citation(0, 8, "other/b.md"), Span("handbook/a.md", 0, 8))


def test_scores():
    answerable, unanswerable = Case("a", "q", True), Case("u", "q", False)
    gold = [Span("handbook/a.md", 5, 17)]
    right = Answer("x", (citation(0, 4), citation(5, 17)), ())
    wrong = Answer("x", (citation(0, 4),), ())
    declined = Declined("no", ())
    assert [evidence_score(answerable, gold, outcome) for outcome in (right, wrong, declined)] == [1, 0, 0]
    assert [evidence_score(unanswerable, (), outcome) for outcome in (right, wrong, declined)] == [0, 0, 1]


async def test_a_system_that_fails_scores_zero_and_stays_in_the_denominator():
    async def system(question):
        if question == "fails":
            raise TimedOut("no answer")
        return Declined("no", (), cost_usd=0.25)

    cases = [Case("1", "works", False, cluster="x"), Case("2", "fails", False)]
    seen = []
    results = await measure(
        system, cases, scorer=lambda case, outcome: evidence_score(case, (), outcome), progress=seen.append
    )
    assert [(item.case, item.score, item.cost_usd, item.error) for item in results] == [
        ("1", 1.0, 0.25, ""),
        ("2", 0.0, None, "timed_out"),
    ]
    assert seen == [1, 2]


def test_a_cases_file_round_trips_and_names_its_bad_line(tmp_path):
    path = tmp_path / "cases.jsonl"
    row = {"case": "1", "question": "q", "answerable": True, "gold": [{"document": "a.md", "quote": "x"}]}
    path.write_text(json.dumps(row) + "\n\n", encoding="utf-8")
    assert load_cases(path) == [Case("1", "q", True, (Gold("a.md", "x"),))]
    path.write_text(json.dumps(row) + "\n{}\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"cases\.jsonl:2"):
        load_cases(path)
    with pytest.raises(NotFound):
        load_cases(tmp_path / "none.jsonl")
