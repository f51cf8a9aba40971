"""Which cases come first, and what became of each."""

import pytest

from assay.evals.case import Case
from assay.evals.columns import Columns, Row
from assay.evals.explore import outcome_of, worst_first
from assay.evals.output import Output, Retrieved
from assay.evals.result import Result
from assay.evals.scorer import Score

ASKED = Case("q", "?", ("a",))
UNANSWERABLE = Case("q", "?", answerable=False)


def result(output, error="", **scores):
    return Result(0, 0, "q", output, {name: Score(value) for name, value in scores.items()}, error=error)


@pytest.mark.parametrize(
    ("case", "given", "outcome"),
    [
        (ASKED, result(None, "timed_out: late", token_f1=0.0), "failed"),
        (ASKED, result(Output("a"), token_f1=1.0), "right"),
        (ASKED, result(Output("b"), token_f1=0.0), "wrong"),
        (ASKED, result(Output("a b"), token_f1=0.6), "partly right"),
        (ASKED, result(Output("a"), token_f1=None), "not judged"),
        (ASKED, result(Output("a"), faithfulness=1.0), "not judged"),
        (ASKED, result(Output(declined=True), token_f1=0.0), "declined answerable"),
        (UNANSWERABLE, result(Output(declined=True), declined_when_it_should=1.0), "declined rightly"),
        (UNANSWERABLE, result(Output("a"), declined_when_it_should=0.0), "answered unanswerable"),
        (ASKED, result(Output(passages=(Retrieved("d", "t"),))), "retrieved"),
    ],
)
def test_every_case_has_one_outcome(case, given, outcome):
    assert outcome_of(case, given) == outcome


def test_failures_come_first_then_correctness_then_the_mean_of_all():
    rows = [
        Row(0, "good", {"token_f1": 1.0, "faithfulness": 1.0}),
        Row(1, "wrong but faithful", {"token_f1": 0.0, "faithfulness": 1.0}),
        Row(2, "wrong and unfaithful", {"token_f1": 0.0, "faithfulness": 0.0}),
        Row(3, "failed", {"token_f1": 0.0, "faithfulness": 0.0}, error="x"),
        Row(4, "right, unfaithful", {"token_f1": 1.0, "faithfulness": 0.0}),
        Row(5, "no correctness", {"faithfulness": 0.4}),
    ]
    assert worst_first(Columns(rows)) == [3, 2, 1, 5, 4, 0]


def test_nothing_has_no_order():
    assert worst_first(Columns()) == []
