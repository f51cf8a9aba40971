"""Retrieval metrics on rankings small enough to be worked by hand."""

import math

import pytest

from assay.evals.case import Case
from assay.evals.output import Output, Retrieved
from assay.evals.retrieval_metrics import RetrievalScorer, within
from assay.evals.scorer import Gold, Scorer

CASE = Case("1", "?")
LONG_A = Gold("d", "a" * 200, 1_000, 1_200)
LONG_B = Gold("d", "b" * 400, 2_000, 2_400, grade=2)
ANSWER = Gold("d", "1990", 1_050, 1_054)


def passage(start, end, document="d"):
    return Retrieved(document, "x" * (end - start), start, end)


async def values(passages, gold, **options):
    scores = await RetrievalScorer(**options).score(CASE, Output(passages=tuple(passages)), tuple(gold))
    return {name: score.value for name, score in scores.items()}


MISS, A, B = passage(5_000, 5_500), passage(900, 1_300), passage(1_900, 2_300)


async def test_a_ranking_worked_by_hand():
    found = await values([MISS, A, A, B], [LONG_A, LONG_B], ks=(1, 2, 4))
    dcg = 1 / math.log2(3) + 2 / math.log2(5)
    ideal = 2 + 1 / math.log2(3)
    expected = {
        "precision@1": 0, "precision@2": 1 / 2, "precision@4": 3 / 4,
        "recall@1": 0, "recall@2": 1 / 2, "recall@4": 1,
        "ndcg@1": 0, "ndcg@2": (1 / math.log2(3)) / ideal, "ndcg@4": dcg / ideal,
        "mrr": 1 / 2, "map": (1 / 2 + 2 / 4) / 2,
        "evidence_recall@1": 0, "evidence_recall@2": 1 / 2, "evidence_recall@4": 1,
        "evidence_coverage@1": 0, "evidence_coverage@2": 200 / 600, "evidence_coverage@4": 500 / 600,
        "passage_efficiency@1": 0, "passage_efficiency@2": 200 / 900, "passage_efficiency@4": 500 / 1_700,
        "evidence_recall@2000t": 1, "evidence_coverage@2000t": 500 / 600, "passage_efficiency@2000t": 500 / 1_700,
    }  # fmt: skip
    assert found == pytest.approx(expected)


async def test_the_names_promised_are_the_names_given():
    scorer = RetrievalScorer()
    assert isinstance(scorer, Scorer)
    assert set(await values([A], [LONG_A])) == set(scorer.metrics)
    for name in ("recall@5", "ndcg@10", "mrr", "map", "evidence_recall@5", "evidence_recall@2000t"):
        assert name in scorer.metrics
    assert RetrievalScorer(ks=(5,)).digest != scorer.digest != RetrievalScorer(token_budgets=(500,)).digest


async def test_one_passage_with_all_evidence_is_a_perfect_ranking():
    found = await values([passage(900, 2_500), MISS], [LONG_A, LONG_B])
    assert [found[name] for name in ("recall@1", "ndcg@1", "mrr", "map", "evidence_recall@1")] == [1] * 5


async def test_two_cuts_of_the_same_words_find_the_same_evidence():
    whole = await values([passage(950, 1_250)], [LONG_A])
    halves = await values([passage(950, 1_090), passage(1_090, 1_250)], [LONG_A])
    assert whole["evidence_recall@3"] == halves["evidence_recall@3"] == 1
    assert halves["evidence_coverage@1"] == 0.45
    assert halves["recall@3"] == 1  # the second holds more than half


async def test_a_short_answer_counts_only_as_a_whole():
    assert (await values([passage(1_000, 1_054)], [ANSWER]))["evidence_recall@1"] == 1
    cut_short = await values([passage(1_000, 1_053)], [ANSWER])
    assert (cut_short["evidence_recall@1"], cut_short["recall@1"], cut_short["evidence_coverage@1"]) == (0, 0, 0.75)


async def test_whole_documents_rank_by_their_best_passage():
    passages = [passage(0, 9, "x"), passage(10, 19, "x"), passage(0, 9, "d"), passage(10, 19, "d"), passage(0, 9, "e")]
    found = await values(passages, [Gold("d", grade=2), Gold("e")], ks=(2, 3))
    assert found["precision@2"] == 1 / 2
    assert found["recall@3"] == 1
    assert found["mrr"] == 1 / 2
    assert found["evidence_recall@3"] == 1 / 2  # of passages, not documents
    assert "evidence_coverage@3" not in found  # nobody knows how much of a document matters


async def test_overlapping_gold_is_not_sent_twice():
    found = await values([passage(1_000, 1_200)], [LONG_A, Gold("d", "a" * 200, 1_000, 1_200, grade=3)])
    assert found["passage_efficiency@1"] == 1
    assert found["evidence_coverage@1"] == 1


async def test_without_gold_nothing_applies_and_without_passages_nothing_was_found():
    assert await values([A], []) == {}
    assert set((await values([], [LONG_A])).values()) == {0}
    assert await values([], [LONG_A], passages_expected=False) == {}
    assert (await values([A], [LONG_A], passages_expected=False))["recall@1"] == 1


async def test_passages_without_offsets_are_matched_by_their_text():
    gold = Gold("d", "Pairing removes the difficulty of the questions.")
    found = await values([Retrieved("d", f"Before. {gold.quote} After.")], [gold], ks=(1,))
    assert found["evidence_recall@1"] == found["ndcg@1"] == 1
    assert found["passage_efficiency@1"] == pytest.approx(len(gold.quote) / (len(gold.quote) + 15))


def test_a_budget_takes_passages_in_order_and_cuts_the_last():
    first, second = passage(0, 30), passage(100, 130)
    assert within([first, second], 15) == [first, second]
    assert within([first, second], 10) == [first, Retrieved("d", "x" * 10, 100, 110)]
    assert within([first, second], 7) == [Retrieved("d", "x" * 28, 0, 28)]
    assert within([Retrieved("d", "ü" * 4, 10, 14)], 1) == [Retrieved("d", "üü", 10, 12)]
    assert within([Retrieved("d", "🙂🙂")], 1) == [Retrieved("d", "🙂")]


async def test_evidence_beyond_the_budget_is_not_found():
    filler = [passage(10_000 + 400 * i, 10_400 + 400 * i) for i in range(3)]
    found = await values([*filler, A], [LONG_A], ks=(5,), token_budgets=(300, 350, 400))
    assert [found[f"evidence_coverage@{budget}t"] for budget in (300, 350, 400)] == [0, 0.5, 1]
    assert [found[f"evidence_recall@{budget}t"] for budget in (300, 350, 400)] == [0, 1, 1]
    assert found["passage_efficiency@400t"] == 200 / 1_600


def test_cuts_that_are_no_cuts_are_refused():
    for options in ({"ks": ()}, {"ks": (0,)}, {"token_budgets": (0,)}):
        with pytest.raises(ValueError, match="at least 1"):
            RetrievalScorer(**options)
