"""Retrieval metrics against ir-measures, to 1e-9: random rankings of passages, and of whole documents as BEIR does."""

import random

import pytest
from ir_measures import AP, RR, P, Qrel, R, ScoredDoc, iter_calc, nDCG

from assay.evals.case import Case
from assay.evals.gold import is_relevant
from assay.evals.output import Output, Retrieved
from assay.evals.retrieval_metrics import RetrievalScorer
from assay.evals.scorer import Gold

KS = (1, 3, 5, 10)
MEASURES = {
    **{f"precision@{k}": P @ k for k in KS},
    **{f"recall@{k}": R @ k for k in KS},
    **{f"ndcg@{k}": nDCG @ k for k in KS},
    "mrr": RR,
    "map": AP,
}


async def ours(passages, gold):
    scores = await RetrievalScorer(ks=KS).score(Case("1", "?"), Output(passages=tuple(passages)), tuple(gold))
    return {name: scores[name].value for name in MEASURES}


def theirs(judged, ranked, only=MEASURES):
    qrels = [Qrel("q", name, grade) for name, grade in judged.items()]
    run = [ScoredDoc("q", name, -float(place)) for place, name in enumerate(ranked)]
    by_measure = {str(metric.measure): metric.value for metric in iter_calc([MEASURES[n] for n in only], qrels, run)}
    return {name: by_measure.get(str(MEASURES[name]), 0.0) for name in only}


@pytest.mark.parametrize("seed", range(40))
async def test_ranked_documents_are_scored_as_ir_measures_does(seed):
    chance = random.Random(seed)
    judged = {f"d{number}": chance.randint(1, 3) for number in chance.sample(range(30), chance.randint(1, 8))}
    places = chance.choices(range(30), k=chance.randint(1, 40))  # several passages of one document
    passages = [Retrieved(f"d{number}", "text", 0, 4) for number in places]
    ranked = list(dict.fromkeys(passage.document for passage in passages))
    gold = [Gold(name, grade=grade) for name, grade in judged.items()]
    assert await ours(passages, gold) == pytest.approx(theirs(judged, ranked), abs=1e-9)


@pytest.mark.parametrize("seed", range(40))
async def test_ranked_passages_are_scored_as_ir_measures_does(seed):
    """The judgements are built from the definition: a piece is carried by the first passage relevant to it."""
    chance = random.Random(1_000 + seed)
    gold = []
    for _ in range(chance.randint(1, 5)):
        start = chance.randrange(0, 3_000)
        end = start + chance.randrange(5, 400)
        gold.append(Gold(f"d{chance.randrange(2)}", "x" * (end - start), start, end, chance.randint(1, 3)))
    passages = []
    for _ in range(chance.randint(1, 25)):
        start = chance.randrange(0, 3_000)
        passages.append(Retrieved(f"d{chance.randrange(2)}", "x" * 500, start, start + 500))
    ranked = [f"p{place}" for place in range(len(passages))]
    judged, anyhow = {}, {}
    for number, piece in enumerate(gold):
        relevant = [name for name, passage in zip(ranked, passages, strict=True) if is_relevant(piece, passage)]
        carrier = relevant[0] if relevant else f"missed {number}"
        judged[carrier] = max(judged.get(carrier, 0), piece.grade)
        anyhow.update(dict.fromkeys(relevant or [carrier], 1))
    precisions = [name for name in MEASURES if name.startswith("precision")]
    expected = theirs(judged, ranked) | theirs(anyhow, ranked, precisions)
    assert await ours(passages, gold) == pytest.approx(expected, abs=1e-9)
