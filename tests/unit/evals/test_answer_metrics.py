"""Answer metrics without a judge: what applies to which case, and what a decline is worth."""

import time
from dataclasses import replace

import pytest

from assay.evals.answer_metrics import (
    CitationScorer,
    DeclineScorer,
    EmbeddingSimilarity,
    TextScorer,
    compared,
)
from assay.evals.case import Case
from assay.evals.output import Cited, Output
from assay.evals.scorer import Gold, Scorer
from assay.evals.similarity import chrf, rouge_l
from assay.models.scripted import ScriptedEmbedder

ANSWERABLE = Case("1", "Where?", answers=("Paris", "the city of Paris"))
UNANSWERABLE = Case("2", "When?", answerable=False)
DECLINED = Output(text="The documents do not say.", declined=True)
GOLD = (Gold("d", "a" * 200, 100, 300), Gold("d", "1990", 500, 504))


async def values(scorer, case, output, gold=()):
    return {name: score.value for name, score in (await scorer.score(case, output, gold)).items()}


def test_every_scorer_is_one_and_names_its_version():
    scorers = (TextScorer(), EmbeddingSimilarity(ScriptedEmbedder()), CitationScorer(), DeclineScorer())
    assert all(isinstance(scorer, Scorer) and scorer.judge is None for scorer in scorers)
    assert len({scorer.digest for scorer in scorers}) == len(scorers)
    names = [name for scorer in scorers for name in scorer.metrics]
    assert len(set(names)) == len(names) == 10


async def test_the_best_reference_counts():
    found = await values(TextScorer(), ANSWERABLE, Output(text="It is the city of Paris."))
    assert found["token_f1"] == pytest.approx(2 * 3 / (5 + 3))
    assert found["exact_match"] == 0
    assert found["answer_contained"] == 1
    assert found["rouge_l"] == pytest.approx(2 * (4 / 6) * 1 / (4 / 6 + 1))
    assert set(found) == set(TextScorer.metrics)
    assert (await values(TextScorer(), ANSWERABLE, Output(text="paris")))["exact_match"] == 1


async def test_markers_are_no_part_of_an_answer_with_citations():
    cited = Output(text="Paris [1], [2, 3]", citations=(Cited("d", "Paris"),))
    assert compared(cited) == "Paris,"
    assert (await values(TextScorer(), ANSWERABLE, cited))["exact_match"] == 1
    assert compared(Output(text="array[0] is [1]")) == "array[0] is [1]"


async def test_declining_is_an_empty_answer():
    assert set((await values(TextScorer(), ANSWERABLE, DECLINED)).values()) == {0}
    assert await values(TextScorer(), UNANSWERABLE, DECLINED) == {"exact_match": 1, "token_f1": 1}
    assert await values(TextScorer(), UNANSWERABLE, Output(text="In 1990")) == {"exact_match": 0, "token_f1": 0}


async def test_nothing_applies_without_references_and_rouge_not_to_other_scripts():
    assert await values(TextScorer(), Case("1", "?"), Output(text="x")) == {}
    found = await values(TextScorer(), Case("1", "?", answers=("東京",)), Output(text="東京です"))
    assert "rouge_l" not in found
    assert found["chrf"] > 0


async def test_an_answer_of_megabytes_is_scored_in_seconds():
    started = time.perf_counter()
    found = await values(TextScorer(), ANSWERABLE, Output(text="Paris is a city. " * 600_000))
    assert time.perf_counter() - started < 5
    assert found["answer_contained"] == 1


@pytest.mark.parametrize(
    ("answer", "contained"),
    [("It was Paris, France", 1), ("Parisian", 0), ("PARIS!", 1), ("the city", 0), ("", 0)],
)
async def test_an_answer_contains_whole_words(answer, contained):
    assert (await values(TextScorer(), ANSWERABLE, Output(text=answer)))["answer_contained"] == contained


async def test_embedding_similarity_is_a_cosine_in_bounds():
    scorer = EmbeddingSimilarity(ScriptedEmbedder(dimensions=32))
    assert (await values(scorer, ANSWERABLE, Output(text="Paris")))["embedding_similarity"] == pytest.approx(1)
    for text in ("something else", "x", "no", "[1]"):
        assert 0 <= (await values(scorer, ANSWERABLE, Output(text=text)))["embedding_similarity"] < 1
    assert (await values(scorer, ANSWERABLE, DECLINED))["embedding_similarity"] == 0
    assert await values(scorer, UNANSWERABLE, DECLINED) == {}
    assert scorer.digest != EmbeddingSimilarity(ScriptedEmbedder(dimensions=16)).digest


def citing(*spans, document="d"):
    return Output(text="x", citations=tuple(Cited(document, "x" * (end - start), start, end) for start, end in spans))


@pytest.mark.parametrize(
    ("output", "precision", "recall"),
    [
        (citing((100, 300), (490, 520)), 1, 1),
        (citing((100, 200)), 1, 1 / 2),  # half of the long piece
        (citing((100, 199), (1_000, 1_100)), 1 / 2, 0),  # lies in it, and is not half of it
        (citing((100, 180), (150, 230)), 1, 1 / 2),  # together more than half
        (citing((0, 130), (900, 1_000)), 0, 0),
        (citing((503, 600)), 0, 0),  # a digit is no answer
        (citing((100, 300), (100, 300), (900, 950)), 1 / 2, 1 / 2),  # the same citation twice is one
        (citing((100, 300), document="e"), 0, 0),
        (Output(text="no citations"), 0, 0),
    ],
)
async def test_citation_precision_and_recall(output, precision, recall):
    found = await values(CitationScorer(), ANSWERABLE, output, GOLD)
    assert found == {"citation_precision": pytest.approx(precision), "citation_recall": pytest.approx(recall)}


async def test_declining_cites_nothing_and_is_not_imprecise():
    assert await values(CitationScorer(), ANSWERABLE, DECLINED, GOLD) == {"citation_recall": 0}
    shown = replace(citing((100, 300), (490, 520)), declined=True)  # what it looked at, and found wanting
    assert await values(CitationScorer(), ANSWERABLE, shown, GOLD) == {"citation_recall": 0}
    assert await values(CitationScorer(), UNANSWERABLE, citing((0, 9)), ()) == {}
    quiet = CitationScorer(citations_expected=False)
    assert await values(quiet, ANSWERABLE, Output(text="x"), GOLD) == {}
    assert quiet.digest != CitationScorer().digest


async def test_a_citation_of_a_whole_document_finds_it():
    gold = (Gold("d"), Gold("e"))
    assert await values(CitationScorer(), ANSWERABLE, citing((0, 9)), gold) == {
        "citation_recall": 0.5,
        "citation_precision": 1,
    }


async def test_declining_where_it_should_and_answering_where_it_could():
    scorer = DeclineScorer()
    assert await values(scorer, ANSWERABLE, DECLINED) == {"answered_when_it_could": 0}
    assert await values(scorer, ANSWERABLE, Output(text="x")) == {"answered_when_it_could": 1}
    assert await values(scorer, UNANSWERABLE, DECLINED) == {"declined_when_it_should": 1}
    assert await values(scorer, UNANSWERABLE, Output(text="x")) == {"declined_when_it_should": 0}


@pytest.mark.parametrize("text", ["within thirty days", "a", "ab", "1142", "The iron bridge of Marlow."])
def test_an_answer_that_is_the_reference_scores_exactly_1(text):
    assert (chrf(text, text), rouge_l(text, text)) == (1.0, 1.0)
