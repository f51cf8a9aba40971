"""Many designs at once against the retriever itself, design by design: ids, order and scores.

The corpus is of few words, so that scores are equal often and a cut falls among equals; documents were added, changed
and removed, so that both indexes have several segments and gaps.
"""

import asyncio
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.documents.document import Document
from assay.documents.settings import DocumentSettings
from assay.errors import BadInput, Conflict
from assay.index.designs import Found, ranked
from assay.index.ingest import ingest_documents
from assay.index.retriever import HybridRetriever, SearchIndex
from assay.index.settings import IndexSettings
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.models.embedder import Kind, Vectors
from assay.models.scripted import ScriptedEmbedder
from index_corpus import document

_CUT = DocumentSettings.model_validate({"size": 16})
_WORDS = ["iron", "zinc", "river", "stone", "cloud", "glass", "apple", "pear"]
_QUESTIONS = ["iron river", "where is the zinc", "glass glass cloud", "stone", "nothing of it", "", " \n", "pe\x00ar"]
_DESIGNS = st.builds(
    IndexSettings,
    mode=st.sampled_from(["lexical", "dense", "fused", "fused", "fused"]),
    k=st.integers(1, 40),
    candidates=st.integers(1, 60),
    fusion=st.sampled_from(["weighted", "rrf"]),
    rrf_k=st.sampled_from([1, 10, 60]),
    dense_weight=st.sampled_from([0.0, 0.25, 0.5, 0.6, 1.0]),
)


class Counting(ScriptedEmbedder):
    """Counts the texts it embeds."""

    texts = 0

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        self.texts += len(texts)
        return await super().embed(texts, kind=kind)


_EMBEDDER = Counting(dimensions=16)


def _documents(seed: int, first: int, last: int) -> list[Document]:
    chance = random.Random(seed)
    return [
        document(f"d{n}", " ".join(chance.choices(_WORDS, k=chance.choice([3, 4, 4, 40])))) for n in range(first, last)
    ]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    home = tmp_path_factory.mktemp("designs")
    database = open_database(sqlite_url(home / "assay.db"))
    digest, dimensions = _EMBEDDER.digest, _EMBEDDER.dimensions
    made = SearchIndex(Store(database), home / "index", digest=digest, dimensions=dimensions, threads=1).open()
    for documents in (_documents(1, 0, 60), _documents(2, 60, 90), _documents(3, 10, 25)):
        asyncio.run(ingest_documents(documents, store=made.store, embedder=_EMBEDDER, settings=_CUT, index=made))
    made.store.remove([f"d{n}" for n in range(30, 40)])
    made.catch_up()
    yield made
    database.close()


async def _at_once(index: SearchIndex, designs: Sequence[IndexSettings]) -> list[list[Found]]:
    return [found async for found in ranked(index, _EMBEDDER, _QUESTIONS, designs)]


@settings(max_examples=40)
@given(designs=st.lists(_DESIGNS, min_size=1, max_size=12))
async def test_each_design_finds_what_the_retriever_finds(index: SearchIndex, designs: list[IndexSettings]) -> None:
    at_once = await _at_once(index, designs)
    assert len(at_once) == len(_QUESTIONS)
    for question, founds in zip(_QUESTIONS, at_once, strict=True):
        assert len(founds) == len(designs)
        for design, found in zip(designs, founds, strict=True):
            hits = await HybridRetriever(index, _EMBEDDER, settings=design).search(question)
            stored = index.store.passages(found.ids.tolist())
            spans = [(stored[i].passage.document_id, stored[i].passage.start) for i in found.ids.tolist()]
            assert spans == [(hit.passage.document_id, hit.passage.start) for hit in hits]
            assert found.scores.tolist() == [hit.score for hit in hits]


async def test_the_corpus_puts_equals_at_the_cut(index: SearchIndex) -> None:
    """Else the property above would not see a wrong order of equals."""
    deep = await _at_once(index, [IndexSettings(mode="lexical", k=60)])
    scores = deep[0][0].scores
    assert len(np.unique(scores)) < len(scores) / 2


async def test_a_question_is_embedded_once_and_only_where_a_design_asks(index: SearchIndex) -> None:
    _EMBEDDER.texts = 0
    await _at_once(index, [IndexSettings(mode="lexical"), IndexSettings(mode="lexical", k=3)])
    assert _EMBEDDER.texts == 0
    await _at_once(index, [IndexSettings(dense_weight=weight / 10) for weight in range(10)])
    assert _EMBEDDER.texts == len([question for question in _QUESTIONS if question.strip()])


async def test_more_questions_than_a_block_keep_their_order(index: SearchIndex) -> None:
    questions = [f"{_WORDS[n % 8]} {_WORDS[n % 7]}" for n in range(150)]
    founds = [found async for [found] in ranked(index, _EMBEDDER, questions, [IndexSettings()])]
    alone = [found async for [found] in ranked(index, _EMBEDDER, questions[97:98], [IndexSettings()])]
    assert len(founds) == 150
    assert founds[97].ids.tolist() == alone[0].ids.tolist()


async def test_a_design_that_re_ranks_is_refused(index: SearchIndex) -> None:
    with pytest.raises(BadInput, match="re-ranks"):
        await _at_once(index, [IndexSettings(), IndexSettings(rerank=5)])


async def test_passages_of_another_embedder_are_a_conflict(index: SearchIndex, tmp_path: Path) -> None:
    other = ScriptedEmbedder(dimensions=8)
    strange = SearchIndex(index.store, tmp_path / "index", digest="other", dimensions=8, threads=1).open()
    with pytest.raises(Conflict, match="another embedder"):
        _ = [found async for found in ranked(strange, other, ["iron"], [IndexSettings()])]


async def test_no_design_finds_nothing(index: SearchIndex) -> None:
    assert await _at_once(index, []) == [[] for _ in _QUESTIONS]
