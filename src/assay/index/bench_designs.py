"""Many retrieval designs on a BEIR folder: one ingest for each cut, one pass over the queries for all its designs.

Invariant: the figures of a design are those of `beir.bench_retrieval` under its settings and in its mode, to 1e-9; so
`k` changes nothing, and no side gives fewer candidates than the ranking of 100 documents needs. The metrics are worked
out here, as evaluating 300 rankings one at a time would cost more than finding them. Proved by
`tests/unit/index/test_bench_designs.py` against `bench_retrieval` and `ir-measures`.
"""

import asyncio
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.documents.settings import DocumentSettings
from assay.index.beir import DEPTH, METRICS, Beir, search_depth
from assay.index.designs import ranked
from assay.index.ingest import IngestProgress, IngestReport, ingest_documents
from assay.index.retriever import SearchIndex
from assay.index.settings import IndexSettings
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.models.embedder import Embedder, Kind, Vectors
from assay.stats.bootstrap import bootstrap_means
from assay.stats.interval import Interval

_REMEMBERED = 100_000  # vectors kept from one cut to the next; of 384 numbers each, 150 MB
_DISCOUNTS = tuple(1 / math.log2(rank + 2) for rank in range(10))


@dataclass(frozen=True, slots=True)
class Design:
    """How documents are cut and passages found."""

    documents: DocumentSettings = DocumentSettings()
    index: IndexSettings = IndexSettings()

    @property
    def cut(self) -> str:
        """Designs that are equal in this have the same passages."""
        return f"{self.documents.cut}-{self.documents.size}-{self.documents.overlap}"


@dataclass(frozen=True, slots=True, eq=False)
class DesignResult:
    """One design's metrics with their intervals, its nDCG@10 by query, and how many passages its cut made."""

    metrics: Mapping[str, Interval]
    ndcg: NDArray[np.float64]
    passages: int

    def as_json(self) -> dict[str, Any]:
        """Metrics as plain numbers, with the intervals beside them."""
        return {
            **{name: interval.value for name, interval in self.metrics.items()},
            "passages": self.passages,
            "intervals": {name: {"low": i.low, "high": i.high} for name, i in self.metrics.items()},
            "ndcg@10_by_query": self.ndcg.tolist(),
        }


@dataclass(frozen=True, slots=True)
class DesignsBench:
    """What was found. `queries` are the judged ones, in the order of every `ndcg`; `results` those of the designs."""

    name: str
    documents: int
    queries: tuple[str, ...]
    results: tuple[DesignResult, ...]


async def bench_designs(
    collection: Beir,
    designs: Sequence[Design],
    *,
    home: Path,
    embedder: Embedder,
    threads: int = 0,
    progress: Callable[[IngestProgress], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> DesignsBench:
    """Measure every design, in order. Each cut has a workspace folder below `home`; text is embedded once for all.

    Raises BadInput for a design that re-ranks: those are measured one by one.
    """
    by_cut: dict[str, list[int]] = {}
    for place, design in enumerate(designs):
        by_cut.setdefault(design.cut, []).append(place)
    results: dict[int, DesignResult] = {}
    documents = 0
    once = _Once(embedder)
    for cut, places in by_cut.items():
        if note is not None:
            note(f"cutting documents: {cut}")
        database = await asyncio.to_thread(open_database, sqlite_url(home / cut / "assay.db"))
        try:
            store = Store(database)
            report = await ingest_documents(
                collection.documents(),
                store=store,
                embedder=once,
                settings=designs[places[0]].documents,
                collection=f"beir:{collection.name}",
                progress=progress,
            )
            documents = report.documents
            if note is not None:
                note(f"searching {len(collection.queries):,} queries, {len(places):,} designs")
            by_language: dict[str, list[int]] = {}
            for place in places:
                by_language.setdefault(designs[place].index.language, []).append(place)
            for language, some in by_language.items():
                index = SearchIndex(
                    store,
                    home / cut / "index",
                    digest=embedder.digest,
                    dimensions=embedder.dimensions,
                    language=language,
                    threads=threads,
                )
                await asyncio.to_thread(index.open)
                found = await _results(collection, index, embedder, [designs[place].index for place in some], report)
                results.update(zip(some, found, strict=True))
        finally:
            database.close()
    ordered = tuple(results[place] for place in range(len(designs)))
    return DesignsBench(collection.name, documents, tuple(collection.queries), ordered)


async def _results(
    collection: Beir, index: SearchIndex, embedder: Embedder, designs: Sequence[IndexSettings], report: IngestReport
) -> list[DesignResult]:
    """The results of designs that share an index."""
    depth = search_depth(report)
    deep = [each.model_copy(update={"k": depth, "candidates": max(each.candidates, depth)}) for each in designs]
    values = np.zeros((len(METRICS), len(collection.queries), len(designs)))
    source_of: dict[int, str] = {}
    rows = enumerate(collection.queries)
    async with aclosing(ranked(index, embedder, list(collection.queries.values()), deep)) as results:
        async for founds in results:
            row, query = next(rows)
            different = {id(found): found.ids.tolist() for found in founds}
            unknown = {passage_id for ids in different.values() for passage_id in ids} - source_of.keys()
            stored = await asyncio.to_thread(index.store.passages, unknown)
            source_of.update({passage_id: at.source for passage_id, at in stored.items()})
            grades = collection.qrels[query]
            scored = {
                key: _scored(list(dict.fromkeys(source_of[passage_id] for passage_id in ids))[:DEPTH], grades)
                for key, ids in different.items()
            }
            values[:, row, :] = np.array([scored[id(found)] for found in founds]).T
    intervals = [bootstrap_means(values[place]) for place in range(len(METRICS))]
    return [
        DesignResult(
            dict(zip(METRICS, (each[column] for each in intervals), strict=True)),
            values[METRICS.index("ndcg@10"), :, column],
            report.passages,
        )
        for column in range(len(designs))
    ]


def _scored(documents: Sequence[str], grades: Mapping[str, int]) -> tuple[float, float, float]:
    """METRICS of one ranking, as trec_eval defines them: gains are grades, relevant is a grade of 1 or more."""
    relevant = {document for document, grade in grades.items() if grade > 0}
    if not relevant:
        return 0.0, 0.0, 0.0
    ideal = sorted((grades[document] for document in relevant), reverse=True)
    places = [place for place, document in enumerate(documents) if document in relevant]
    gained = sum(grades[documents[place]] * _DISCOUNTS[place] for place in places if place < len(_DISCOUNTS))
    best = sum(grade * discount for grade, discount in zip(ideal, _DISCOUNTS, strict=False))
    precisions = sum(number / (place + 1) for number, place in enumerate(places, start=1))
    return gained / best, len(places) / len(relevant), precisions / len(relevant)


class _Once:
    """An embedder that knows the passages it embedded last, for cuts that have some in common."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.name, self.digest = embedder.name, embedder.digest
        self.dimensions, self.max_tokens = embedder.dimensions, embedder.max_tokens
        self._known: dict[bytes, NDArray[np.float32]] = {}

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """See `Embedder`."""
        if kind != "passage" or not texts:
            return await self._embedder.embed(texts, kind=kind)
        keys = [hashlib.sha256(text.encode(errors="surrogatepass")).digest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        found = {key: self._known[key] for key in keys if key not in new}
        if new:
            vectors = await self._embedder.embed(list(new.values()), kind=kind)
            found.update(zip(new, vectors, strict=True))
        self._remember({key: found[key] for key in new})
        return np.stack([found[key] for key in keys])

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """See `Embedder`."""
        return self._embedder.token_spans(text)

    async def aclose(self) -> None:
        """Nothing: the embedder belongs to who made it."""

    def _remember(self, new: Mapping[bytes, NDArray[np.float32]]) -> None:
        self._known.update(new)
        for key in list(islice(self._known, max(0, len(self._known) - _REMEMBERED))):
            del self._known[key]
