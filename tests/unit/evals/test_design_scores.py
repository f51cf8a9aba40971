"""Designs scored at once against answers evaluated one by one, and what the array holds where nothing applies."""

import asyncio
import random
from collections.abc import Iterator

import numpy as np
import pytest

from assay.answers.ask import ask
from assay.answers.settings import AnswerSettings
from assay.documents.settings import DocumentSettings
from assay.errors import BadInput
from assay.evals.case import Case, Evidence
from assay.evals.design_scores import design_scores
from assay.evals.gold import Texts, resolve_all
from assay.evals.retrieval_metrics import RetrievalScorer
from assay.evals.scoring import score
from assay.evals.systems.own import OwnSystem
from assay.index.ingest import ingest_documents
from assay.index.retriever import HybridRetriever, SearchIndex
from assay.index.settings import IndexSettings
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.models.scripted import ScriptedEmbedder
from index_corpus import document

EMBEDDER = ScriptedEmbedder(dimensions=16)
WORDS = ["iron", "zinc", "river", "stone", "cloud", "glass", "apple", "pear"]
CHANCE = random.Random(3)
TEXTS = {
    f"notes/d{n}": " ".join(f"The {CHANCE.choice(WORDS)} of {CHANCE.choice(WORDS)} is {n * 10 + i}." for i in range(12))
    for n in range(30)
}
DESIGNS = [
    IndexSettings(mode="lexical", k=3),
    IndexSettings(mode="dense", k=12),
    IndexSettings(k=5, candidates=7),
    IndexSettings(k=5, candidates=7, dense_weight=0.1),
    IndexSettings(k=20, fusion="rrf", rrf_k=10),
]
CASES = [
    Case("quote", "  iron of the river? ", evidence=(Evidence("d3", TEXTS["notes/d3"][30:60]), Evidence("notes/d4"))),
    Case("none", "zinc"),
    Case("whole", "cloud of glass", evidence=tuple(Evidence(f"d{n}", grade=1 + n % 2) for n in range(5, 12))),
    Case("blank", " ", evidence=(Evidence("d1"),)),
    Case("long", "stone " * 10_000, evidence=(Evidence("d1"),)),
    *(
        Case(f"c{n}", TEXTS[f"notes/d{n}"][95:160], evidence=(Evidence(f"d{n}", TEXTS[f"notes/d{n}"][90:260]),))
        for n in range(8)
    ),
]
METRICS = [*RetrievalScorer().metrics, "ndcg@7", "evidence_recall@50t"]


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Iterator[SearchIndex]:
    home = tmp_path_factory.mktemp("scores")
    database = open_database(sqlite_url(home / "assay.db"))
    digest, dimensions = EMBEDDER.digest, EMBEDDER.dimensions
    made = SearchIndex(Store(database), home / "index", digest=digest, dimensions=dimensions, threads=1)
    cut = DocumentSettings(size=16)
    documents = [document(source, text) for source, text in TEXTS.items()]
    asyncio.run(ingest_documents(documents, store=made.store, embedder=EMBEDDER, settings=cut))
    yield made.open()
    database.close()


async def _one_by_one(index, design):
    """What an evaluation of Assay's own system scores: by metric, a value per case, NaN where there is none."""
    retriever = HybridRetriever(index, EMBEDDER, settings=design)

    async def answer(question):
        return await ask(question, retriever=retriever, embedder=EMBEDDER, model=None, settings=AnswerSettings())

    system = OwnSystem(answer, name="assay", subject=None)
    scorer = RetrievalScorer(ks=(1, 3, 5, 7, 10), token_budgets=(50, 2_000))
    values = {metric: [] for metric in METRICS}
    for case, gold in zip(CASES, resolve_all(CASES, Texts(TEXTS)), strict=True):
        try:
            output = await system(case.question)
        except BadInput:
            output = None
        scores = await score(scorer, case, output, gold, timeout_seconds=10)
        for metric in METRICS:
            values[metric].append(scores[metric].value if metric in scores else np.nan)
    return values


async def test_a_cell_is_what_evaluating_the_design_gives(index):
    expected = [await _one_by_one(index, design) for design in DESIGNS]
    golds = resolve_all(CASES, Texts(TEXTS))
    for metric in METRICS:
        found = await design_scores(index, EMBEDDER, CASES, golds, DESIGNS, metric=metric)
        assert found.shape == (len(DESIGNS), len(CASES))
        np.testing.assert_array_equal(found, [values[metric] for values in expected], err_msg=metric)
    assert np.nanstd([np.nanmean(values["ndcg@10"]) for values in expected]) > 0.01  # the designs do differ


async def test_a_case_without_gold_is_not_a_number_and_costs_nothing(index):
    class Refusing(ScriptedEmbedder):
        async def embed(self, *_args, **_options):
            raise AssertionError("embedded")

    done = []
    found = await design_scores(index, Refusing(), CASES[1:2], [()], DESIGNS, progress=done.append)
    assert np.isnan(found).all()
    assert found.shape == (len(DESIGNS), 1)
    assert done == []


async def test_progress_counts_cases_with_gold(index):
    done = []
    golds = resolve_all(CASES, Texts(TEXTS))
    await design_scores(index, EMBEDDER, CASES, golds, DESIGNS[:1], progress=done.append)
    assert done == list(range(1, len(CASES)))


@pytest.mark.parametrize("name", ["ndgc@10", "mrr@5", "ndcg@0", "ndcg", "evidence_recall@x", "recall@100t", ""])
async def test_a_metric_that_is_none_is_refused(index, name):
    with pytest.raises(BadInput, match="no retrieval metric"):
        await design_scores(index, EMBEDDER, CASES, resolve_all(CASES, Texts(TEXTS)), DESIGNS, metric=name)


async def test_golds_must_be_the_cases_own(index):
    with pytest.raises(ValueError, match="golds for"):
        await design_scores(index, EMBEDDER, CASES, [], DESIGNS)
