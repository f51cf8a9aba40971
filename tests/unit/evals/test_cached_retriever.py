"""A search is made once for a state of the corpus, and comes back equal."""

import asyncio
from typing import Any

import pytest

from assay.documents.document import Passage
from assay.evals.cached_retriever import CachedRetriever
from assay.gateway.meter import MeteredEmbedder
from assay.gateway.replica import replica
from assay.gateway.tally import Tally, tallying
from assay.index.hit import Filter, Hit, Mode
from assay.ledger.database import Database
from assay.ledger.values import Values
from assay.models.scripted import ScriptedEmbedder

HITS = [Hit(Passage("d", 3, 10, 17, "a\ud83d text", 2, "A > B"), "s.md", "T", 0.1 + 0.2, {"lexical": 1 / 3})]


class Counting:
    """Embeds the question once, as a search does."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._embedder = MeteredEmbedder(ScriptedEmbedder(), provider="embedded")

    async def search(
        self, question: str, *, k: int | None = None, mode: Mode | None = None, where: Filter | None = None
    ) -> list[Hit]:
        self.asked.append((question, k, mode, where))
        await self._embedder.embed([question])
        await asyncio.sleep(0.005)
        return list(HITS)


@pytest.fixture
def values(sqlite_database: Database) -> Any:
    opened = Values(sqlite_database)
    yield opened
    opened.close()


async def test_hits_come_back_equal_and_count_what_the_search_called(values: Values) -> None:
    inner = Counting()
    retriever = CachedRetriever(inner, values, corpus="1", settings="s")
    with tallying() as counts:
        first = await asyncio.gather(*(retriever.search("q") for _ in range(3)))
        again = await CachedRetriever(inner, values, corpus="1", settings="s").search("q")
    assert first == [HITS] * 3
    assert again == HITS
    assert len(inner.asked) == 1
    assert counts == Tally(paid_calls=1, cached_calls=3)


async def test_whatever_can_change_the_hits_is_in_the_key(values: Values) -> None:
    inner = Counting()
    plain = CachedRetriever(inner, values, corpus="1", settings="s")
    await plain.search("q")
    await CachedRetriever(inner, values, corpus="2", settings="s").search("q")
    await CachedRetriever(inner, values, corpus="1", settings="t").search("q")
    await plain.search("Q")
    await plain.search("q", k=3)
    await plain.search("q", mode="dense")
    await plain.search("q", where=Filter())
    await plain.search("q", where=Filter(groups=frozenset()))
    await plain.search("q", where=Filter(groups=frozenset({"a"})))
    await plain.search("q", where=Filter(metadata={"source": "a"}))
    token = replica.set(1)
    await plain.search("q")
    replica.reset(token)
    assert len(inner.asked) == 11


async def test_a_corpus_that_changes_under_a_search_keeps_nothing(values: Values) -> None:
    inner = Counting()
    state = "before"
    retriever = CachedRetriever(inner, values, corpus=lambda: state, settings="s")
    searching = asyncio.create_task(retriever.search("q"))
    await asyncio.sleep(0.001)
    state = "after"
    await searching
    state = "before"
    await retriever.search("q")
    await retriever.search("q")
    assert len(inner.asked) == 2
