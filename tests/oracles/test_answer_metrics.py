"""Text metrics against their reference implementations: SQuAD's published definition, rouge-score and sacrebleu.

The peers' figures are recorded by `benchmarks/peers/text_metrics.py`; SQuAD's is written here a second time, from the
paper and the evaluation script's documented behaviour, with other means than ours.
"""

import json
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.evals.answer_metrics import TextScorer
from assay.evals.case import Case
from assay.evals.output import Output
from assay.evals.similarity import chrf, exact_match, rouge_l, token_f1

RECORDED = json.loads((Path(__file__).parent / "data" / "text_metrics.json").read_text("utf-8"))
FIGURES = [pytest.param(row, id=str(number)) for number, row in enumerate(RECORDED["figures"])]


@pytest.mark.parametrize("row", FIGURES)
def test_rouge_l_and_chrf_are_those_of_the_peers(row):
    assert rouge_l(row["answer"], row["reference"]) == pytest.approx(row["rouge_l"], abs=1e-9)
    assert chrf(row["answer"], row["reference"]) == pytest.approx(row["chrf"], abs=1e-9)


def test_the_recorded_figures_are_not_all_nothing():
    assert sum(0.05 < row["rouge_l"] < 0.95 for row in RECORDED["figures"]) > 50
    assert sum(0.05 < row["chrf"] < 0.95 for row in RECORDED["figures"]) > 50


def words_of(text):
    """The words SQuAD compares: lower case, ASCII punctuation deleted, then a, an and the as whole words."""
    kept = "".join(char for char in text.lower() if char not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    words, run = [], ""
    for char in chain(kept, " "):
        if char.isalnum() or char == "_":
            run += char
            continue
        # An article is one between word boundaries, so "«the»" loses it and keeps the marks around.
        words.append(" " if run in {"a", "an", "the"} else run)
        words.append(" " if char.isspace() else char)
        run = ""
    return "".join(words).split()


def squad(prediction, references):
    """(exact, F1) of a prediction: the best over the references; no reference means no answer."""
    references = [text for text in references if words_of(text)] or [""]
    exact = max(words_of(prediction) == words_of(text) for text in references)
    return float(exact), max(f1(words_of(prediction), words_of(text)) for text in references)


def f1(given_words, wanted_words):
    if not given_words or not wanted_words:
        return float(given_words == wanted_words)
    left = list(wanted_words)
    same = 0
    for word in given_words:
        if word in left:
            left.remove(word)
            same += 1
    return 0.0 if not same else 2 * same / (len(given_words) + len(wanted_words))


texts = st.lists(
    st.one_of(st.sampled_from(["the", "A", "an", "cat", "cat's", "«the»", "the-cat", "1,200", "a.b", "Theo"]),
              st.text("aethn T.,'-1_ßé", max_size=6)),
    max_size=8,
).map(" ".join)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(texts, st.lists(texts, min_size=1, max_size=3))
async def test_exact_match_and_f1_are_those_of_squad(prediction, references):
    scores = await TextScorer().score(Case("1", "?", answers=tuple(references)), Output(text=prediction), ())
    exact, best_f1 = squad(prediction, references)
    assert scores["exact_match"].value == exact
    assert scores["token_f1"].value == pytest.approx(best_f1, abs=1e-12)


@pytest.mark.parametrize(
    ("prediction", "references", "exact", "expected_f1"),
    [
        # Worked by hand from the definition.
        ("The Eiffel Tower", ["eiffel tower"], 1, 1.0),
        ("in Paris, France", ["Paris"], 0, 0.5),
        ("Denver Broncos won", ["Carolina Panthers", "the Denver Broncos"], 0, 0.8),
        ("cat cat dog", ["cat"], 0, 0.5),
        ("", ["something"], 0, 0.0),
        ("the", ["The."], 1, 1.0),
        ("something", ["a"], 0, 0.0),
    ],
)
def test_figures_worked_by_hand(prediction, references, exact, expected_f1):
    assert squad(prediction, references) == (exact, pytest.approx(expected_f1))
    kept = [text for text in references if words_of(text)] or [""]
    assert max(exact_match(prediction, text) for text in kept) == exact
    assert max(token_f1(prediction, text) for text in kept) == pytest.approx(expected_f1)


@pytest.mark.parametrize(("declined", "expected"), [(True, 1.0), (False, 0.0)])
async def test_without_an_answer_declining_is_the_match(declined, expected):
    case = Case("1", "?", answerable=False)
    scores = await TextScorer().score(case, Output(text="It says nothing on it", declined=declined), ())
    assert {name: score.value for name, score in scores.items()} == {"exact_match": expected, "token_f1": expected}
    assert squad("" if declined else "It says nothing on it", []) == (expected, expected)
