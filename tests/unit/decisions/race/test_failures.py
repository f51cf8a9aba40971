"""Failures are the worst answers to dev questions, never of others, in an order the ids do not decide."""

import random

import pytest

from assay.decisions.race.failures import failures_of
from assay.evals.case import Case, Evidence
from assay.evals.output import Output, Retrieved
from assay.evals.result import Result
from assay.evals.scorer import Score


def result(
    case_id: str, value: float | None, *, output: Output | None = None, replica: int = 0, **more: Score
) -> Result:
    scores = {"f1": Score(value), **more}
    return Result(0, replica, case_id, Output(text=f"wrong about {case_id}") if output is None else output, scores)


def test_the_worst_come_first_and_what_was_right_or_never_answered_is_no_failure() -> None:
    cases = [Case(f"c{i}", f"Why {i}?", answers=(f"because {i}",)) for i in range(6)]
    failed = Result(0, 0, "c4", None, {"f1": Score(0.0)}, error="timed_out: slow")
    unknown = result("c5", None)
    found = failures_of(
        [result("c0", 0.6), result("c1", 1.0), result("c2", 0.0), result("c3", 0.3), failed, unknown],
        cases,
        "f1",
        most=9,
    )
    assert [(f.case_id, f.score) for f in found] == [("c2", 0.0), ("c3", 0.3), ("c0", 0.6)]
    assert (found[0].question, found[0].answer, found[0].expected) == ("Why 2?", "wrong about c2", "because 2")
    assert failures_of([result("c0", 0.6), result("c2", 0.0)], cases, "f1", most=1) == found[:1]
    assert failures_of([result("c0", 0.6)], cases, "other", most=9) == []


def test_a_result_of_no_dev_case_is_refused() -> None:
    with pytest.raises(ValueError, match="'secret'"):
        failures_of([result("c0", 0.0), result("secret", 1.0)], [Case("c0", "Why?")], "f1", most=1)


def test_equally_bad_ones_do_not_come_from_one_document_and_do_not_depend_on_the_order() -> None:
    cases = [Case(f"c{i:03}", "Why?") for i in range(200)]
    results = [result(case.id, 0.0) for case in cases]
    found = failures_of(results, cases, "f1", most=8)
    places = sorted(int(failure.case_id[1:]) for failure in found)
    assert places[-1] - places[0] > 50
    random.Random(1).shuffle(results)
    assert failures_of(results, list(reversed(cases)), "f1", most=8) == found


def test_of_replicas_the_worst_is_shown() -> None:
    outputs = [Output(text=f"replica {number}") for number in range(3)]
    results = [result("c0", value, output=outputs[i], replica=i) for i, value in enumerate((0.5, 0.1, 0.1))]
    found = failures_of(list(reversed(results)), [Case("c0", "Why?")], "f1", most=9)
    assert [(f.answer, f.score) for f in found] == [("replica 1", 0.1)]


def test_feedback_says_what_the_judge_said_what_was_not_shown_and_what_else_is_low() -> None:
    cases = [
        Case("a", "Who?", answers=("Anna Berg", "Berg")),
        Case("b", "Who?", answerable=False),
        Case("c", "Who?", evidence=(Evidence("d.md", quote="It was Berg."),)),
    ]
    declined = Output(declined=True, text="Nothing.", passages=(Retrieved("d.md", "Nobody knows."),))
    shown = Output(text="Somebody", passages=(Retrieved("d.md", "ANNA  BERG opened it."),))
    low = {"cited": Score(0.2), "fine": Score(0.9), "broken": Score(None)}
    by_id = {
        f.case_id + f.answer: f
        for results in (
            [result("a", 0.0, output=declined, **low), result("b", 0.0), result("c", 0.0)],
            [Result(0, 0, "a", shown, {"f1": Score(0.0, reasoning="Names nobody.")})],
            [result("a", 0.2), result("b", 0.2, output=declined)],
        )
        for f in failures_of(results, cases, "f1", most=9)
    }
    first = by_id["a(declined) Nothing."]
    assert first.expected == "Anna Berg or: Berg"
    assert first.feedback == (
        "f1 is 0.00. It declined, and the documents hold an answer. No passage it was shown holds the expected answer. "
        "Also low: cited 0.20."
    )
    assert by_id["aSomebody"].feedback == "f1 is 0.00. Names nobody."
    assert "decline" in by_id["bwrong about b"].expected
    assert by_id["bwrong about b"].feedback == "f1 is 0.00. It answered, and should have declined."
    assert by_id["cwrong about c"].expected == "It was Berg."
    assert by_id["awrong about a"].feedback == "f1 is 0.20."
    assert by_id["b(declined) Nothing."].feedback == "f1 is 0.20."
