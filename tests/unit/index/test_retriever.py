"""The retriever: modes, fusion, reranking, filters, and following the database while it answers."""

import asyncio
import shutil
from pathlib import Path

import pytest

from assay.documents.document import Document
from assay.documents.settings import DocumentSettings
from assay.errors import Conflict
from assay.index.hit import Filter, Mode, Retriever
from assay.index.ingest import ingest_documents
from assay.index.retriever import HybridRetriever, SearchIndex
from assay.index.settings import IndexSettings
from assay.index.store import Store
from assay.ledger.database import Database
from assay.models.scripted import ScriptedEmbedder, ScriptedReranker
from index_corpus import document

_CUT = DocumentSettings.model_validate({"size": 16})
_EMBEDDER = ScriptedEmbedder(dimensions=64)
_CORPUS = [
    document("fruit/apple", "Apples grow on apple trees.", groups=["farm"], metadata={"kind": "fruit"}),
    document("fruit/pear", "Pears grow on pear trees.", metadata={"kind": "fruit"}),
    document("iron", "Iron is a metal, and rusts.", title="Metals"),
]


async def _put(store: Store, *documents: Document) -> None:
    await ingest_documents(documents, store=store, embedder=_EMBEDDER, settings=_CUT)


@pytest.fixture
async def index(sqlite_database: Database, tmp_path: Path) -> SearchIndex:
    store = Store(sqlite_database)
    await _put(store, *_CORPUS)
    digest, dimensions = _EMBEDDER.digest, _EMBEDDER.dimensions
    return SearchIndex(store, tmp_path / "index", digest=digest, dimensions=dimensions, threads=1).open()


async def test_each_mode_finds_and_says_by_what(index: SearchIndex) -> None:
    retriever: Retriever = HybridRetriever(index, _EMBEDDER)
    for mode, signals in (("lexical", {"lexical"}), ("dense", {"dense"}), ("fused", {"lexical", "dense"})):
        hits = await retriever.search("rusts metal", mode=mode)  # type: ignore[arg-type]
        assert hits[0].source == "iron"
        assert hits[0].title == "Metals"
        assert set(hits[0].signals) == signals
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    fused = await retriever.search("rusts metal")
    assert all("dense" in hit.signals for hit in fused)


async def test_a_hit_is_a_span_of_its_document(index: SearchIndex) -> None:
    [hit, *_] = await HybridRetriever(index, _EMBEDDER).search("pear")
    kept = index.store.document(hit.source)
    assert kept.text[hit.passage.start : hit.passage.end] == hit.passage.text
    assert hit.passage.document_id == kept.id


async def test_a_lexical_search_needs_no_embedding(index: SearchIndex) -> None:
    class Refusing(ScriptedEmbedder):
        async def embed(self, *_args: object, **_options: object) -> None:  # type: ignore[override]
            raise AssertionError("embedded")

    assert await HybridRetriever(index, Refusing()).search("pear", mode="lexical")


@pytest.mark.parametrize("question", ["", "  \n", "\u3000"])
async def test_a_blank_question_finds_nothing(index: SearchIndex, question: str) -> None:
    assert await HybridRetriever(index, _EMBEDDER).search(question) == []


async def test_odd_characters_are_no_error(index: SearchIndex) -> None:
    retriever = HybridRetriever(index, _EMBEDDER)
    assert (await retriever.search("pear\x00 \ud800 trees"))[0].source == "fruit/pear"
    assert await retriever.search("pear", where=Filter(metadata={"ki\x00nd": "\udfff"})) == []


async def test_k_is_kept_and_must_be_positive(index: SearchIndex) -> None:
    retriever = HybridRetriever(index, _EMBEDDER, settings=IndexSettings(k=2))
    assert len(await retriever.search("trees metal")) == 2
    assert len(await retriever.search("trees metal", k=1)) == 1
    with pytest.raises(ValueError, match="at least 1"):
        await retriever.search("trees", k=0)


@pytest.mark.parametrize("mode", ["lexical", "dense", "fused"])
async def test_what_is_gone_from_the_database_gives_its_place_to_the_next(index: SearchIndex, mode: Mode) -> None:
    retriever = HybridRetriever(index, _EMBEDDER)
    [best, second, *_] = await retriever.search("pear trees grow", mode=mode)
    index.store.remove([best.source])  # the index does not know yet
    assert [hit.source for hit in await retriever.search("pear trees grow", k=1, mode=mode)] == [second.source]


@pytest.mark.parametrize("mode", ["lexical", "dense", "fused"])
async def test_filters_reach_both_sides(index: SearchIndex, mode: Mode) -> None:
    retriever = HybridRetriever(index, _EMBEDDER)

    async def sources(where: Filter) -> set[str]:
        return {hit.source for hit in await retriever.search("trees grow rusts", mode=mode, where=where)}

    assert await sources(Filter(groups=frozenset())) == {"fruit/pear", "iron"}
    assert await sources(Filter(groups=frozenset({"farm"}))) == {"fruit/apple", "fruit/pear", "iron"}
    assert await sources(Filter(frozenset(), {"kind": "fruit"})) == {"fruit/pear"}
    assert await sources(Filter(metadata={"source_prefix": "fruit/"})) == {"fruit/apple", "fruit/pear"}
    # What a filter lets through may change: a remembered one must not outlive the change.
    await _put(index.store, document("fruit/apple", "Apples grow on apple trees.", metadata={"kind": "fruit"}))
    index.catch_up()
    assert await sources(Filter(frozenset(), {"kind": "fruit"})) == {"fruit/apple", "fruit/pear"}


async def test_the_reranker_has_the_last_word(index: SearchIndex) -> None:
    reranker = ScriptedReranker(lambda _question, text: float("Iron" in text))
    settings = IndexSettings(rerank=3)
    [best, *_] = await HybridRetriever(index, _EMBEDDER, settings=settings, reranker=reranker).search("pear trees")
    assert best.source == "iron"
    assert best.score == best.signals["rerank"] == 1.0
    off = await HybridRetriever(index, _EMBEDDER, settings=IndexSettings(rerank=0), reranker=reranker).search("pear")
    assert off[0].source == "fruit/pear"


async def test_weighted_fusion_weighs(index: SearchIndex) -> None:
    def retriever(dense_weight: float) -> HybridRetriever:
        settings = IndexSettings(fusion="weighted", dense_weight=dense_weight)
        return HybridRetriever(index, _EMBEDDER, settings=settings)

    words = await HybridRetriever(index, _EMBEDDER).search("pear trees", mode="lexical")
    assert [h.source for h in await retriever(0.0).search("pear trees", k=2)] == [h.source for h in words]
    assert (await retriever(1.0).search("pear trees", k=1))[0].score == pytest.approx(1.0)


async def test_reciprocal_ranks_fuse_too(index: SearchIndex) -> None:
    settings = IndexSettings(fusion="rrf", dense_weight=0.5)
    hits = await HybridRetriever(index, _EMBEDDER, settings=settings).search("rusts metal", k=1)
    assert (hits[0].source, hits[0].score) == ("iron", pytest.approx(2 / 61))


async def test_a_failure_to_follow_does_not_stop_answers(
    index: SearchIndex, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    retriever = HybridRetriever(index, _EMBEDDER)
    await _put(index.store, document("new", "Zinc is new here."))
    for side in (tmp_path / "index").glob("lexical-*"):
        shutil.rmtree(side)
        side.write_text("in the way")
    for _ in range(100):
        assert (await retriever.search("pear", k=1))[0].source == "fruit/pear"
        if caplog.records:
            break
        await asyncio.sleep(0.05)
    assert "cannot follow" in caplog.text


async def test_it_follows_the_database_while_it_answers(index: SearchIndex) -> None:
    retriever = HybridRetriever(index, _EMBEDDER)
    await _put(index.store, document("new", "Zinc is new here."))
    index.store.remove(["iron"])
    seen: set[str] = set()
    for _ in range(100):
        seen = {hit.source for hit in await retriever.search("zinc iron", k=3)}
        assert "iron" not in seen  # gone from the database, so never shown
        if "new" in seen:
            break
        await asyncio.sleep(0.05)
    assert "new" in seen
    while index.behind():  # the side that did not find it may still be catching up
        await asyncio.sleep(0.01)


async def test_another_embedder_is_told_to_ingest_again(index: SearchIndex, tmp_path: Path) -> None:
    other = ScriptedEmbedder(dimensions=32)
    strange = SearchIndex(index.store, tmp_path / "other", digest=other.digest, dimensions=32, threads=1).open()
    with pytest.raises(Conflict) as caught:
        await HybridRetriever(strange, other).search("pear")
    assert caught.value.slug == "other_embedder"
    assert (await HybridRetriever(strange, other).search("pear", mode="lexical"))[0].source == "fruit/pear"


async def test_a_damaged_dense_snapshot_is_written_anew(index: SearchIndex, tmp_path: Path) -> None:
    for kind in ("i8", "f32", "npz"):
        for path in tmp_path.rglob(f"*.{kind}"):
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 0xFF
            path.write_bytes(content)
        digest, dimensions = _EMBEDDER.digest, _EMBEDDER.dimensions
        again = SearchIndex(index.store, tmp_path / "index", digest=digest, dimensions=dimensions, threads=1).open()
        assert (await HybridRetriever(again, _EMBEDDER).search("pear", mode="dense"))[0].source == "fruit/pear"
