"""The digest covers everything; the question's digest everything but how it is answered."""

import json
from dataclasses import replace

import pytest

from assay.decisions.hypothesis import Hypothesis, Margins, Named, hypothesis_from


def a_hypothesis() -> Hypothesis:
    return Hypothesis(
        set_name="support",
        season=1,
        set_digest="d" * 64,
        order_digest="o" * 64,
        items=800,
        clusters=None,
        metric="exact_match",
        incumbent=Named("assay", "s1"),
        candidate=Named("assay index.k=12", "s2"),
        scorers=("abc",),
        objective="better",
        rule="exact-horizon",
        alpha=0.025,
        beta=0.05,
        margins=Margins(),
        horizon=128,
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"set_digest": "e" * 64},
        {"order_digest": "p" * 64},
        {"metric": "token_f1"},
        {"candidate": Named("assay index.k=12", "s3")},
        {"scorers": ("abd",)},
        {"alpha": 0.05},
        {"margins": Margins(margin=0.03)},
        {"horizon": 129},
        {"looks": (3,)},
        {"replicas": 2},
        {"objective": "not_worse"},
    ],
)
def test_whatever_could_be_bent_is_in_the_digest(changed: dict[str, object]) -> None:
    one = a_hypothesis()
    assert replace(one, **changed).digest != one.digest  # type: ignore[arg-type]


def test_the_same_question_is_found_whatever_alpha_and_order_it_had() -> None:
    one = a_hypothesis()
    assert replace(one, alpha=0.01, order_digest="x", set_digest="y").question_digest == one.question_digest
    assert replace(one, candidate=Named("assay index.k=12", "s3")).question_digest != one.question_digest
    assert replace(one, margins=Margins(smallest=0.1)).question_digest != one.question_digest
    assert replace(one, season=2).question_digest == one.question_digest
    assert replace(one, set_name="other").question_digest != one.question_digest


def test_it_comes_back_from_the_ledger_as_it_was() -> None:
    one = replace(a_hypothesis(), looks=(2, 4), clusters=4, rule="cluster-looks", horizon=None)
    back = hypothesis_from(json.loads(json.dumps(one.as_json())))
    assert back == one
    assert back.digest == one.digest


def test_it_says_what_is_asked_and_how_often_that_errs() -> None:
    said = a_hypothesis().sentence()
    assert "scores higher than assay in exact_match" in said
    assert "0.025" in said
